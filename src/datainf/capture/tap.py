"""The tap: an identity in the graph that sees a layer's inputs and output gradient.

It is an autograd function rather than a tensor hook because its inputs are then saved
tensors like any other: gradient checkpointing drops them and computes them again. The
anchor, a constant that requires a gradient, makes the graph begin at the lowest tapped
layer although no parameter requires one, so nothing below it is differentiated and no
summed parameter gradient is ever formed.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

Sink = Callable[[tuple[Tensor, ...], Tensor], None]


class _Tap(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,  # torch's own type is private
        output: Tensor,
        anchor: Tensor,  # noqa: ARG004 - only its requires_grad matters
        sink: Sink,
        *inputs: Tensor,
    ) -> Tensor:
        ctx.save_for_backward(*inputs)
        ctx.sink = sink
        # Dirty rather than a view: the caller may go on in place (ReLU(inplace=True)).
        ctx.mark_dirty(output)
        return output

    @staticmethod
    def backward(
        ctx: Any,
        grad_output: Tensor,
    ) -> tuple[Tensor | None, ...]:
        inputs = ctx.saved_tensors
        ctx.sink(inputs, grad_output)
        nothing = (None,) * (2 + len(inputs))
        return (grad_output if ctx.needs_input_grad[0] else None), *nothing


def tap(output: Tensor, inputs: Sequence[Tensor], anchor: Tensor, sink: Sink) -> Tensor:
    """Pass a layer's output on; show its inputs and output gradient to `sink`.

    Args:
        output: What the layer returned.
        inputs: The tensors it was called with.
        anchor: Any tensor that requires a gradient.
        sink: Called as `sink(inputs, grad_output)` during the backward pass.

    Returns:
        The output, part of the graph.
    """
    tapped: Tensor = _Tap.apply(output, anchor, sink, *inputs)  # type: ignore[no-untyped-call]
    return tapped
