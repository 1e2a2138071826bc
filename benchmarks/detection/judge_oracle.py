"""The oracle's verdict on each trial: laws.py through oracle.py, on the same files and log.

  judge_oracle.py --runs COPY --trials trials.jsonl --out oracle.jsonl

COPY is a copy of the runs of its own: each trial is patched into it and taken out again.  Line:
{id, ab, bc}; ab is [[law, tensor], ...] broken in (A, damaged B), bc the same of (damaged B, C),
null where (A, B) already told.  Where the log has the norm before clipping only (a trainer_state),
the oracle does not know the norm after it, as the product does not."""
import argparse
import functools
import json
import os

import places  # noqa: F401  (finds the oracle)
import oracle
from checkpoints import Checkpoint, metrics
from remember import Damaged, Kept, Memory, Swap


def patch(root, trial, column):
    for file, at, *sides in trial["patches"]:
        with open(os.path.join(root, file), "r+b") as out:
            out.seek(at)
            out.write(bytes.fromhex(sides[column]))


def log_of(root, trial, head):
    folder = os.path.join(root, trial["run"])
    lines = metrics(folder, head)
    if not os.path.exists(os.path.join(folder, "metrics.jsonl")):
        for line in lines.values():
            line["grad_norm_clipped"] = None
    return lines


def told(head, base, log):
    found, _ = oracle.findings(head, base, log)
    return [[law, key] for law, key, _ in found if law != "lineage"]


class Judge:
    """Judges by memory (remember.py); every 50th trial also without it, and both must agree."""

    def __init__(self, root):
        self.root, self.run, self.swap = root, None, None

    def turn_to(self, trial):
        """One run at a time is kept in memory."""
        if trial["run"] == self.run:
            return
        self.run, Kept.memory = trial["run"], Memory()
        self.swap = Swap(Kept.memory)
        self.clean = functools.lru_cache(None)(lambda name: Kept(os.path.join(self.root, name)))
        self.log = functools.lru_cache(None)(
            lambda name: log_of(self.root, trial, self.clean(name)))
        self.clean(trial["b"])  # read before it is damaged

    def broken(self, trial, base, head):
        hurt = Damaged(os.path.join(self.root, trial["b"]), self.clean(trial["b"]))
        a, b = (hurt if name == trial["b"] else self.clean(name) for name in (base, head))
        with self.swap:
            found = told(b, a, self.log(head))
        if trial["id"] % 50 == 0:
            anew = [Checkpoint(os.path.join(self.root, name)) for name in (base, head)]
            assert found == told(anew[1], anew[0], log_of(self.root, trial, anew[1])), trial["id"]
        return found

    def judged(self, trial):
        self.turn_to(trial)
        patch(self.root, trial, 1)
        try:
            ab = self.broken(trial, trial["a"], trial["b"])
            return {"ab": ab, "bc": None if ab else self.broken(trial, trial["b"], trial["c"])}
        finally:
            patch(self.root, trial, 0)


def main():
    a = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--runs", required=True)
    a.add_argument("--trials", required=True)
    a.add_argument("--out", required=True)
    o = a.parse_args()
    judge = Judge(o.runs)
    with open(o.trials) as trials, open(o.out, "w", buffering=1) as out:
        for line in trials:
            trial = json.loads(line)
            out.write(json.dumps(dict(id=trial["id"], **judge.judged(trial))) + "\n")


if __name__ == "__main__":
    main()
