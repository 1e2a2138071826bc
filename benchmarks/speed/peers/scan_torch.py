#!/usr/bin/env python3
"""The same with torch on the CPU.   scan_torch.py plain|chunked FILE [THREADS]"""
import sys
import torch
from safetensors import safe_open

how, path = sys.argv[1:3]
torch.set_num_threads(int(sys.argv[3]) if len(sys.argv) > 3 else 1)


def plain(x):
    nan, inf = int(torch.isnan(x).sum()), int(torch.isinf(x).sum())
    y = x.double()
    y = y if nan + inf == 0 else y[torch.isfinite(y)]
    return nan, inf, int((x == 0).sum()), y.min().item(), y.max().item(), y.mean().item(), y.std(correction=0).item(), y.norm().item()


def chunked(x, block=1 << 16):
    nan = inf = zero = count = 0
    low, high, total, squares = float("inf"), float("-inf"), 0.0, 0.0
    flat, buffer = x.reshape(-1), torch.empty(block, dtype=torch.float64)
    for part in flat.split(block):
        y = buffer[:part.numel()].copy_(part)
        a, b = (v.item() for v in torch.aminmax(y))
        if a != a or b != b or a == float("-inf") or b == float("inf"):
            bad = ~torch.isfinite(y)
            nan += int(torch.isnan(y).sum())
            inf += int(bad.sum() - torch.isnan(y).sum())
            y = y[~bad]
            if y.numel() == 0:
                continue
            a, b = (v.item() for v in torch.aminmax(y))
        low, high = min(low, a), max(high, b)
        zero += y.numel() - int(torch.count_nonzero(y))
        count += y.numel()
        total += y.sum().item()
        squares += torch.dot(y, y).item()
    mean = total / max(count, 1)
    return nan, inf, zero, low, high, mean, max(squares / max(count, 1) - mean * mean, 0) ** 0.5, squares ** 0.5


out = []
with safe_open(path, framework="pt") as f:
    for name in f.keys():
        out.append((plain if how == "plain" else chunked)(f.get_tensor(name)))
import json
print(json.dumps([list(map(float, each)) for each in out]))
