"""Low-rank layers run as one product while gradients are taken.

    y = x Wᵀ + b + s (x Aᵀ) Bᵀ = x (W + s B A)ᵀ + b

One product in place of three and two sums, forward and backward. What A and B are shown
is formed once, in the backward pass: A sees x and s δ B, B sees x Aᵀ and s δ, where δ
is the gradient of y. The weights W + s B A are held beside W, so only in float32 and
float64, where forming them loses nothing that counts, and up to `MOST` bytes.

T tokens, i inputs, o outputs, rank r.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from datainf.capture.readers import Reader
from datainf.core.adapter import LowRankLayer

MOST = 2**28
"""Bytes that the weights of all fused layers may take beside the model."""
_FINE = (torch.float32, torch.float64)


@dataclass(frozen=True, eq=False)
class Fused:
    """A layer, its weights in one, and who reads A and B.

    Attributes:
        layer: The layer.
        weight: W + s B A.
        a: Reader of A.
        b: Reader of B.
    """

    layer: LowRankLayer
    weight: Float[Tensor, "o i"]
    a: Reader
    b: Reader

    def runs(self, x: Tensor) -> bool:
        """Tell whether a call may run as one product now.

        Args:
            x: What the layer is called with.

        Returns:
            Whether the layer is the plain formula, in one number format.
        """
        kind = x.device.type
        return (
            x.dtype is self.weight.dtype
            and not torch.is_autocast_enabled(kind)
            and self.layer.plain()
        )

    def __call__(self, x: Float[Tensor, "... i"]) -> Float[Tensor, "... o"]:
        """Run the layer.

        Args:
            x: What it is called with.

        Returns:
            What it gives.
        """
        return functional.linear(x, self.weight, self.layer.base.bias)

    def shown(
        self, x: Float[Tensor, "... i"], grad_output: Float[Tensor, "... o"]
    ) -> tuple[tuple[Reader, Tensor, Tensor], tuple[Reader, Tensor, Tensor]]:
        """Form what A and B would have been called with, and their output gradients.

        Args:
            x: What the layer was called with.
            grad_output: The gradient of what it gave.

        Returns:
            Reader, input and output gradient of A; the same of B.
        """
        with torch.autocast(x.device.type, enabled=False):
            scale = self.layer.scale
            g = grad_output if scale == 1 else grad_output * scale
            return (
                (self.a, x, g @ self.layer.b.weight),
                (self.b, functional.linear(x, self.layer.a.weight), g),
            )


def fused_layers(
    layers: Sequence[LowRankLayer], readers: Sequence[Reader]
) -> list[Fused]:
    """Choose the layers that run as one product, and make their weights.

    Args:
        layers: Those of the adapter.
        readers: Who reads the collected parameters.

    Returns:
        One a layer whose A and B are collected, and its W and b are not.
    """
    reads = {id(reader.module): reader for reader in readers}
    found, room = [], MOST
    for layer in layers:
        a, b = reads.get(id(layer.a)), reads.get(id(layer.b))
        weight = layer.base.weight
        if (
            a is None
            or b is None
            or id(layer.base) in reads
            or weight.dtype not in _FINE
            or len({part.weight.device for part in (layer.base, layer.a, layer.b)}) > 1
        ):
            continue
        room -= weight.nbytes
        if room < 0:
            break
        # Autograd saves the weights, and refuses those that inference mode has made.
        with torch.inference_mode(False), torch.no_grad():
            whole = torch.addmm(
                weight, layer.b.weight, layer.a.weight, alpha=layer.scale
            )
        found.append(Fused(layer, whole, a, b))
    return found
