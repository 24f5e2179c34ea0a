"""A base model that many adapters are trained on, one after the other.

`unload()` of PEFT takes the adapter's layers out of the base, but leaves the trained
copy of a head in its place, and does not undo biases that were trained in place. Here
the base is as it was: every module is put back, and what training may write to (biases,
buffers) is copied back. Frozen weights are neither copied nor moved, so a base of many
gigabytes costs nothing more.
"""

from typing import Any

import torch
from torch import Tensor, nn


class PristineBase:
    """A base model and what is needed to restore it."""

    def __init__(self, model: nn.Module) -> None:
        """Remember a base model.

        Args:
            model: Without an adapter.
        """
        self.model = model
        self._modules = dict(model.named_modules())
        self._written: list[tuple[Tensor, Tensor]] = [
            (tensor, tensor.detach().clone())
            for name, tensor in [*model.named_parameters(), *model.named_buffers()]
            if name.endswith("bias") or not isinstance(tensor, nn.Parameter)
        ]

    def restore(self, adapted: Any) -> nn.Module:
        """Take a trained adapter off.

        Args:
            adapted: What `train` made of the base.

        Returns:
            The base, as it was.
        """
        unload = getattr(adapted.base_model, "unload", None)
        if unload is not None:  # prompt learning puts nothing into the base
            unload()
        for path, module in self._modules.items():
            parent, _, name = path.rpartition(".")
            if path and getattr(self._modules[parent], name) is not module:
                setattr(self._modules[parent], name, module)
        with torch.no_grad():
            for tensor, before in self._written:
                tensor.copy_(before)
        return self.model.eval()
