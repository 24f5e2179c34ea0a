"""The rule for convolutions: weight and bias gradients of each example by themselves.

Written in one dimension, for y[o, p] = Σ_{c, t} W[o, c, t] · x[c, s·p + d·t − a], a the
padding before, an example's gradient is a correlation, summed over its own rows:

    ∂W[o, c, t] = Σ_p g[o, p] · x[c, s·p + d·t − a] = Σ_q g'[o, q + a − d·t] · x[c, q]

with g' the output gradient spread out by the stride s, zeros between. So it is one
matrix product, with windows laid out on one side of it, and they are laid out on the
smaller: LoRA's A has few outputs and hundreds of inputs, so windows of its output
gradient take less memory than its input, and those of the input k² times more. LoRA's B
is 1×1 and needs none. Exact for any stride, padding (and its mode), dilation and number
of groups, in one, two or three dimensions. Cost per row: that of the summed gradient,
times the product of the strides on the output's side. At most `WINDOWS` numbers are
laid out at a time, or the windows of one row.

B examples, R rows of each, C and O channels, K taps, S and P positions.
"""

from math import prod
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

Conv = nn.Conv1d | nn.Conv2d | nn.Conv3d

WINDOWS = 2**24
"""Most numbers in the windows of one matrix product: 64 MiB in float32."""


def conv_weight(
    module: nn.Module,
    inputs: Float[Tensor, "B R C_in *S"],
    grad_output: Float[Tensor, "B R C_out *P"],
) -> Float[Tensor, "B C_out ..."]:
    """Compute the gradient of a convolution's weight for each example.

    Args:
        module: The layer.
        inputs: What it was called with.
        grad_output: Gradient of the summed losses with respect to the layer's output.

    Returns:
        One weight gradient an example.
    """
    layer = cast(Conv, module)
    padding = _padding(layer)
    x = inputs
    if layer.padding_mode != "zeros":
        around = [n for pair in reversed(padding) for n in pair]
        x = nn.functional.pad(x.flatten(0, 1), around, mode=layer.padding_mode)
        x = x.reshape(*inputs.shape[:2], *x.shape[1:])
        padding = [(0, 0)] * len(padding)
    # [B, R, G, C / G, *S]: groups are layers of their own.
    x, g = (
        t.reshape(*t.shape[:2], layer.groups, -1, *t.shape[3:])
        for t in (x, grad_output)
    )
    sizes = (prod(x.shape[3:4] + g.shape[4:]), prod(g.shape[3:4] + x.shape[4:]))
    rule = _windows_of_inputs if sizes[0] <= sizes[1] else _windows_of_outputs
    some = max(1, WINDOWS // (min(sizes) * layer.groups * prod(layer.kernel_size)))
    found = g.new_zeros(len(x), *layer.weight.shape)
    for start in range(0, len(x), some):
        part = slice(start, start + some)
        for row in range(x.shape[1]):
            product = rule(
                x[part, row].flatten(0, 1), g[part, row].flatten(0, 1), layer, padding
            )
            found[part] += product.reshape(found[part].shape)
    return found


def conv_bias(
    module: nn.Module,  # noqa: ARG001 - a rule's signature
    inputs: Float[Tensor, "B R C_in *S"],  # noqa: ARG001
    grad_output: Float[Tensor, "B R C_out *P"],
) -> Float[Tensor, "B C_out"]:
    """Compute the gradient of a convolution's bias for each example.

    Args:
        module: The layer.
        inputs: What it was called with.
        grad_output: Gradient of the summed losses with respect to the layer's output.

    Returns:
        One bias gradient an example.
    """
    return grad_output.flatten(3).sum((1, 3))


def _windows_of_inputs(
    x: Float[Tensor, "B C *S"],
    g: Float[Tensor, "B O *P"],
    layer: Conv,
    padding: list[tuple[int, int]],
) -> Float[Tensor, "B O CK"]:
    spans = _spans(layer)
    # A stride may leave positions at the end without a window; unfold skips them.
    wide = nn.functional.pad(x, [n for pair in reversed(padding) for n in pair])
    laid = _laid_out(wide, spans, layer.dilation, layer.stride)
    return torch.bmm(g.flatten(2), laid.transpose(1, 2))


def _windows_of_outputs(
    x: Float[Tensor, "B C *S"],
    g: Float[Tensor, "B O *P"],
    layer: Conv,
    padding: list[tuple[int, int]],
) -> Float[Tensor, "B O C ..."]:
    spans, spread = _spans(layer), g
    if prod(layer.stride) > 1:
        sizes = [
            (n - 1) * s + 1 for n, s in zip(g.shape[2:], layer.stride, strict=True)
        ]
        spread = g.new_zeros(*g.shape[:2], *sizes)
        every: tuple[Any, ...] = tuple(slice(None, None, s) for s in layer.stride)
        spread[:, :, *every] = g
    around: list[int] = []
    for size, own, span, (before, _) in zip(
        x.shape[:1:-1], spread.shape[:1:-1], spans[::-1], padding[::-1], strict=True
    ):
        # One window a position of the input; below zero, padding cuts off.
        left = span - 1 - before
        around += [left, size + span - 1 - own - left]
    laid = _laid_out(
        nn.functional.pad(spread, around), spans, layer.dilation, (1,) * len(spans)
    )
    found = torch.bmm(laid, x.flatten(2).transpose(1, 2))
    taps = found.view(len(g), g.shape[1], *layer.kernel_size, x.shape[1])
    # Read from its end, a window meets the taps in their order.
    return taps.flip(list(range(2, taps.ndim - 1))).movedim(-1, 2)


def _laid_out(
    rows: Float[Tensor, "B C *S"],
    spans: list[int],
    dilation: tuple[int, ...],
    stride: tuple[int, ...],
) -> Float[Tensor, "B CK P"]:
    """Copy each window of the kernel's size to a column of its own."""
    n = len(spans)
    for i in range(n):
        rows = rows.unfold(2 + i, spans[i], stride[i])[..., :: dilation[i]]
    positions, taps = range(2, 2 + n), range(2 + n, 2 + 2 * n)
    return rows.permute(0, 1, *taps, *positions).flatten(2 + n).flatten(1, 1 + n)


def _spans(layer: Conv) -> list[int]:
    """Give the positions from a kernel's first tap to its last, by dimension."""
    pairs = zip(layer.kernel_size, layer.dilation, strict=True)
    return [d * (k - 1) + 1 for k, d in pairs]


def _padding(layer: Conv) -> list[tuple[int, int]]:
    """Give the padding before and after, by dimension."""
    if layer.padding == "valid":
        return [(0, 0)] * len(layer.kernel_size)
    if layer.padding == "same":
        return [((span - 1) // 2, span // 2) for span in _spans(layer)]
    return [(int(n), int(n)) for n in layer.padding]
