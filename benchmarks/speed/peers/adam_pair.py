#!/usr/bin/env python3
"""What a user would write to check an Adam pair: theta, m, v of two checkpoints, 10 steps apart.

  adam_pair.py numpy|numpy-chunked|torch|torch-chunked FOLDER        FOLDER: pair_{theta,m,v}_{a,b}.npy of make_data.py

Checked: finite; v_B >= b2^k v_A; m^2 <= C v at B; (m_B - b1^k m_A)^2 <= C_k (v_B - b2^k v_A); |theta_B - theta_A| at
most the sum of the caps. One relative slack of 1e-3 stands for all rounding: no proof, but the same answer on healthy data."""
import math, sys
import numpy as np

how, folder = sys.argv[1:3]
B1, B2, K, T, LR, EPS, SLACK = 0.9, 0.999, 10, 20, 1e-3, 1e-8, 1e-3
P = {s + e: np.load("%s/pair_%s_%s.npy" % (folder, s, e), mmap_mode="r") for s in ("theta", "m", "v") for e in "ab"}
BLOCK = 1 << 16


def constant(k):
    r = B1 * B1 / B2
    return (1 - B1) ** 2 / (1 - B2) * (1 - r**k) / (1 - r)


CAP = LR * sum(math.sqrt(constant(s)) * math.sqrt(1 - B2**s) / (1 - B1**s) for s in range(T - K + 1, T + 1)) * (1 + SLACK)


def with_numpy(wa, ma, va, wb, mb, vb):
    bad = int((~np.isfinite(wb)).sum() + (~np.isfinite(mb)).sum() + (~np.isfinite(vb)).sum())
    gained = vb - np.float32(B2**K * (1 - 1e-5)) * va
    bad += int((~(gained >= 0)).sum())
    bad += int((~(mb * mb <= np.float32(constant(T) * (1 + SLACK)) * vb)).sum())
    d = mb - np.float32(B1**K) * ma
    bad += int((~(d * d <= np.float32(constant(K) * (1 + SLACK)) * gained)).sum())
    bad += int((~(np.abs(wb - wa) <= np.float32(CAP))).sum())
    return bad


def with_torch(wa, ma, va, wb, mb, vb):
    bad = int((~torch.isfinite(wb)).sum() + (~torch.isfinite(mb)).sum() + (~torch.isfinite(vb)).sum())
    gained = vb - B2**K * (1 - 1e-5) * va
    bad += int((~(gained >= 0)).sum())
    bad += int((~(mb * mb <= constant(T) * (1 + SLACK) * vb)).sum())
    d = mb - B1**K * ma
    bad += int((~(d * d <= constant(K) * (1 + SLACK) * gained)).sum())
    bad += int((~((wb - wa).abs() <= CAP)).sum())
    return bad


if how.startswith("torch"):
    import torch
    torch.set_num_threads(1)
    P = {k: torch.from_numpy(np.load("%s/pair_%s_%s.npy" % (folder, k[:-1], k[-1]))) for k in P}
    check = with_torch
else:
    check = with_numpy
order = ["thetaa", "ma", "va", "thetab", "mb", "vb"]
n = len(P["ma"])
if how.endswith("chunked"):
    bad = sum(check(*(P[k][i:i + BLOCK] for k in order)) for i in range(0, n, BLOCK))
else:
    bad = check(*(P[k] for k in order))
print(how, n, "elements,", bad, "breaches")
