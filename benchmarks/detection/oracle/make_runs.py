#!/usr/bin/env python3
"""Trains tiny real models with fixed seeds and writes their checkpoints as real trainers do, clean or with a fault injected
while training.

  make_runs.py --list
  make_runs.py --out laika-runs [--runs a,b] [--layout torch|hf|snapshot] [--checkpoints 40] [--every 25] [--gradients]
  make_runs.py --out faulty --runs mlp-adam --faults recipe.json     # in-training faults, see FAULTS below
  make_runs.py --recorded                                                 # rewrites recorded/ beside this file

OUT/RUN/checkpoint-000050.pt (torch), checkpoint-50/ (hf) or checkpoint-000050.safetensors (snapshot); metrics.jsonl has a line
for each step (the update that ends at that step): loss, lr, grad_norm, grad_norm_clipped; hf keeps its log in trainer_state.json.
Every 8th checkpoint has a witness one step later.  The optimizers and schedulers are torch's own, saved by their state_dict().
truth.json says what only the trainer knows: names behind the optimizer's numbers, ties, frozen tensors, clip norm.
The same machine and torch give the same bytes; another torch gives equally valid runs with other bytes.
Needs python >= 3.8, torch >= 1.12 and numpy (safetensors is used where it is installed); no network, no data files."""
import argparse, glob, json, math, os, random, struct, sys, time
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_num_threads(1)
FAULTS = """in-training faults; every one has {"run", "kind", "step" or "steps":[first,last]} and usually "tensor":
 gradient-element-scale  index, log2      one gradient element times 2^log2, after the backward pass, before clipping
 gradient-bit-flip       index, bit       one bit of one fp32 gradient element
 gradient-tile-garbage   tile [r,c,h,w], scale   a tile of the gradient replaced by normal noise of scale x the gradient's rms
 gradient-tile-zero      tile [r,c,h,w]
 gradient-zero           one tensor's gradient is zero
 gradient-sign           one tensor's gradient is negated
 rank-dropped            rank, ranks      that rank's share of the batch contributes nothing (the mean still divides by all)
 rank-doubled            rank, ranks
 layer-lr                factor           the update of one tensor is multiplied by factor
 layer-not-updated                        one tensor keeps its weights (moments still advance)
 optimizer-reset                          state of one tensor becomes zero, its step counter too
 weight-bit-flip         index, bit       one bit of the live weight; training goes on
 moment-bit-flip         index, bit, moment ("exp_avg" or "exp_avg_sq")"""


# ---- data ------------------------------------------------------------------------------------------------------------
def english():
    """Licence texts every Debian has; elsewhere the Python licence and a Markov-like stand-in."""
    found = sorted(glob.glob("/usr/share/common-licenses/*"))
    text = "".join(open(p, encoding="utf-8", errors="replace").read() for p in found if not os.path.islink(p))
    if len(text) < 50000:
        g = torch.Generator().manual_seed(7)
        words = ["".join(chr(97 + int(c)) for c in torch.randint(0, 26, (int(n),), generator=g)) for n in torch.randint(2, 9, (800,), generator=g)]
        rank = (torch.rand(40000, generator=g) ** 3 * 800).long().tolist()
        text = " ".join(words[i] for i in rank)
    return text


class Text:
    def __init__(self, words, size):
        t = english()
        tokens = t.split() if words else list(t)
        count = {}
        for w in tokens:
            count[w] = count.get(w, 0) + 1
        kept = [w for w, _ in sorted(count.items(), key=lambda kv: (-kv[1], kv[0]))[: size - 2]]
        ids = {w: i + 2 for i, w in enumerate(kept)}          # row 0 is padding and never used, row 1 is "unknown"
        self.data = torch.tensor([ids.get(w, 1) for w in tokens])

    def batch(self, g, n, length):
        at = torch.randint(0, len(self.data) - length - 1, (n,), generator=g)
        x = torch.stack([self.data[i:i + length + 1] for i in at.tolist()])
        return x[:, :-1], x[:, 1:]


def images(g, n, side=12):
    """Ten kinds of noisy shape: bars, crosses, boxes, discs."""
    y = torch.randint(0, 10, (n,), generator=g)
    c = torch.randint(3, side - 3, (n, 2), generator=g)
    r = torch.arange(side)
    dy, dx = (r[None, :, None] - c[:, 0, None, None]).float(), (r[None, None, :] - c[:, 1, None, None]).float()
    s = (1 + (y % 5)).float()[:, None, None] * 0.6
    disc = ((dy ** 2 + dx ** 2) < (s + 1) ** 2).float()
    cross = ((dy.abs() < s * 0.7) | (dx.abs() < s * 0.7)).float()
    x = torch.where((y < 5)[:, None, None], disc, cross)
    return (x + 0.3 * torch.randn(n, side, side, generator=g))[:, None], y


# ---- models: forward(batch) gives one loss per sample ------------------------------------------------------------------
class Block(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads, self.norm1, self.norm2 = heads, nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.proj = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.up, self.down = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        w = (q @ k.transpose(-1, -2)) / math.sqrt(d // self.heads) + torch.full((t, t), -1e9).triu(1)
        x = x + self.proj((w.softmax(-1) @ v).transpose(1, 2).reshape(b, t, d))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Transformer(nn.Module):
    def __init__(self, vocab, d=64, layers=2, heads=4, length=48, outlier=1.0, tied=False):
        super().__init__()
        self.length, self.embed, self.place = length, nn.Embedding(vocab, d), nn.Parameter(0.02 * torch.randn(length, d))
        self.blocks = nn.ModuleList(Block(d, heads) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(d), nn.Linear(d, vocab, bias=False)
        if tied:
            self.head.weight = self.embed.weight
        with torch.no_grad():
            self.embed.weight.mul_(0.1)
            self.embed.weight[:, 5].mul_(outlier)             # one outlier channel, as large language models grow them
            self.norm.weight[5] *= outlier ** 0.5

    def forward(self, batch):
        x, y = batch
        h = self.embed(x) + self.place[: x.shape[1]]
        for block in self.blocks:
            h = block(h)
        return F.cross_entropy(self.head(self.norm(h)).transpose(1, 2), y, reduction="none").mean(1)


class Lstm(nn.Module):
    def __init__(self, vocab, d=48):
        super().__init__()
        self.embed, self.lstm, self.head = nn.Embedding(vocab, d, padding_idx=0), nn.LSTM(d, d, batch_first=True), nn.Linear(d, vocab)

    def forward(self, batch):
        x, y = batch
        return F.cross_entropy(self.head(self.lstm(self.embed(x))[0]).transpose(1, 2), y, reduction="none").mean(1)


class Conv(nn.Module):
    def __init__(self, batchnorm, width=24):
        super().__init__()
        norm = (lambda c: nn.BatchNorm2d(c)) if batchnorm else (lambda c: nn.GroupNorm(4, c))
        self.net = nn.Sequential(nn.Conv2d(1, width, 3, padding=1), norm(width), nn.ReLU(), nn.Conv2d(width, width, 3, stride=2, padding=1),
                                 norm(width), nn.ReLU(), nn.Conv2d(width, 2 * width, 3, stride=2, padding=1), norm(2 * width), nn.ReLU())
        self.head = nn.Linear(2 * width * 9, 10)

    def forward(self, batch):
        return F.cross_entropy(self.head(self.net(batch[0]).flatten(1)), batch[1], reduction="none")


class Mlp(nn.Module):
    """Regression of a fixed random function; dead=True starts with many dead ReLU units (exactly zero gradients)."""
    def __init__(self, width=96, dead=False):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(16, width), nn.Linear(width, width), nn.Linear(width, width), nn.Linear(width, 4)])
        if dead:
            with torch.no_grad():
                self.layers[1].bias[: width // 3] -= 5.0

    def forward(self, batch):
        h = batch[0]
        for layer in self.layers[:-1]:
            h = F.relu(layer(h))
        return ((self.layers[-1](h) - batch[1]) ** 2).mean(1)


class Policy(nn.Module):
    """A contextual bandit trained with REINFORCE on heavy-tailed rewards: the noisiest healthy run here."""
    def __init__(self, width=64, actions=6):
        super().__init__()
        self.a, self.b, self.c, self.value = nn.Linear(8, width), nn.Linear(width, width), nn.Linear(width, actions), nn.Linear(width, 1)

    def forward(self, batch):
        x, draw, noise = batch
        h = torch.tanh(self.b(torch.tanh(self.a(x))))
        logp, value = self.c(h).log_softmax(-1), self.value(h)[:, 0]
        pick = (logp.exp().cumsum(-1) < draw[:, None]).sum(-1).clamp(max=logp.shape[1] - 1)
        reward = (x[torch.arange(len(x)), pick] + noise).detach()
        return -logp.gather(1, pick[:, None])[:, 0] * (reward - value.detach()) + 0.5 * (value - reward) ** 2


class Gan(nn.Module):
    """Two networks with opposed losses, one optimizer: gradients never settle."""
    def __init__(self, width=48):
        super().__init__()
        self.g = nn.Sequential(nn.Linear(8, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 2))
        self.d = nn.Sequential(nn.Linear(2, width), nn.LeakyReLU(0.2), nn.Linear(width, width), nn.LeakyReLU(0.2), nn.Linear(width, 1))

    def forward(self, batch):
        z, real = batch
        fake = self.g(z)
        loss_d = F.softplus(-self.d(real)) + F.softplus(self.d(fake.detach()))
        for p in self.d.parameters():
            p.requires_grad_(False)
        loss_g = F.softplus(-self.d(fake))
        for p in self.d.parameters():
            p.requires_grad_(True)
        return (loss_d + loss_g)[:, 0]


class Coder(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc, self.mid, self.dec = nn.Linear(144, 64), nn.Linear(64, 16), nn.Linear(16, 144)

    def forward(self, batch):
        x = batch[0].flatten(1)
        return ((self.dec(torch.tanh(self.mid(torch.tanh(self.enc(x))))) - x) ** 2).mean(1)


# ---- optimizers and schedules: torch's own ------------------------------------------------------------------------------
def adaptive(cls, **fixed):
    return lambda groups, o: cls(groups, betas=(o.get("beta1", 0.9), o.get("beta2", 0.999)), eps=o.get("eps", 1e-8), weight_decay=o.get("decay", 0.0), **fixed)


OPTIMIZERS = {
    "adam": adaptive(torch.optim.Adam), "adamw": adaptive(torch.optim.AdamW), "amsgrad": adaptive(torch.optim.AdamW, amsgrad=True),
    "nadam": adaptive(torch.optim.NAdam), "radam": adaptive(torch.optim.RAdam), "adamax": adaptive(torch.optim.Adamax),
    "sgd": lambda groups, o: torch.optim.SGD(groups, lr=0.1, momentum=o.get("momentum", 0.9), nesterov=o.get("nesterov", False), weight_decay=o.get("decay", 0.0)),
    "rmsprop": lambda groups, o: torch.optim.RMSprop(groups, alpha=o.get("beta2", 0.99), weight_decay=o.get("decay", 0.0)),
    "adagrad": lambda groups, o: torch.optim.Adagrad(groups, weight_decay=o.get("decay", 0.0)),
    "adafactor": lambda groups, o: torch.optim.Adafactor(groups, weight_decay=o.get("decay", 0.0)),      # torch >= 2.5
}


def scheduler_of(kind, optimizer, lr, total):
    """Stepped after each update.  cosine and warmup start at learning rate 0, as HF's do; onecycle also cycles beta1."""
    s = torch.optim.lr_scheduler
    if kind == "cosine":
        return s.LambdaLR(optimizer, lambda n: min(1.0, n / max(1, total // 10)) * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(n, total) / total))))
    if kind == "steps":
        return s.MultiStepLR(optimizer, [total // 2, total * 3 // 4])
    if kind == "warmup":
        return s.LambdaLR(optimizer, lambda n: min(1.0, n / max(1, total // 8)))
    if kind == "onecycle":
        return s.OneCycleLR(optimizer, max_lr=lr, total_steps=total)
    return None


RUNS = {
    # name: model, batch maker, optimizer, learning rate, schedule, and what makes the run a hard healthy case
    "transformer-adamw": dict(task="chars", model=lambda v: Transformer(v), opt=dict(kind="adamw", decay=0.1, beta2=0.95), lr=2e-3, plan="cosine", batch=12, clip=1.0),
    "transformer-bf16": dict(task="chars", model=lambda v: Transformer(v), opt=dict(kind="adamw", decay=0.1), lr=1e-3, plan="cosine", batch=12, clip=1.0, bf16=True),
    "transformer-unfreeze": dict(task="chars", model=lambda v: Transformer(v), opt=dict(kind="adam"), lr=1e-3, plan="warmup", batch=8, frozen=("embed", "place", "blocks.0"), unfreeze=0.3, resume=0.6),
    "transformer-ramp": dict(task="chars", model=lambda v: Transformer(v, outlier=40.0), opt=dict(kind="adamw", decay=0.01), lr=1e-3, plan="steps", batch=4, ramp=True, clip=1.0),
    "lstm-rare-tokens": dict(task="words", model=lambda v: Lstm(v), opt=dict(kind="adamw", decay=0.01), lr=3e-3, plan="cosine", batch=8, clip=1.0),
    "conv-bn-sgd": dict(task="images", model=lambda v: Conv(True), opt=dict(kind="sgd", decay=5e-4), lr=0.05, plan="steps", batch=32),
    "conv-adafactor": dict(task="images", model=lambda v: Conv(False), opt=dict(kind="adafactor"), lr=0.02, plan="warmup", batch=24),
    "mlp-adam": dict(task="function", model=lambda v: Mlp(), opt=dict(kind="adam"), lr=1e-3, plan="constant", batch=64),
    "mlp-loss-spikes": dict(task="function", model=lambda v: Mlp(dead=True), opt=dict(kind="adam"), lr=3e-3, plan="constant", batch=32, spikes=True),
    "policy-noisy": dict(task="bandit", model=lambda v: Policy(), opt=dict(kind="adam"), lr=3e-3, plan="constant", batch=8),
    "gan-adam": dict(task="ring", model=lambda v: Gan(), opt=dict(kind="adam", beta1=0.5), lr=1e-3, plan="constant", batch=32),
    "coder-sgd-plain": dict(task="images", model=lambda v: Coder(), opt=dict(kind="sgd", momentum=0.0), lr=0.3, plan="steps", batch=32),
}
ORDINARY = list(RUNS)


def stress(name, base, **changed):
    RUNS["stress-" + name] = dict(RUNS[base], **changed)


# harsher healthy runs, kept out of the tuning of the rules: they measure false alarms
stress("conv-adamw", "conv-bn-sgd", opt=dict(kind="adamw", decay=0.05), lr=3e-3, plan="cosine")
stress("transformer-sgd", "transformer-adamw", opt=dict(kind="sgd", momentum=0.95), lr=0.3, plan="steps", clip=0.5)
stress("lstm-adam-hot", "lstm-rare-tokens", opt=dict(kind="adam", beta2=0.9), lr=1e-2, plan="warmup", batch=3)
stress("mlp-wide-spikes", "mlp-loss-spikes", model=lambda v: Mlp(width=128), lr=1e-2, batch=8)
stress("policy-hot", "policy-noisy", lr=1e-2, batch=4, opt=dict(kind="adam", beta2=0.99))
stress("gan-sgd", "gan-adam", opt=dict(kind="sgd", momentum=0.5), lr=0.05)
stress("coder-adam", "coder-sgd-plain", opt=dict(kind="adam", beta2=0.9999), lr=2e-3, plan="cosine")
stress("transformer-deep", "transformer-adamw", model=lambda v: Transformer(v, d=32, layers=4, heads=2), opt=dict(kind="adamw", decay=0.3, beta2=0.98), lr=5e-3, plan="cosine", batch=4)
stress("conv-adafactor-hot", "conv-adafactor", lr=0.1, batch=4)
stress("bf16-sgd", "transformer-bf16", opt=dict(kind="sgd", momentum=0.9), lr=0.05, plan="warmup")

# the small runs of recorded/ : all healthy, each with look-alikes of damage in it (see README.md)
def small(v, **changed):
    return Transformer(v, **dict(dict(d=36, layers=1, length=32, tied=True), **changed))


RUNS.update({
    "adamw-transformer": dict(task="chars", model=small, opt=dict(kind="adamw", decay=0.1, beta2=0.95), lr=3e-3, plan="cosine", batch=8, clip=1.0),
    "adam-mlp": dict(task="function", model=lambda v: Mlp(dead=True), opt=dict(kind="adam"), lr=1e-3, plan="constant", batch=32, spikes=True,
                     fixed=("layers.0.bias",), frozen=("layers.2",), unfreeze=0.25),
    "bf16-transformer": dict(task="chars", model=small, opt=dict(kind="adamw", decay=0.1), lr=1e-3, plan="cosine", batch=8, clip=1.0, bf16=True, named=True),
    "sgd-conv": dict(task="images", model=lambda v: Conv(True), opt=dict(kind="sgd", decay=5e-4), lr=0.05, plan="steps", batch=16),
    "hf-transformer": dict(task="chars", model=small, opt=dict(kind="adamw", decay=0.01), lr=2e-3, plan="warmup", batch=8, clip=1.0, layout="hf"),
    "snapshot-gan": dict(task="ring", model=lambda v: Gan(), opt=dict(kind="adam", beta1=0.5), lr=1e-3, plan="constant", batch=32, layout="snapshot"),
})
RECORDED = {"runs": list(RUNS)[-6:], "steps": [50, 100, 110, 120, 145, 200, 201, 211], "total": 240, "fork": ("adam-mlp", 110, [120, 200])}
_text = {}


def text(task):
    if task not in _text:
        _text[task] = Text(task == "words", 2000 if task == "words" else 98)
    return _text[task]


class Trainer:
    def __init__(self, run, seed=0, total=1000, faults=(), fork=None):
        """fork: from this step on the data comes in another order: a branch of the same run."""
        self.run, self.r, self.seed, self.total, self.faults, self.fork = run, RUNS[run], seed, total, list(faults), fork
        random.seed(seed), np.random.seed(seed), torch.manual_seed(1000 + seed)
        self.model = self.r["model"]({"chars": 98, "words": 2000}.get(self.r["task"], 0))
        self.params = {n: p for n, p in self.model.named_parameters() if not n.startswith(self.r.get("fixed", ("-",)))}
        o = self.r["opt"]
        groups = [list(self.params)]
        if o.get("groups", 2 if o["kind"] in ("adamw", "amsgrad") and o.get("decay") else 1) == 2:        # weight decay for matrices only
            groups = [[n for n in self.params if self.params[n].dim() > 1], [n for n in self.params if self.params[n].dim() <= 1]]
        named = self.r.get("named") and torch.__version__ >= "2.6"
        made = [{"params": [(n, self.params[n]) if named else self.params[n] for n in names], "lr": self.r["lr"] * (0.5 if i and o.get("slow") else 1.0)} for i, names in enumerate(groups)]
        if len(made) == 2:
            made[1]["weight_decay"] = 0.0
        self.names, self.opt = groups, OPTIMIZERS[o["kind"]](made, o)
        self.plan = scheduler_of(self.r["plan"], self.opt, self.r["lr"], total)
        self.master = {n: p.detach().clone() for n, p in self.params.items()} if self.r.get("bf16") else None
        if self.master:
            self.round()
        g = torch.Generator().manual_seed(99 + seed)
        self.target = [torch.randn(16, 32, generator=g) / 4, torch.randn(32, 4, generator=g) / 5.7]
        self.at, self.loss, self.norm, self.log = 0, float("nan"), float("nan"), []

    def truth(self, layout):
        seen, tied = {}, []
        for n, p in self.model.named_parameters(remove_duplicate=False) if torch.__version__ >= "2" else self.model.named_parameters():
            if id(p) in seen:
                tied.append([seen[id(p)], n])
            seen.setdefault(id(p), n)
        return {"run": self.run, "layout": layout, "torch": torch.__version__, "seed": self.seed, "optimizer": self.r["opt"]["kind"], "names": self.names, "tied": tied, "clip": self.r.get("clip"),
                "schedule": self.r["plan"], "frozen": [n for n, _ in self.model.named_parameters() if n not in self.params]}

    def round(self):
        with torch.no_grad():
            for n, p in self.params.items():
                p.copy_(self.master[n].to(torch.bfloat16).float())

    def batch(self, s, part=0):
        resumed = self.r.get("resume") and s >= self.total * self.r["resume"]      # a resumption reshuffles the data
        other = 5 if resumed else 11 if self.fork is not None and s >= self.fork else 0
        g = torch.Generator().manual_seed((self.seed * 7919 + s * 104729 + 65537 * part + other) % (2 ** 31))
        n, t = self.r["batch"], self.r["task"]
        if self.r.get("ramp"):
            n = n * 2 ** min(3, 4 * s // self.total)
        if t in ("chars", "words"):
            return text(t).batch(g, n, min(48, getattr(self.model, "length", 48)) if t == "chars" else 24)
        if t == "images":
            return images(g, n)
        if t == "function":
            x = torch.randn(n, 16, generator=g)
            y = torch.tanh(x @ self.target[0]) @ self.target[1]
            if self.r.get("spikes") and int(torch.randint(0, 60, (1,), generator=g)) == 0:
                x, y = x * 8, y * 60                                               # a bad batch: the loss spikes and recovers
            return x, y
        if t == "bandit":
            return torch.randn(n, 8, generator=g), torch.rand(n, generator=g), torch.randn(n, generator=g) / torch.rand(n, generator=g).clamp(min=1e-3).sqrt()
        z, a = torch.randn(n, 8, generator=g), torch.randint(0, 8, (n,), generator=g).float() * (math.pi / 4)
        return z, torch.stack([a.cos(), a.sin()], 1) + 0.05 * torch.randn(n, 2, generator=g)

    def step(self):
        """One update.  The log line of step n describes the update from n - 1 to n."""
        s = self.at
        live = [f for f in self.faults if (f["steps"][0] <= s <= f["steps"][1] if "steps" in f else f["step"] == s)]
        cold = self.r.get("frozen") and s < self.total * self.r["unfreeze"]
        for n, p in self.model.named_parameters():
            p.requires_grad_(n in self.params and not (cold and n.startswith(self.r["frozen"])))
            p.grad = None
        self.loss, parts = 0.0, self.r.get("accumulate", 1)
        for part in range(parts):
            losses = self.model(self.batch(s, part))
            weight = torch.ones_like(losses)
            for f in live:
                if f["kind"].startswith("rank-"):
                    share = len(losses) // f["ranks"]
                    weight[f["rank"] * share:(f["rank"] + 1) * share] = 0.0 if f["kind"] == "rank-dropped" else 2.0
            ((losses * weight).mean() / parts).backward()
            self.loss += float(losses.detach().mean()) / parts
        scale, keep = {}, {}
        with torch.no_grad():
            for f in live:
                self.inject(f, scale, keep)
            old = {n: (self.master[n] if self.master else self.params[n]).detach().clone() for n in scale}
        grads = [p.grad for p in self.params.values() if p.grad is not None]
        norm = lambda: math.sqrt(sum(float(g.double().pow(2).sum()) for g in grads))
        self.norm = norm()
        if self.r.get("clip"):
            nn.utils.clip_grad_norm_(list(self.params.values()), self.r["clip"])
        rates = [g["lr"] for g in self.opt.param_groups]
        self.log.append({"step": s + 1, "loss": self.loss, "lr": rates[0], "lrs": rates, "grad_norm": self.norm, "grad_norm_clipped": norm()})
        with torch.no_grad():
            if self.master:
                for n, p in self.params.items():
                    p.copy_(self.master[n])
        self.opt.step()
        if self.plan:
            self.plan.step()
        with torch.no_grad():
            for n, w in old.items():
                self.params[n].copy_(w + scale[n] * (self.params[n] - w))
            for n, w in keep.items():
                self.params[n].copy_(w)
            if self.master:
                for n, p in self.params.items():
                    self.master[n].copy_(p)
                self.round()
        self.at += 1

    def inject(self, f, scale, keep):
        kind, n = f["kind"], f.get("tensor")
        p = self.params.get(n)
        g = p.grad if p is not None else None
        if kind == "gradient-element-scale":
            g.view(-1)[f["index"]] *= 2.0 ** f["log2"]
        elif kind == "gradient-bit-flip":
            flip(g, f["index"], f["bit"])
        elif kind in ("gradient-tile-garbage", "gradient-tile-zero"):
            r, c, h, w = f["tile"]
            part = g.flatten(1)[r:r + h, c:c + w]
            noise = torch.randn(part.shape, generator=torch.Generator().manual_seed(f["step"]))
            part.copy_(noise * float(g.pow(2).mean().sqrt()) * f.get("scale", 0.0))
        elif kind == "gradient-zero":
            g.zero_()
        elif kind == "gradient-sign":
            g.neg_()
        elif kind == "layer-lr":
            scale[n] = f["factor"]
        elif kind == "layer-not-updated":
            keep[n] = (self.master[n] if self.master else p).detach().clone()
        elif kind == "optimizer-reset":                              # counters too, as a new optimizer has them
            for t in self.opt.state[p].values():
                t.zero_()
        elif kind == "weight-bit-flip":
            flip(self.master[n] if self.master else p, f["index"], f["bit"])
        elif kind == "moment-bit-flip":
            flip(self.opt.state[p][f["moment"]], f["index"], f["bit"])
        elif not kind.startswith("rank-"):
            raise SystemExit("unknown in-training fault: " + kind)

    def weights(self):
        """The model's state_dict as it is saved: 16 bits wide where the run keeps fp32 masters."""
        state = self.model.state_dict()
        return {k: v.to(torch.bfloat16) if v.is_floating_point() else v for k, v in state.items()} if self.master else state

    def optimizer(self):
        """Over fp32 masters Megatron's shape: its optimizer keeps them in a list per group."""
        state = self.opt.state_dict()
        return {"optimizer": state, "fp32_from_fp16_params": [[self.master[n] for n in names] for names in self.names]} if self.master else state

    def gradients(self):
        return {n: p.grad.clone() for n, p in self.params.items() if p.grad is not None}


def flip(t, index, bit):
    one = t.view(-1)[index:index + 1]
    value = struct.unpack("<I", struct.pack("<f", float(one)))[0] ^ (1 << bit)
    one.copy_(torch.tensor([struct.unpack("<f", struct.pack("<I", value))[0]]))


# ---- checkpoints ---------------------------------------------------------------------------------------------------------------
CODES = {torch.float32: "F32", torch.bfloat16: "BF16", torch.float16: "F16", torch.float64: "F64", torch.int64: "I64", torch.int32: "I32", torch.uint8: "U8"}


def raw(t):
    t = t.detach().contiguous().reshape(-1)
    if t.dtype == torch.bfloat16:
        t = t.view(torch.int16)
    return t.numpy().tobytes()


def write_safetensors(path, tensors, meta):
    head, at, parts = {"__metadata__": {k: str(v) for k, v in meta.items()}}, 0, []
    for name in sorted(tensors):
        data = raw(tensors[name])
        head[name] = {"dtype": CODES[tensors[name].dtype], "shape": list(tensors[name].shape), "data_offsets": [at, at + len(data)]}
        at += len(data)
        parts.append(data)
    text_ = json.dumps(head, separators=(",", ":")).encode()
    text_ += b" " * (-len(text_) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text_)) + text_ + b"".join(parts))


def write_torch(path, t, gradients):
    tree = {"model": t.weights(), "optimizer": t.optimizer(), "step": t.at, "config": {"task": t.r["task"], "batch": t.r["batch"], "max_steps": t.total}}
    if t.plan:
        tree["lr_scheduler"] = t.plan.state_dict()
    if gradients:
        tree["gradients"] = t.gradients()
    torch.save(tree, path)


def write_hf(path, t, _):
    """A folder as transformers.Trainer (5.x) writes it; tied tensors are stored once."""
    os.makedirs(path, exist_ok=True)
    drop = {b for _, b in t.truth("hf")["tied"]}
    model = {k: v.contiguous() for k, v in t.weights().items() if k not in drop}
    try:
        from safetensors.torch import save_file
        save_file(model, os.path.join(path, "model.safetensors"), {"format": "pt"})
    except ImportError:
        write_safetensors(os.path.join(path, "model.safetensors"), model, {"format": "pt"})
    torch.save(t.optimizer(), os.path.join(path, "optimizer.pt"))
    if t.plan:
        torch.save(t.plan.state_dict(), os.path.join(path, "scheduler.pt"))
    torch.save({"python": random.getstate(), "numpy": np.random.get_state(), "cpu": torch.get_rng_state()}, os.path.join(path, "rng_state.pth"))
    steps_an_epoch = 500
    log = [{"epoch": l["step"] / steps_an_epoch, "grad_norm": l["grad_norm"], "learning_rate": l["lr"], "loss": l["loss"], "step": l["step"]} for l in t.log]
    control = {k: False for k in ("should_epoch_stop", "should_evaluate", "should_log", "should_training_stop")}
    state = {"best_global_step": None, "best_metric": None, "best_model_checkpoint": None, "epoch": t.at / steps_an_epoch, "eval_steps": 500, "global_step": t.at, "is_hyper_param_search": False,
             "is_local_process_zero": True, "is_world_process_zero": True, "log_history": log, "logging_steps": 1, "max_steps": t.total, "num_input_tokens_seen": 0, "num_train_epochs": 1, "save_steps": 1,
             "stateful_callbacks": {"TrainerControl": {"args": dict(control, should_save=True), "attributes": {}}}, "total_flos": 0.0, "train_batch_size": t.r["batch"], "trial_name": None, "trial_params": None}
    with open(os.path.join(path, "trainer_state.json"), "w") as f:
        json.dump(state, f, indent=2, sort_keys=True)


def write_snapshot(path, t, _):
    """Everything of one step in one file, ties stored twice: what Laika's own PyTorch snippet writes."""
    tensors = {("parameter/" if k in dict(t.model.named_parameters()) or v.is_floating_point() and "running_" not in k else "buffer/") + k: v for k, v in t.weights().items()}
    groups = [{k: v for k, v in g.items() if k not in ("params", "param_names")} for g in t.opt.param_groups]
    for i, names in enumerate(t.names):
        for n in names:
            for slot, value in t.opt.state.get(t.params[n], {}).items():
                if value is not None:
                    tensors[slot + "/" + n] = value if torch.is_tensor(value) else torch.tensor(float(value))
    tensors.update({"master/" + n: v for n, v in (t.master or {}).items()})
    tensors.update({"gradient/" + n: v for n, v in t.gradients().items()})
    write_safetensors(path, tensors, {"laika.snapshot": "1", "step": t.at, "optimizer": type(t.opt).__name__, "groups": json.dumps(groups),
                                      "parameter_groups": json.dumps({n: i for i, names in enumerate(t.names) for n in names})})


LAYOUTS = {"torch": (write_torch, "checkpoint-%06d.pt"), "hf": (write_hf, "checkpoint-%d"), "snapshot": (write_snapshot, "checkpoint-%06d.safetensors")}


def record(trainer, out, layout, steps, gradients=False, folder=None):
    """Train to the last of `steps` and write those checkpoints, the log and the truth."""
    where, (write, name) = os.path.join(out, folder or trainer.run), LAYOUTS[layout]
    os.makedirs(where, exist_ok=True)
    while trainer.at < max(steps):
        trainer.step()
        if trainer.at in steps:
            write(os.path.join(where, name % trainer.at), trainer, gradients)
    if layout != "hf":
        with open(os.path.join(where, "metrics.jsonl"), "w") as f:
            f.writelines(json.dumps(line) + "\n" for line in trainer.log)
    with open(os.path.join(where, "truth.json"), "w") as f:
        json.dump(trainer.truth(layout), f)


def main():
    a = argparse.ArgumentParser(description=__doc__ + "\n\n" + FAULTS, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--out", default="laika-runs")
    a.add_argument("--runs", default=",".join(ORDINARY), help="names with commas; \"stress\" means all stress runs")
    a.add_argument("--layout", choices=LAYOUTS, help="default: torch, or the run's own")
    a.add_argument("--optimizer", choices=OPTIMIZERS, help="another optimizer than the run's own; the folder is RUN-OPTIMIZER")
    a.add_argument("--seed", type=int, default=0)
    a.add_argument("--checkpoints", type=int, default=40)
    a.add_argument("--every", type=int, default=25, help="optimizer steps between checkpoints")
    a.add_argument("--witness", type=int, default=8, help="after every so many checkpoints one more, a single step later (0: never)")
    a.add_argument("--steps", help="exactly these steps instead, with commas")
    a.add_argument("--faults", help="JSON list of in-training faults; those naming another run are skipped")
    a.add_argument("--gradients", action="store_true", help="also write the last step's gradients (torch)")
    a.add_argument("--fork", type=int, help="from this step on the data comes in another order (a branch of the same run)")
    a.add_argument("--recorded", action="store_true", help="rewrite recorded/ beside this file (torch 2.13)")
    a.add_argument("--list", action="store_true")
    o = a.parse_args()
    if o.list:
        return print("\n".join(RUNS))
    if o.recorded:
        out = os.path.join(os.path.dirname(os.path.abspath(__file__)), "recorded")
        for run in RECORDED["runs"]:
            record(Trainer(run, 3, RECORDED["total"]), out, RUNS[run].get("layout", "torch"), RECORDED["steps"])
        run, at, steps = RECORDED["fork"]
        return record(Trainer(run, 3, RECORDED["total"], fork=at), out, RUNS[run].get("layout", "torch"), steps, folder=run + "-branch")
    faults = json.load(open(o.faults)) if o.faults else []
    steps = [o.every * (i + 1) for i in range(o.checkpoints)]
    steps += [s + 1 for i, s in enumerate(steps) if o.witness and (i + 1) % o.witness == 0]
    if o.steps:
        steps = [int(s) for s in o.steps.split(",")]
    for run in [r for name in o.runs.split(",") for r in ([n for n in RUNS if n.startswith("stress-")] if name == "stress" else [name])]:
        start = time.time()
        if o.optimizer:
            own, run = RUNS[run], run + "-" + o.optimizer
            RUNS[run] = dict(own, opt=dict(own["opt"], kind=o.optimizer))
        try:
            trainer = Trainer(run, o.seed, max(max(steps), o.every * o.checkpoints), [f for f in faults if f.get("run", run) == run], o.fork)
        except AttributeError as e:
            print("%-22s skipped: %s" % (run, e), flush=True)
            continue
        record(trainer, o.out, o.layout or RUNS[run].get("layout", "torch"), steps, o.gradients)
        print("%-22s %3d checkpoints  loss %.4f  %.1f s" % (run, len(steps), trainer.loss, time.time() - start), flush=True)


if __name__ == "__main__":
    sys.exit(main())
