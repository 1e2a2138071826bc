"""Trains, plants, lets both sides judge and prints the comparison.

  detect.py --work EMPTY_FOLDER [--each 10] [--bursts 3] [--seed 20] [--train-seed 5]
            [--library ../../dist/index.js] [--build TEXT] [--only train|plan|judge|report]"""
import argparse
import datetime
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time

from places import HALF_RUN, HERE, RUNS, STEPS, TOTAL

ROOT = os.path.join(HERE, "..", "..")


def script(name):
    return [sys.executable, "-B", os.path.join(HERE, name)]


def commands(o):
    """Every program this benchmark runs, in order; the two of the last line run side by side."""
    at = lambda name: os.path.join(o.work, name)
    train = script("oracle/make_runs.py") + [
        "--out", at("runs"), "--runs", ",".join(RUNS + (HALF_RUN,)), "--seed", str(o.train_seed),
        "--every", "50", "--checkpoints", str(TOTAL // 50), "--steps", ",".join(map(str, STEPS))]
    plan = script("plan.py") + ["--runs", at("runs"), "--out", at("trials.jsonl"), "--each",
                                str(o.each), "--bursts", str(o.bursts), "--seed", str(o.seed)]
    oracle = script("judge_oracle.py") + ["--runs", at("copies/oracle"), "--trials",
                                          at("trials.jsonl"), "--out", at("oracle.jsonl")]
    product = ["node", os.path.join(HERE, "judge-product.mjs"), at("copies/product"),
               at("trials.jsonl"), at("product.jsonl"), o.library]
    return {"train": train, "plan": plan, "oracle": oracle, "product": product}


def run_both(o, words):
    for side in ("oracle", "product"):
        copy = os.path.join(o.work, "copies", side)
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(os.path.join(o.work, "runs"), copy)
    one = dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    start, took = time.time(), {}
    going = {side: subprocess.Popen(words[side], env=one) for side in ("oracle", "product")}
    while going:
        time.sleep(0.5)
        for side in [s for s, p in going.items() if p.poll() is not None]:
            took[side] = round(time.time() - start)
            if going.pop(side).returncode:
                raise SystemExit("the %s side failed" % side)
    with open(os.path.join(o.work, "seconds.json"), "w") as out:
        json.dump(took, out)


def one_line(words):
    try:
        return subprocess.run(words, capture_output=True, text=True, cwd=HERE).stdout.strip()
    except OSError:
        return "unknown"


def processor():
    try:
        with open("/proc/cpuinfo") as f:
            return next(line.split(":")[1].strip() for line in f if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def digest_of(library):
    """Of the library's bundle with every chunk it loads, and of its kernels."""
    folder, todo, seen = os.path.dirname(os.path.abspath(library)), ["index.js"], {}
    while todo:
        name = todo.pop()
        with open(os.path.join(folder, name), "rb") as f:
            seen[name] = f.read()
        chunks = re.findall(rb'"\./(chunk-[A-Z0-9]+\.js)"', seen[name])
        todo += [c for c in {c.decode() for c in chunks} if c not in seen and c not in todo]
    with open(os.path.join(folder, "..", "kernels", "wasm", "laika.wasm"), "rb") as f:
        kernels = f.read()
    parts = [seen[name] for name in sorted(seen)] + [kernels]
    return hashlib.sha256(b"".join(parts)).hexdigest()[:16]


def header(o, words):
    with open(os.path.join(ROOT, "package.json")) as f:
        version = json.load(f)["version"]
    with open(os.path.join(o.work, "runs", RUNS[0], "truth.json")) as f:
        torch = json.load(f)["torch"]
    import numpy
    with open(os.path.join(o.work, "seconds.json")) as f:
        took = json.load(f)
    short = lambda w: " ".join(w).replace(os.path.abspath(o.work), "WORK").replace(
        o.work, "WORK").replace(HERE + "/", "").replace(sys.executable + " -B", "python").replace(
        o.library, "LIBRARY")
    return "\n".join([
        "Detection: Laika beside laws.py on the same damaged checkpoints",
        "",
        "date      %s" % datetime.date.today().isoformat(),
        "machine   %s, %d cores, shared with other work; %s" % (
            processor(), os.cpu_count(), platform.system()),
        "versions  laika %s (%s; sha256 of library and kernels %s...), "
        "Node %s, Python %s, NumPy %s, torch %s" % (
            version, o.build or one_line(["git", "describe", "--always", "--dirty"]),
            digest_of(o.library),
            one_line(["node", "--version"]), platform.python_version(), numpy.__version__, torch),
        "seeds     training %d, faults %d" % (o.train_seed, o.seed),
        "took      product %(product)d s, oracle %(oracle)d s, side by side" % took,
        "commands  " + "\n          ".join(short(w) for w in words.values()), ""])


def main():
    a = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--work", required=True)
    a.add_argument("--each", type=int, default=10, help="flips of each run, slot, k and bit")
    a.add_argument("--bursts", type=int, default=3, help="bursts of each run, slot, k and row")
    a.add_argument("--seed", type=int, default=20)
    a.add_argument("--train-seed", type=int, default=5)
    a.add_argument("--library", default=os.path.normpath(os.path.join(ROOT, "dist", "index.js")))
    a.add_argument("--build", help="what the library was built from; default: git's word for here")
    a.add_argument("--only", choices=("train", "plan", "judge", "report"))
    o = a.parse_args()
    words, every = commands(o), o.only is None
    if every or o.only == "train":
        subprocess.run(words["train"], check=True, stdout=sys.stderr)
    if every or o.only == "plan":
        subprocess.run(words["plan"], check=True, stdout=sys.stderr)
    if every or o.only == "judge":
        run_both(o, words)
    if every or o.only == "report":
        with open(os.path.join(o.work, "header.txt"), "w") as out:
            out.write(header(o, words))
        subprocess.run(script("report.py") + ["--work", o.work], check=True)


if __name__ == "__main__":
    main()
