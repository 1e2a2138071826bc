"""Runs laika_witness.py under the real PyTorch and judges what it wrote.  python check.py   needs torch, numpy and Node

For each optimizer: trains, then every witness pair must be intact with the replay laws judged on every element, and a
bit flipped in the later dump must be confirmed.  --keep FOLDER also leaves the dumps of AdamW there (the test fixture)."""
import json, os, shutil, struct, subprocess, sys, tempfile

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)
import torch
from laika_witness import Witness

LAIKA = os.path.join(here, "..", "..", "bin", "laika.js")
SETUPS = [("AdamW", dict(lr=1e-3, weight_decay=0.1), 1), ("Adam", dict(lr=1e-3), 1), ("AdamW", dict(lr=1e-3, amsgrad=True), 1),
          ("SGD", dict(lr=1e-2, momentum=0.9), 1), ("SGD", dict(lr=1e-2, momentum=0.9, nesterov=True), 1),
          ("AdamW", dict(lr=1e-3, fused=True), 1), ("AdamW", dict(lr=1e-3, foreach=True), 1)]


def train(name, options, folder, steps=41, every=20):
    torch.manual_seed(5)
    model = torch.nn.Sequential(torch.nn.Linear(12, 40), torch.nn.GELU(), torch.nn.LayerNorm(40), torch.nn.Linear(40, 3))
    optimizer = getattr(torch.optim, name)(model.parameters(), **options)
    scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, 0.1, 1.0, 10)
    Witness(model, optimizer, folder, every=every)
    for _ in range(steps):
        x = torch.randn(32, 12)
        loss = torch.nn.functional.cross_entropy(model(x), (x.sum(1) > 0).long())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()


def judge(head, base):
    done = subprocess.run(["node", LAIKA, "validate", head, "--base", base, "--output", "json"], capture_output=True, text=True)
    return json.loads(done.stdout)


def flip(path, bit):
    data = bytearray(open(path, "rb").read())
    size = struct.unpack_from("<Q", data)[0]
    header = json.loads(bytes(data[8:8 + size]))
    at = 8 + size + header["parameter/0.weight"]["data_offsets"][0] + 4 * 17
    data[at + bit // 8] ^= 1 << bit % 8
    open(path, "wb").write(data)


failed = 0
for name, options, _ in SETUPS:
    with tempfile.TemporaryDirectory() as folder:
        train(name, options, folder)
        files = sorted(os.path.join(folder, f) for f in os.listdir(folder))
        assert [os.path.basename(f) for f in files] == [f"witness-{s:09d}.safetensors" for s in (20, 21, 40, 41)], files
        wanted = ["replay-sgd"] if name == "SGD" else ["replay-moments", "replay-weights", "replay-gradient"]
        if options.get("weight_decay") is None and name == "Adam":
            wanted = wanted[:3]
        for base, head in (files[0:2], files[2:4]):
            result = judge(head, base)
            rules = {r["rule"]: r for r in result["coverage"]["rules"]}
            full = all(r in rules and rules[r]["elements"] == rules[r]["of"] > 0 for r in wanted)
            good = result["verdict"] == "intact" and full
            failed += not good
            print("ok  " if good else "FAIL", name, options, os.path.basename(head), result["verdict"], {r: rules.get(r, {}).get("elements") for r in wanted})
        if "--keep" in sys.argv and name == "AdamW" and options.get("weight_decay"):
            for path in files[2:4]:
                shutil.copy(path, sys.argv[sys.argv.index("--keep") + 1])
        for bit in (9, 20, 30):
            hurt = os.path.join(folder, "hurt.safetensors")
            shutil.copy(files[3], hurt)
            flip(hurt, bit)
            result = judge(hurt, files[2])
            named = any(f["certainty"] == "confirmed" and f.get("element", {}).get("index") == 17 for f in result["findings"])
            failed += not named
            print("ok  " if named else "FAIL", "  bit", bit, "of a weight:", result["verdict"])
print("all good" if not failed else f"{failed} failed")
sys.exit(bool(failed))
