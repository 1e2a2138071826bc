#!/usr/bin/env python3
"""Plants faults into finished checkpoints by recipe.  A recipe is a JSON list (or one object); each fault is

  {"run": "adam-mlp", "checkpoint": 200, "tensor": "exp_avg_sq/layers.1.weight", "kind": "bit-flip", "index": 17, "bit": 30}

  plant.py --recipe recipe.json --runs recorded --out planted            # copies the runs named, then plants
  plant.py --recipe recipe.json --runs laika-runs --in-place
  plant.py --kinds

"tensor" is SLOT/NAME (checkpoints.py); a NAME alone is the parameter.  What a fault leaves out is drawn from its own text, so a
recipe without "index" is still deterministic.  Faults of tensors happened in memory: the file is written anew around them, with
valid checksums (the zip entry of a .pt is patched in place and its CRC-32 renewed).  The file-... kinds damage stored bytes and
renew nothing.  OUT/planted.json records the truth: the resolved arguments, and the bytes changed.
Needs python >= 3.8; numpy only for the kinds marked *; no torch.  Faults that must happen during training (a corrupt gradient,
a lost rank) are make_runs.py --faults."""
import argparse, hashlib, json, os, random, shutil, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from checkpoints import WIDTH, Checkpoint, find

KINDS = {
    "bit-flip": "index, bit: one bit of one element",
    "burst-flip": "index, bits: the same bits of one element (several at once)",
    "element-set": "* index, value: a number, or \"nan\", \"inf\"",
    "stuck-lane": "lane, lanes (32), bit, value (0|1): that bit of every element whose index is lane modulo lanes",
    "stuck-bit": "bit, value: that bit of every element",
    "page-zero": "page, page_bytes (4096): bytes of the tensor, from its start",
    "page-copy": "page, source, page_bytes: a page holds another page's bytes",
    "page-stale": "page, from (a step), page_bytes: a page holds an older checkpoint's bytes",
    "tensor-stale": "from (a step)",
    "tensor-zero": "all elements 0 (for a moment: an optimizer reset)",
    "tensor-swap": "other: two tensors of one shape change places",
    "transpose": "* a matrix saved transposed under its old shape",
    "rows-swap": "* rows [a,b]: two rows change places",
    "shards-swap": "* parts, pair [a,b]: two equal parts change places",
    "shard-copy": "* parts, source, to: one part holds another's values",
    "tile-zero": "* tile [row,col,height,width]",
    "tile-garbage": "* tile, scale (1): normal noise of scale x the tensor's rms",
    "tile-scale": "* tile, factor",
    "scale": "* factor: all elements",
    "negate": "* all elements",
    "byte-shift": "bytes: read this many bytes late; the end repeats the start",
    "byte-swap": "endianness of every element",
    "mantissa-cut": "bits: this many trailing mantissa bits become 0 (16 turns fp32 into bf16 values)",
    "reinterpret-half": "* every 16-bit half of the tensor is read as fp16 and rewritten as bf16 (BF16 tensors only)",
    "rank-stale": "ranks (8), rank, from, slots (parameter, exp_avg, exp_avg_sq): that rank's part of the flattened model is older",
    "optimizer-reset": "slots: the optimizer's state of every parameter (or of \"tensor\") is zero; with step 0 unless \"keep_step\"",
    "declare": "group (0), key (lr, betas[0], betas[1], eps, weight_decay, momentum), value: the file says another hyper-parameter",
    "copy-drop-ulp": "index: a 16-bit copy is off by one unit in the last place (BF16)",
    "file-bit-flip": "file (in the run folder), offset or fraction (0..1), bit: stored byte, checksums not renewed",
    "file-truncate": "file, bytes or fraction to keep",
    "file-page": "file, page or fraction, page_bytes (4096): zeros on the disk",
    "file-missing": "file",
}


class Lazy:
    """numpy, loaded by the first kind that needs it."""
    def __getattr__(self, name):
        import numpy
        return getattr(numpy, name)


np = Lazy()
REAL = {"F32": "<f4", "F64": "<f8", "F16": "<f2"}


def values(data, dtype):
    if dtype == "BF16":
        return (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4").copy()
    return np.frombuffer(data, REAL[dtype]).copy()


def packed(x, dtype):
    if dtype == "BF16":                                              # round to nearest even
        u = x.astype(np.float32).view(np.uint32)
        return ((u + 0x7fff + ((u >> 16) & 1)) >> 16).astype("<u2").tobytes()
    return x.astype(REAL[dtype]).tobytes()


def apply(fault, data, dtype, shape, older=None, other=None):
    """The tensor's bytes with the fault in them (and the other tensor's, for a swap).  Fills the fault's missing arguments."""
    f, kind, w = fault, fault["kind"], WIDTH[dtype]
    seed = hashlib.sha256(json.dumps({k: v for k, v in sorted(f.items())}).encode()).digest()
    dice = random.Random(seed)
    n, out = len(data) // w, bytearray(data)
    rows = shape[0] if len(shape) >= 2 else 1
    cols = n // max(1, rows)

    def bits(mask, value, where):
        """value 1 sets, 0 clears, 2 flips the mask in the elements of the slice `where`."""
        for i in range(*where.indices(n)):
            u = int.from_bytes(out[i * w:i * w + w], "little")
            u = u | mask if value == 1 else u & ~mask if value == 0 else u ^ mask
            out[i * w:i * w + w] = u.to_bytes(w, "little")
        return bytes(out)

    def default(key, value):
        if key not in f:
            f[key] = value() if callable(value) else value
        return f[key]

    if kind in ("bit-flip", "burst-flip"):
        i = default("index", lambda: dice.randrange(n))
        b = f.get("bits") if kind == "burst-flip" else [default("bit", lambda: dice.randrange(8 * w))]
        return bits(sum(1 << k for k in b), 2, slice(i, i + 1))
    if kind == "element-set":
        i, x = default("index", lambda: dice.randrange(n)), values(data, dtype)
        x[i] = float(f["value"])
        return bytes(out[:i * w]) + packed(x[i:i + 1], dtype) + bytes(out[i * w + w:])
    if kind in ("stuck-lane", "stuck-bit"):
        step = default("lanes", 32) if kind == "stuck-lane" else 1
        lane = default("lane", lambda: dice.randrange(step)) if kind == "stuck-lane" else 0
        return bits(1 << default("bit", lambda: dice.randrange(8 * w - 9)), default("value", lambda: dice.randrange(2)), slice(lane, None, step))
    if kind.startswith("page-"):
        size = default("page_bytes", 4096)
        count = len(data) // size
        if count < 1:
            raise SystemExit("%s has no whole page of %d bytes" % (f.get("tensor"), size))
        p = default("page", lambda: dice.randrange(count)) * size
        if kind == "page-zero":
            out[p:p + size] = bytes(size)
        elif kind == "page-stale":
            out[p:p + size] = older[p:p + size]
        else:
            q = default("source", lambda: dice.choice([k for k in range(count) if k * size != p])) * size
            out[p:p + size] = data[q:q + size]
        return bytes(out)
    if kind == "tensor-stale":
        return older
    if kind == "tensor-zero":
        return bytes(len(data))
    if kind == "tensor-swap":
        return other
    if kind == "byte-shift":
        k = default("bytes", w)
        return data[k:] + data[:k]
    if kind == "byte-swap":
        return b"".join(data[i:i + w][::-1] for i in range(0, len(data), w))
    if kind == "mantissa-cut":
        return bits((1 << default("bits", 16)) - 1, 0, slice(None))
    if kind == "copy-drop-ulp":
        i = default("index", lambda: dice.randrange(n))
        out[i * w:i * w + w] = (int.from_bytes(out[i * w:i * w + w], "little") + 1).to_bytes(w, "little")
        return bytes(out)
    if kind == "reinterpret-half":
        with np.errstate(all="ignore"):
            return packed(np.frombuffer(data, "<f2").astype(np.float32), "BF16")
    if kind not in KINDS:
        raise SystemExit("unknown kind: %s (see --kinds)" % kind)
    x = values(data, dtype)
    with np.errstate(all="ignore"):
        rms = float(np.sqrt(np.mean(np.where(np.isfinite(x), x, 0).astype(np.float64) ** 2)))
    if kind == "transpose":
        return packed(np.ascontiguousarray(x.reshape(rows, cols).T).ravel(), dtype)
    if kind == "rows-swap":
        a, b = default("rows", lambda: dice.sample(range(rows), 2))
        m = x.reshape(rows, cols)
        m[[a, b]] = m[[b, a]]
        return packed(m.ravel(), dtype)
    if kind in ("shards-swap", "shard-copy"):
        parts = default("parts", 4)
        size = n // parts
        a, b = default("pair", lambda: dice.sample(range(parts), 2)) if kind == "shards-swap" else (default("to", 1), default("source", 0))
        one, two = x[a * size:(a + 1) * size].copy(), x[b * size:(b + 1) * size].copy()
        x[a * size:(a + 1) * size] = two
        if kind == "shards-swap":
            x[b * size:(b + 1) * size] = one
        return packed(x, dtype)
    if kind.startswith("tile-"):
        r, c, h, v = default("tile", lambda: (lambda h, v: [dice.randrange(max(1, rows - h + 1)), dice.randrange(max(1, cols - v + 1)), h, v])(min(16, rows), min(16, cols)))
        m = x.reshape(rows, cols)
        noise = np.array([dice.gauss(0, 1) for _ in range(h * v)]).reshape(h, v)
        part = m[r:r + h, c:c + v]
        part[...] = 0 if kind == "tile-zero" else part * default("factor", 2.0) if kind == "tile-scale" else (noise * rms * default("scale", 1.0))[:part.shape[0], :part.shape[1]]
        return packed(m.ravel(), dtype)
    if kind == "scale":
        return packed(x * x.dtype.type(default("factor", 2.0)), dtype)
    if kind == "negate":
        return packed(-x, dtype)



def damage(root, f):
    """Storage faults: the bytes of one file, nothing else."""
    path = os.path.join(root, f["run"], f["file"])
    if f["kind"] == "file-missing":
        os.remove(path)
        return
    data = bytearray(open(path, "rb").read())
    at = f.setdefault("offset", int(f.get("fraction", 0.5) * len(data))) if f["kind"] == "file-bit-flip" else 0
    if f["kind"] == "file-bit-flip":
        data[at] ^= 1 << f.setdefault("bit", 0)
    elif f["kind"] == "file-truncate":
        del data[f.setdefault("bytes", int(f.get("fraction", 0.5) * len(data))):]
    else:
        size = f.setdefault("page_bytes", 4096)
        p = f.setdefault("page", int(f.get("fraction", 0.5) * (len(data) // size))) * size
        data[p:p + size] = bytes(len(data[p:p + size]))
    with open(path, "wb") as out:
        out.write(bytes(data))


def rank_stale(c, older, f):
    slots, ranks = f.setdefault("slots", ["parameter", "exp_avg", "exp_avg_sq"]), f.setdefault("ranks", 8)
    for slot in slots:
        names = [n for n in c.group_of if slot + "/" + n in c.tensors]
        total, at = sum(c.tensors[slot + "/" + n].count for n in names), 0
        first, last = total * f["rank"] // ranks, total * (f["rank"] + 1) // ranks
        for n in names:
            t, old = c.tensors[slot + "/" + n], older.tensors.get(slot + "/" + n, c.tensors[slot + "/" + n])
            a, b, w = max(0, first - at) * WIDTH[t.dtype], max(0, min(t.count, last - at)) * WIDTH[t.dtype], WIDTH[t.dtype]
            if a < b:
                data = t.get()
                t.put(data[:a] + old.get()[a:b] + data[b:])
            at += t.count


def reset(c, f):
    for key, t in c.tensors.items():
        slot, name = key.split("/", 1)
        if name in c.group_of and slot not in ("parameter", "master", "gradient") and name == f.get("tensor", name) and not (slot == "step" and f.get("keep_step")):
            t.put(bytes(t.size))


def plant(root, fault):
    f = dict(fault)
    if f["kind"].startswith("file-"):
        damage(root, f)
        return f
    folder = os.path.join(root, f["run"])
    c = Checkpoint(find(folder, f["checkpoint"]))
    older = Checkpoint(find(f.get("from_run") and os.path.join(root, f["from_run"]) or folder, f["from"])) if "from" in f else None
    if f["kind"] == "rank-stale":
        rank_stale(c, older, f)
    elif f["kind"] == "optimizer-reset":
        reset(c, f)
    elif f["kind"] == "declare":
        c.files[-1].declare(f.setdefault("group", 0), f["key"], f["value"])
    else:
        f["tensor"] = key = f["tensor"] if "/" in f["tensor"] else "parameter/" + f["tensor"]
        for box in [c] + ([older] if older else []):
            if key not in box.tensors:
                raise SystemExit("%s has no %s; it has %s" % (box.path, key, ", ".join(sorted(box.tensors)[:6]) + ", ..."))
        t, data = c.tensors[key], c.tensors[key].get()
        other = c.tensors[f["other"]] if "other" in f else None
        if other is not None and other.size != len(data):
            raise SystemExit("swap of unequal tensors: " + key)
        bad = apply(f, data, t.dtype, list(t.shape), older.tensors[key].get() if older else None, other.get() if other else None)
        t.put(bad)
        if other is not None:
            other.put(data)
        changed = [i for i in range(len(data)) if data[i] != bad[i]]
        f["truth"] = {"dtype": t.dtype, "shape": list(t.shape), "bytes_changed": len(changed), "first_element": changed[0] // WIDTH[t.dtype] if changed else None}
    c.save()
    return f


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--recipe", help="file, or - for standard input")
    a.add_argument("--runs", default="laika-runs")
    a.add_argument("--out", default="laika-planted")
    a.add_argument("--in-place", action="store_true")
    a.add_argument("--kinds", action="store_true")
    o = a.parse_args()
    if o.kinds or not o.recipe:
        return print("\n".join("%-18s %s" % kv for kv in KINDS.items()))
    faults = json.load(sys.stdin if o.recipe == "-" else open(o.recipe))
    faults = faults if isinstance(faults, list) else [faults]
    root = o.runs if o.in_place else o.out
    if not o.in_place:
        for run in sorted({f["run"] for f in faults}):
            if os.path.exists(os.path.join(root, run)):
                raise SystemExit("%s exists: name another --out, or remove it" % os.path.join(root, run))
            shutil.copytree(os.path.join(o.runs, run), os.path.join(root, run))
    truth = [plant(root, f) for f in faults]
    json.dump(truth, open(os.path.join(root, "planted.json"), "w"), indent=1)
    for t in truth:
        print(json.dumps(t))


if __name__ == "__main__":
    sys.exit(main())
