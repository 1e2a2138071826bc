"""Trained the run that `laika demo` replays: a character model of a few thousand weights on this file's own text.

  python train.py            needs torch and safetensors; writes beside itself; the seed is fixed

checkpoint-NNNN.safetensors in Laika's snapshot layout (keys SLOT/NAME, hyper-parameters in __metadata__) and
metrics.jsonl, whose line n describes the update from step n-1 to step n."""
import json, os
import torch
from safetensors.torch import save_file

here = os.path.dirname(os.path.abspath(__file__))
torch.manual_seed(20261121)
torch.set_num_threads(1)
text = open(os.path.abspath(__file__), encoding="utf-8").read()
letters = sorted(set(text))
data = torch.tensor([letters.index(c) for c in text])
context, width = 8, 24

model = torch.nn.Sequential()
model.add_module("embed", torch.nn.Embedding(len(letters), 12))
model.add_module("flat", torch.nn.Flatten())
model.add_module("up", torch.nn.Linear(12 * context, width))
model.add_module("act", torch.nn.Tanh())
model.add_module("head", torch.nn.Linear(width, len(letters)))
optimizer = torch.optim.AdamW(model.named_parameters(), lr=3e-3, betas=(0.9, 0.99), weight_decay=0.05)
warmup = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / 20))


def snapshot(step):
    tensors, owner = {}, {}
    for name, parameter in model.named_parameters():
        tensors["parameter/" + name] = parameter.detach().clone()
        for slot, value in optimizer.state[parameter].items():
            tensors[slot + "/" + name] = value.detach().clone()
        owner[name] = 0
    groups = [{k: v for k, v in g.items() if k not in ("params", "param_names")} for g in optimizer.param_groups]
    metadata = {"laika.snapshot": "1", "step": str(step), "optimizer": "AdamW",
                "groups": json.dumps(groups), "parameter_groups": json.dumps(owner)}
    save_file(tensors, os.path.join(here, f"checkpoint-{step:04d}.safetensors"), metadata)


with open(os.path.join(here, "metrics.jsonl"), "w") as log:
    for step in range(1, 141):
        at = torch.randint(0, len(data) - context, (64,))
        x = torch.stack([data[i:i + context] for i in at.tolist()])
        loss = torch.nn.functional.cross_entropy(model(x), data[at + context])
        optimizer.zero_grad()
        loss.backward()
        before = float(torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0))
        rate = optimizer.param_groups[0]["lr"]
        optimizer.step()
        warmup.step()
        log.write(json.dumps({"step": step, "loss": float(loss), "lr": rate, "grad_norm": before,
                              "grad_norm_clipped": min(before, 1.0)}) + "\n")
        if step in (80, 100, 120, 140):
            snapshot(step)
