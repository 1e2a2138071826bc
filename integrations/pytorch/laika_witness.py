"""Witness pairs for Laika: two dumps exactly one optimizer step apart, now and then.

One step apart nearly every flipped bit of weights and optimizer state can be proven; a thousand steps apart most cannot.
Copy this file into your project (it needs torch 2.0 or newer and nothing else) and add one line after the optimizer:

    from laika_witness import Witness
    Witness(model, optimizer, "runs/my-run/witness", every=1000)

    laika watch runs/my-run/witness          # or: laika validate runs/my-run/witness

At every 1000th step and at the step after it a safetensors file in Laika's snapshot layout appears, written under a
temporary name and renamed. At most `max_bytes` of tensors are dumped (another part of the model at each pair), on one
rank alone. What cannot be dumped as it is (sharded, quantised, sparse) is left out."""

import json
import os
import struct

import torch

_DTYPES = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
           torch.int64: "I64", torch.int32: "I32", torch.uint8: "U8", torch.bool: "BOOL"}


class Witness:
    def __init__(self, model, optimizer, folder, every=1000, max_bytes=1 << 30, keep=4, rank=None):
        """model: names the parameters (a Module, or an iterable of (name, parameter)).  keep: pairs that stay on disk.
        rank: which process dumps; default rank 0, or the only one."""
        named = model.named_parameters() if hasattr(model, "named_parameters") else model
        self.names = {parameter: name for name, parameter in named}
        self.optimizer, self.folder, self.every = optimizer, folder, max(2, every)
        self.max_bytes, self.keep, self.steps, self.turn, self.chosen = max_bytes, keep, 0, 0, []
        current = torch.distributed.get_rank() if torch.distributed.is_available() and torch.distributed.is_initialized() else 0
        self.active = current == (0 if rank is None else rank)
        self.hook = optimizer.register_step_post_hook(lambda *_: self._stepped())

    def close(self):
        """Dump no more."""
        self.hook.remove()

    def _stepped(self):
        self.steps += 1
        phase = self.steps % self.every
        if not self.active or phase > 1 or self.steps < self.every:
            return
        if phase == 0:
            self.chosen = self._choose()
        if self.chosen:
            self._dump()
        if phase == 1:
            self._forget()

    def _parameters(self):
        for index, group in enumerate(self.optimizer.param_groups):
            for parameter in group["params"]:
                if parameter in self.names and type(parameter.data) is torch.Tensor and parameter.dtype in _DTYPES:
                    yield index, parameter

    def _choose(self):
        """The next parameters whose dump fits: the whole model comes round in turn."""
        everything = list(self._parameters())
        if not everything:
            return []
        start, total, chosen = self.turn % len(everything), 0, []
        for index, parameter in everything[start:] + everything[:start]:
            size = 4 * parameter.numel() * parameter.element_size()
            if chosen and total + size > self.max_bytes:
                break
            total += size
            chosen.append((index, parameter))
        self.turn = (start + len(chosen)) % len(everything)
        return chosen

    def _dump(self):
        tensors, owners = {}, {}
        for index, parameter in self.chosen:
            name = self.names[parameter]
            owners[name] = index
            tensors["parameter/" + name] = parameter
            if parameter.grad is not None:
                tensors["gradient/" + name] = parameter.grad
            for slot, value in self.optimizer.state.get(parameter, {}).items():
                if isinstance(value, (int, float)):
                    value = torch.tensor(float(value))
                if type(value) is torch.Tensor and value.layout == torch.strided and value.dtype in _DTYPES:
                    tensors[slot + "/" + name] = value
        plain = (int, float, bool, str, type(None))
        groups = [{k: (v.item() if torch.is_tensor(v) and v.numel() == 1 else list(v) if isinstance(v, tuple) else v)
                   for k, v in group.items() if k not in ("params", "param_names")
                   and (isinstance(v, plain) or isinstance(v, tuple) or torch.is_tensor(v) and v.numel() == 1)}
                  for group in self.optimizer.param_groups]
        metadata = {"laika.snapshot": "1", "step": str(self.steps), "optimizer": type(self.optimizer).__name__,
                    "groups": json.dumps(groups), "parameter_groups": json.dumps(owners)}
        os.makedirs(self.folder, exist_ok=True)
        path = os.path.join(self.folder, f"witness-{self.steps:09d}.safetensors")
        with open(path + ".tmp", "wb") as file:
            _write(file, tensors, metadata)
            file.flush()
            os.fsync(file.fileno())
        os.replace(path + ".tmp", path)

    def _forget(self):
        found = sorted(name for name in os.listdir(self.folder) if name.startswith("witness-") and name.endswith(".safetensors"))
        for name in found[:-2 * self.keep]:
            os.remove(os.path.join(self.folder, name))


def _write(file, tensors, metadata):
    header, offset, order = {"__metadata__": metadata}, 0, sorted(tensors)
    for name in order:
        tensor = tensors[name]
        size = tensor.numel() * tensor.element_size()
        header[name] = {"dtype": _DTYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    file.write(struct.pack("<Q", len(text)) + text)
    for name in order:
        tensor = tensors[name].detach().contiguous().cpu()
        if tensor.numel():
            file.write(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
