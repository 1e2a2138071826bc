#!/usr/bin/env python3
"""Statistics of every tensor of a safetensors file: nan, inf, zero counts, min, max, mean, std, l2.
  scan_numpy.py plain|chunked FILE        plain: whole tensors, as most people write it.  chunked: 256 KiB blocks that stay in
the L2 cache, float64 sums.  Set OPENBLAS_NUM_THREADS=1: with two threads the dot product spins and CPU time doubles."""
import json, struct, sys
import numpy as np

how, path = sys.argv[1:]
with open(path, "rb") as f:
    n, = struct.unpack("<Q", f.read(8))
    header = json.loads(f.read(n))
file = np.asarray(np.memmap(path, np.uint8, "r"))[8 + n:]


def plain(x):
    nan, inf = int(np.isnan(x).sum()), int(np.isinf(x).sum())
    y = x.astype(np.float64)
    y = y if nan + inf == 0 else y[np.isfinite(y)]
    return nan, inf, int((x == 0).sum()), float(y.min()), float(y.max()), float(y.mean()), float(y.std()), float(np.sqrt((y * y).sum()))


def chunked(x, block=1 << 16):
    nan = inf = zero = count = 0
    low, high, total, squares = np.inf, -np.inf, 0.0, 0.0
    buffer = np.empty(block)
    for i in range(0, x.size, block):
        part = x[i:i + block]
        a, b = part.min(), part.max()                       # both carry a NaN through
        if not np.isfinite(a + b):                          # rare
            bad = ~np.isfinite(part)
            nan += int(np.isnan(part).sum())
            inf += int(bad.sum() - np.isnan(part).sum())
            part = part[~bad]
            if part.size == 0:
                continue
            a, b = part.min(), part.max()
        y = buffer[:part.size]
        y[...] = part                                       # float64, stays in the L2 cache
        low, high = min(low, float(a)), max(high, float(b))
        zero += int(np.count_nonzero(part == 0))
        count += y.size
        total += float(y.sum())
        squares += float(y @ y)
    mean = total / max(count, 1)
    return nan, inf, zero, low, high, mean, (max(squares / max(count, 1) - mean * mean, 0)) ** 0.5, squares ** 0.5


sums = []
for name, t in header.items():
    if name == "__metadata__":
        continue
    a, b = t["data_offsets"]
    raw = file[a:b]
    if t["dtype"] == "BF16":
        half = raw.view(np.uint16)
        if how == "plain":
            x = (half.astype(np.uint32) << 16).view(np.float32)
            sums.append(plain(x))
        else:
            class Wide:                                     # widened block by block
                size = half.size
                def __getitem__(self, s):
                    return (half[s].astype(np.uint32) << 16).view(np.float32)
            sums.append(chunked(Wide()))
    else:
        sums.append((plain if how == "plain" else chunked)(raw.view(np.float32)))
print(json.dumps([list(map(float, each)) for each in sums]))
