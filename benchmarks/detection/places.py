"""Where things lie and what is measured: shared by the steps of this benchmark."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
FIXTURES = os.path.join(HERE, "..", "..", "test", "fixtures")
sys.path[:0] = [os.path.join(HERE, "oracle"), os.path.join(FIXTURES, "suspicions"),
                os.path.join(FIXTURES, "laws")]

# B is the damaged checkpoint; A and C lie k steps before and after it
MIDDLE = 1000
WINDOWS = (1, 10, 100)
STEPS = sorted({MIDDLE + sign * k for k in WINDOWS for sign in (-1, 0, 1)})
# the runs end at step 4000, so that a decaying learning rate is alive at 1000
TOTAL = 4000
# Adam and AdamW of several betas, decays, models and layouts; the last one only for 16-bit copies
RUNS = ("mlp-adam", "stress-conv-adamw", "adamw-transformer", "hf-transformer", "snapshot-gan",
        "policy-noisy", "adam-mlp")
HALF_RUN = "bf16-transformer"
# the nearest to the three models of the reference's tables
ALIKE = ("mlp-adam", "stress-conv-adamw", "adamw-transformer")
SLOTS = {"theta": "parameter", "m": "exp_avg", "v": "exp_avg_sq"}


def checkpoint_name(run, step):
    """The file or folder of a step, relative to the work folder of the runs."""
    if run.startswith("hf-"):
        return "%s/checkpoint-%d" % (run, step)
    return "%s/checkpoint-%06d.%s" % (run, step, "safetensors" if "snapshot" in run else "pt")
