"""Draws the trials from a seed and writes each as byte patches: trials.jsonl, one JSON a line.

  plan.py --runs RUNS --out trials.jsonl [--each 10] [--bursts 3] [--seed 20]

A trial is {id, what, run, k, slot, a, b, c, patches}; a, b, c are checkpoints relative to RUNS and
patches are [file, offset, old bytes, new bytes] of b, in hex.  The damage happened in memory: all
checksums of the file are those of the damaged bytes.  Both sides write the same patches."""
import argparse
import json
import os
import random

from places import HALF_RUN, MIDDLE, RUNS, SLOTS, WINDOWS, checkpoint_name
import numpy as np
import plant
from checkpoints import Checkpoint, Zip


class Clean:
    """A checkpoint that is damaged and made whole again for each trial."""

    def __init__(self, root, run):
        self.root, self.run = root, run
        self.path = os.path.join(root, checkpoint_name(run, MIDDLE))
        self.checkpoint = Checkpoint(self.path)
        self.whole = [bytes(f.data) for f in self.checkpoint.files]
        self.older = {k: Checkpoint(os.path.join(root, checkpoint_name(run, MIDDLE - k)))
                      for k in WINDOWS}

    def tensors(self, slot, least=1):
        """(key, elements) of the stepped parameters' tensors of at least so many bytes."""
        found = self.checkpoint.tensors
        keys = ["%s/%s" % (slot, n) for n in self.checkpoint.group_of
                if "exp_avg_sq/" + n in found]
        return [(key, found[key].count) for key in keys if found[key].size >= least]

    def patches(self):
        """What changed since the last call; the checkpoint is whole again afterwards."""
        out = []
        for file, whole in zip(self.checkpoint.files, self.whole):
            if isinstance(file, Zip):
                file.sign()
            was, now = np.frombuffer(whole, "u1"), np.frombuffer(bytes(file.data), "u1")
            at = np.flatnonzero(was != now)
            cuts = np.flatnonzero(np.diff(at) > 16) + 1
            for part in np.split(at, cuts) if at.size else []:
                first, last = int(part[0]), int(part[-1]) + 1
                name = os.path.relpath(file.path, self.root)
                out.append([name, first, whole[first:last].hex(),
                            bytes(file.data[first:last]).hex()])
            file.data[:] = whole
        return out

    def hurt(self, fault, k):
        """One tensor's fault (or one of several tensors) by the words of plant.py."""
        c, older = self.checkpoint, self.older[k]
        if fault["kind"] == "rank-stale":
            plant.rank_stale(c, older, fault)
        elif fault["kind"] == "optimizer-reset":
            plant.reset(c, fault)
        else:
            t, key = c.tensors[fault["tensor"]], fault["tensor"]
            other = c.tensors[fault["other"]] if "other" in fault else None
            data, second = t.get(), other.get() if other else None
            old = older.tensors[key].get() if key in older.tensors else None
            t.put(plant.apply(fault, data, t.dtype, list(t.shape), old, second))
            if other:
                other.put(data)
        return self.patches()


def pick(dice, tensors):
    """A tensor, as likely as it has elements, and one of its elements."""
    at = dice.randrange(sum(n for _, n in tensors))
    for key, n in tensors:
        if at < n:
            return key, at
        at -= n
    raise AssertionError("the shares do not add up")


def flips(clean, o):
    for k in WINDOWS:
        for slot, word in SLOTS.items():
            for bit in range(32):
                dice = random.Random("%d/%s/%d/%s/%d" % (o.seed, clean.run, k, slot, bit))
                for _ in range(o.each):
                    key, index = pick(dice, clean.tensors(word))
                    yield "flip", k, slot, {"kind": "bit-flip", "tensor": key, "index": index,
                                            "bit": bit}


def neighbour(dice, count):
    at = dice.randrange(count)
    return at, at + 1 if at + 1 < count and (at == 0 or dice.random() < 0.5) else at - 1


def page_fault(dice, clean, word, form, size):
    """Zero, a copy of the neighbour (64 B) or of any other page, or the bytes of A."""
    key, _ = pick(dice, clean.tensors(word, 2 * size if form == "copy" else size))
    count = clean.checkpoint.tensors[key].size // size
    fault = {"kind": "page-" + form, "tensor": key, "page_bytes": size}
    fault["page"], near = neighbour(dice, count) if count > 1 else (0, 0)
    if form == "copy":
        far = dice.choice([p for p in range(count) if p != fault["page"]])
        fault["source"] = near if size == 64 else far
    return fault


def stuck_fault(dice, clean, word, bits):
    key, _ = pick(dice, clean.tensors(word))
    bit = dice.choice(bits)
    return {"kind": "stuck-lane", "tensor": key, "lanes": 32, "lane": dice.randrange(32),
            "bit": bit, "value": dice.randrange(2)}


# the rows of the reference's table of bursts: name -> fault of (dice, clean, word of the slot)
PAGES = {"64 B line zero": ("zero", 64), "64 B line dup": ("copy", 64),
         "64 B line stale": ("stale", 64), "4 KiB page zero": ("zero", 4096),
         "4 KiB page other": ("copy", 4096), "4 KiB page stale": ("stale", 4096)}
STUCK = {"stuck exponent/sign bit, every 32nd": range(23, 32),
         "stuck mantissa bit 12..22, every 32nd": range(12, 23),
         "stuck mantissa bit 0..11, every 32nd": range(12)}
RANKS = {"theta, m, v": "theta m v", "theta": "theta", "m": "m", "v": "v", "m, v": "m v"}


def table_bursts(clean, o, k, dice):
    for slot, word in SLOTS.items():
        for row, (form, size) in PAGES.items():
            for _ in range(o.bursts if clean.tensors(word, 2 * size) else 0):
                yield row, k, slot, page_fault(dice, clean, word, form, size)
        for row, bits in STUCK.items():
            for _ in range(o.bursts):
                yield row, k, slot, stuck_fault(dice, clean, word, bits)
    for row, slots in RANKS.items():
        for rank in dice.sample(range(8), o.bursts):
            yield "one rank of 8 stale", k, row, {
                "kind": "rank-stale", "rank": rank, "ranks": 8, "from": MIDDLE - k,
                "slots": [SLOTS[s] for s in slots.split()]}


# the other kinds of plant.py that hurt tensors: what one needs beside what it draws by itself
OTHERS = {"burst-flip": {}, "element-set": {}, "stuck-bit": {}, "tensor-stale": {},
          "tensor-zero": {}, "tensor-swap": {}, "transpose": {}, "rows-swap": {},
          "shards-swap": {}, "shard-copy": {}, "tile-zero": {}, "tile-garbage": {},
          "tile-scale": {}, "scale": {}, "negate": {}, "byte-shift": {}, "byte-swap": {},
          "mantissa-cut": {}}
MATRIX = {"transpose", "rows-swap"}


def twin(dice, clean, tensors):
    """Two tensors of one shape."""
    shape = lambda key: clean.checkpoint.tensors[key].shape
    place = lambda key: (clean.checkpoint.tensors[key].place, clean.checkpoint.tensors[key].start)
    pairs = [(a, b) for a, _ in tensors for b, _ in tensors
             if a < b and shape(a) == shape(b) and place(a) != place(b)]
    return dice.choice(pairs) if pairs else None


def other_bursts(clean, o, k, dice):
    for slot, word in SLOTS.items():
        for kind, more in OTHERS.items():
            tensors = clean.tensors(word)
            if kind in MATRIX:
                shapes = {key: clean.checkpoint.tensors[key].shape for key, _ in tensors}
                tensors = [(key, n) for key, n in tensors if len(shapes[key]) >= 2]
            key, index = pick(dice, tensors)
            fault = dict(more, kind=kind, tensor=key)
            if kind == "burst-flip":
                fault.update(index=index, bits=sorted(dice.sample(range(32), dice.randint(2, 5))))
            elif kind == "element-set":
                fault.update(index=index, value=dice.choice(["nan", "inf", "-inf", "0", "1"]))
            elif kind == "byte-shift":
                fault.update(bytes=dice.choice([1, 2, 4, 64]))
            elif kind == "tensor-stale":
                fault["from"] = MIDDLE - k
            elif kind == "tensor-swap":
                pair = twin(dice, clean, tensors)
                if pair is None:
                    continue
                fault["tensor"], fault["other"] = pair
            yield kind, k, slot, fault
    for keep in (False, True):
        fault = {"kind": "optimizer-reset"}
        yield "optimizer-reset", k, "step kept" if keep else "step 0", (
            dict(fault, keep_step=True) if keep else fault)


def half_bursts(clean, o, k, dice):
    for kind in ("copy-drop-ulp", "reinterpret-half"):
        for _ in range(o.bursts * 2):
            key, _ = pick(dice, clean.tensors("parameter"))
            yield kind, k, "theta", {"kind": kind, "tensor": key, "draw": dice.randrange(10**6)}


def bursts(clean, o):
    for k in WINDOWS:
        dice = random.Random("%d/%s/%d/bursts" % (o.seed, clean.run, k))
        if clean.run == HALF_RUN:
            yield from half_bursts(clean, o, k, dice)
        else:
            yield from table_bursts(clean, o, k, dice)
            yield from other_bursts(clean, o, k, dice)


def trials(root, o):
    for run in RUNS + (HALF_RUN,):
        clean = Clean(root, run)
        at = lambda step: checkpoint_name(run, step)
        where = lambda k: dict(run=run, k=k, a=at(MIDDLE - k), b=at(MIDDLE), c=at(MIDDLE + k))
        for k in WINDOWS:
            yield dict(where(k), what="clean", slot="", fault={}, patches=[])
        drawn = list(bursts(clean, o)) + (list(flips(clean, o)) if run != HALF_RUN else [])
        for what, k, slot, fault in drawn:
            patches = clean.hurt(fault, k)
            yield dict(where(k), what=what, slot=slot, fault=fault, patches=patches)


def main():
    a = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--runs", required=True)
    a.add_argument("--out", required=True)
    a.add_argument("--each", type=int, default=10, help="flips of each run, slot, k and bit")
    a.add_argument("--bursts", type=int, default=3, help="bursts of each run, slot, k and row")
    a.add_argument("--seed", type=int, default=20)
    o = a.parse_args()
    made, same = 0, 0
    with open(o.out, "w") as out:
        for trial in trials(o.runs, o):
            if trial["what"] != "clean" and not trial["patches"]:
                same += 1  # a stuck bit that was right, zeros over zeros
                continue
            out.write(json.dumps(dict(id=made, **trial)) + "\n")
            made += 1
    print("%d trials, %d draws dropped because no byte would change" % (made, same))


if __name__ == "__main__":
    main()
