"""The statistics of `laika inspect`, computed by PyTorch on data in the GPU's memory: eager and compiled.

    python3 benchmarks/cuda/torch_statistics.py [--device cuda] [--elements N] [--laika "node bin/laika.js"]

First Laika judges the same values from a file, and every count, extreme and sum must agree; then each
way is timed. Laika's own figure to compare with is `summariseF32` + `digest` of
`npm run bench:cuda -- kernels`: PyTorch computes here what a summary has but for the 32 lanes and the
digests, so the comparison favours PyTorch.
"""

import argparse
import json
import math
import shlex
import struct
import subprocess
import tempfile
import time
from pathlib import Path

import torch


def statistics(x):
    """Counts, extremes, the two largest sizes, sums in float64, and elements by exponent."""
    finite = torch.isfinite(x)
    bits = x.view(torch.int32)
    exponent = (bits >> 23) & 255
    kept = torch.where(finite, x, 0.0)
    wide = kept.double()
    size = kept.abs()
    top, place = torch.topk(size, 2)
    return {
        "nan": torch.isnan(x).sum(),
        "inf": torch.isinf(x).sum(),
        "zero": (x == 0).sum(),
        "denormal": ((exponent == 0) & (x != 0)).sum(),
        "min": torch.where(finite, x, math.inf).min(),
        "max": torch.where(finite, x, -math.inf).max(),
        "max1": top[0],
        "max1_index": place[0],
        "max2": top[1],
        "sum": wide.sum(),
        "squares": (wide * wide).sum(),
        "octaves": torch.bincount(torch.where(finite, exponent, 255), minlength=256),
    }


def make(elements, seed):
    """Weights with a few odd values among them."""
    x = torch.randn(elements, generator=torch.Generator().manual_seed(seed)) * 0.02
    odd = [math.nan, math.inf, -math.inf, 0.0, -0.0, 1e-40, 3e38]
    for i, value in enumerate(odd):
        x[(i + 1) * (elements // 9)] = value
    return x


def write_safetensors(path, x):
    data = x.numpy().tobytes()
    entry = {"dtype": "F32", "shape": list(x.shape), "data_offsets": [0, len(data)]}
    header = json.dumps({"weight": entry}).encode()
    header += b" " * (-len(header) % 8)
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)


def number(value):
    return float(value.replace("Infinity", "inf")) if isinstance(value, str) else value


def verify(x, device, laika):
    """Laika and PyTorch must say the same of the same values."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weight.safetensors"
        write_safetensors(path, x)
        command = [*shlex.split(laika), "inspect", str(path), "--output", "json"]
        found = subprocess.run(command, capture_output=True, text=True)
        (tensor,) = json.loads(found.stdout)["tensors"]
    ours = {name: value.cpu() for name, value in statistics(x.to(device)).items()}
    for name in ["nan", "inf", "zero", "denormal"]:
        assert int(ours[name]) == tensor[name], (name, int(ours[name]), tensor[name])
    for name in ["min", "max"]:
        assert float(ours[name]) == number(tensor[name]), (name, float(ours[name]), tensor[name])
    count = x.numel() - tensor["nan"] - tensor["inf"]
    mean = float(ours["sum"]) / count
    assert math.isclose(mean, number(tensor["mean"]), rel_tol=1e-9), (mean, tensor["mean"])
    norm = math.sqrt(float(ours["squares"]))
    assert math.isclose(norm, number(tensor["l2"]), rel_tol=1e-9), (norm, tensor["l2"])


def best_time(work, device):
    def wait():
        if device.startswith("cuda"):
            torch.cuda.synchronize()

    work()
    wait()
    best = math.inf
    for _ in range(20):
        start = time.perf_counter()
        work()
        wait()
        best = min(best, time.perf_counter() - start)
    return best


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--elements", type=int, default=2**28)
    parser.add_argument("--laika", default="node bin/laika.js")
    options = parser.parse_args()
    verify(make(1_000_003, 1), options.device, options.laika)
    print("verified: PyTorch and Laika say the same of 1,000,003 values")
    x = make(options.elements, 2).to(options.device)
    ways = {"eager": statistics, "compiled": torch.compile(statistics)}
    for name, way in ways.items():
        seconds = best_time(lambda way=way: way(x), options.device)
        print(f"{name:9} {4 * x.numel() / seconds / 1e9:8.1f} GB/s of source bytes")


if __name__ == "__main__":
    main()
