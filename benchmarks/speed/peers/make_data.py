"""make_data.py FOLDER [--gib 4] [--pair-gib 1.5] [--tensors 16]: what the benchmarks read. Needs NumPy.

FOLDER/f32.safetensors, bf16.safetensors, f16.safetensors: N(0, 0.02), --gib each.
FOLDER/pair-10, pair-20.safetensors: Laika snapshots of AdamW (weights, first and second moments), 10 healthy steps
apart, --pair-gib together; FOLDER/pair_{theta,m,v}_{a,b}.npy: the same arrays for NumPy.
FOLDER/tuned-10, tuned-20.safetensors: the same of two layers in the run of a model whose other layers are frozen.
FOLDER/dirty-{nan,random,zeros,denormal}.safetensors: float32, a quarter of --gib each.
"""

import argparse
import json
import struct
from pathlib import Path

import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("folder")
parser.add_argument("--gib", type=float, default=4)
parser.add_argument("--pair-gib", type=float, default=1.5)
parser.add_argument("--tensors", type=int, default=16)
options = parser.parse_args()
folder = Path(options.folder)
folder.mkdir(parents=True, exist_ok=True)
rng = np.random.default_rng(1)
f32 = np.float32


def header_of(entries, metadata):
    header, offset = {"__metadata__": metadata} if metadata else {}, 0
    for name, dtype, shape, size in entries:
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def single(name, dtype, width, gib, encode):
    """One file of equal tensors; the same block of random numbers again and again, shifted."""
    count = int(gib * 2**30) // width // options.tensors // 4096 * 4096
    shape = [count // 4096, 4096]
    entries = [(f"layers.{i}.weight", dtype, shape, count * width) for i in range(options.tensors)]
    values = rng.standard_normal(count, dtype=f32) * f32(0.02)
    with open(folder / name, "wb") as file:
        file.write(header_of(entries, None))
        for i in range(options.tensors):
            file.write(encode(np.roll(values, 997 * i)).tobytes())


def bf16(x):
    u = x.view(np.uint32)
    return ((u + np.uint32(0x7FFF) + ((u >> 16) & 1)) >> 16).astype(np.uint16)


def nan_in_every_block(x):
    x = x.copy()
    x[7::1024] = np.nan
    return x


def zeros_mostly(x):
    return np.where(np.arange(x.size) % 10 == 0, x, 0).astype(f32)


single("f32.safetensors", "F32", 4, options.gib, lambda x: x)
single("bf16.safetensors", "BF16", 2, options.gib, bf16)
single("f16.safetensors", "F16", 2, options.gib / 4, lambda x: x.astype(np.float16))
single("clean.safetensors", "F32", 4, options.gib / 4, lambda x: x)
single("dirty-nan.safetensors", "F32", 4, options.gib / 4, nan_in_every_block)
single("dirty-random.safetensors", "F32", 4, options.gib / 4, lambda x: rng.integers(0, 2**32, x.size, dtype=np.uint32))
single("dirty-zeros.safetensors", "F32", 4, options.gib / 4, zeros_mostly)
single("dirty-denormal.safetensors", "F32", 4, options.gib / 4, lambda x: x * f32(1e-38))

count = int(options.pair_gib * 2**30) // 24 // options.tensors // 1024 * 1024
shape = [count // 1024, 1024]
group = {"lr": 1e-3, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.01, "amsgrad": False, "maximize": False,
         "foreach": None, "capturable": False, "differentiable": False, "fused": None, "decoupled_weight_decay": True}
names = [f"layers.{i}.weight" for i in range(options.tensors)]
frozen = None


def snapshot(name, step, trained):
    """Laika's snapshot: weights of all layers, where not trained those of the first one; state of the trained."""
    rows = [(f"parameter/{names[i]}", w[i] if i in trained or frozen is None else frozen[i]) for i in range(options.tensors)]
    rows += [(f"{slot}/{names[i]}", x[i]) for slot, x in (("exp_avg", m), ("exp_avg_sq", v)) for i in trained]
    entries = [(key, "F32", shape, 4 * count) for key, _ in rows]
    entries += [(f"step/{names[i]}", "F32", [], 4) for i in trained]
    metadata = {"laika.snapshot": "1", "step": str(step), "optimizer": "AdamW", "groups": json.dumps([group]),
                "parameter_groups": json.dumps({names[i]: 0 for i in trained})}
    with open(folder / f"{name}.safetensors", "wb") as file:
        file.write(header_of(entries, metadata))
        for _, x in rows:
            file.write(x.tobytes())
        file.write(np.full(len(trained), step, f32).tobytes())


w, m, v = (np.empty((options.tensors, count), f32) for _ in range(3))
rng.standard_normal(out=w, dtype=f32)
w *= f32(0.02)
m[...] = v[...] = 0
step = 0
for part in ("a", "b"):
    for _ in range(10):
        step += 1
        for i in range(options.tensors):
            for at in range(0, count, 1 << 18):
                c = (i, slice(at, min(count, at + (1 << 18))))
                g = rng.standard_normal(w[c].size, dtype=f32) * f32(1e-3)
                w[c] *= f32(1 - 1e-3 * 0.01)
                m[c] = f32(0.9) * m[c] + f32(1 - 0.9) * g
                v[c] = f32(0.999) * v[c] + f32(1 - 0.999) * g * g
                denominator = np.sqrt(v[c]) / f32((1 - 0.999**step) ** 0.5) + f32(1e-8)
                w[c] -= f32(1e-3 / (1 - 0.9**step)) * m[c] / denominator
    for name, x in (("theta", w), ("m", m), ("v", v)):
        np.save(folder / f"pair_{name}_{part}.npy", x.reshape(-1))
    snapshot(f"pair-{step}", step, range(options.tensors))
    snapshot(f"tuned-{step}", step, range(2))
    if part == "a":
        frozen = w.copy()
