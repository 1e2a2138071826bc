"""Step time of a training loop, alone and beside a Laika that checks its checkpoints all the time.

    python3 benchmarks/cuda/training_step.py [--device cuda] [--width N] [--steps N]

The loop is AdamW on a stack of linear layers, so wide that the GPU is the limit. Its two checkpoints
are written first, and Laika must find nothing wrong with them; then it checks them again and again, on
each engine, while steps are timed. That is far more than `laika watch` does, which looks once a
checkpoint: the figures are the worst case.
"""

import argparse
import json
import shlex
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import torch


class Loop:
    def __init__(self, device, width, depth=8):
        torch.manual_seed(1)
        layers = [torch.nn.Linear(width, width) for _ in range(depth)]
        self.device = device
        self.model = torch.nn.Sequential(*layers).to(device)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4)
        self.x = torch.randn(256, width, device=device)

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        loss = (self.model(self.x) - self.x).square().mean()
        loss.backward()
        self.optimizer.step()
        if self.device.startswith("cuda"):
            torch.cuda.synchronize()

    def save(self, path):
        state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        torch.save(state, path)

    def times(self, steps):
        found = []
        for _ in range(steps):
            start = time.perf_counter()
            self.step()
            found.append(1000 * (time.perf_counter() - start))
        return found


def said(times):
    ordered = sorted(times)
    last = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    return f"median {statistics.median(ordered):8.3f} ms   99 % {last:8.3f} ms"


def beside(loop, command, steps):
    """Step times while the command runs over and over; and how often it ended."""
    words = " ".join(shlex.quote(word) for word in command)
    script = f"while :; do {words} > /dev/null 2>&1; echo done; done"
    watcher = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, start_new_session=True)
    try:
        watcher.stdout.readline()
        return loop.times(steps)
    finally:
        subprocess.run(["kill", "--", f"-{watcher.pid}"], check=False)
        watcher.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--width", type=int, default=8192)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--laika", default="node bin/laika.js")
    parser.add_argument("--engines", default="wasm,cuda")
    options = parser.parse_args()
    loop = Loop(options.device, options.width)
    loop.times(20)
    with tempfile.TemporaryDirectory() as folder:
        base, head = Path(folder) / "step-20.pt", Path(folder) / "step-21.pt"
        loop.save(base)
        loop.step()
        loop.save(head)
        size = head.stat().st_size / 1e9
        print(f"checkpoints of {size:.2f} GB; {options.steps} steps each")
        print(f"{'alone':8} {said(loop.times(options.steps))}")
        for engine in options.engines.split(","):
            command = [*shlex.split(options.laika), "validate", str(head), "--base", str(base)]
            command += ["--engine", engine]
            found = subprocess.run(
                [*command, "--output", "json"], capture_output=True, text=True
            )
            result = json.loads(found.stdout)
            assert result.get("verdict") in ("intact", "unremarkable"), found.stdout
            assert result["engine"]["name"] == engine, result["engine"]
            print(f"{engine:8} {said(beside(loop, command, options.steps))}")
        print(f"{'alone':8} {said(loop.times(options.steps))}")


if __name__ == "__main__":
    main()
