"""The replay: a module runs again by itself, for each example, to differentiate it.

The rule for every parameter without one of its own: DoRA's magnitudes, IA3's vectors,
LoHa's factors, a norm of the model's own. The module's inputs and output gradient of
the batch are known, so its parameters' gradients need no other part of the model:

    ∂loss_i/∂θ = ∂⟨g_i, module(x_i; θ)⟩/∂θ

Exact where the module treats examples apart, which the probe checks. All examples go
at once through `torch.func.vmap`, which computes whatever does not depend on an
example (DoRA's weight norm) once; a module that cannot (custom autograd functions,
layers of bitsandbytes) goes one example at a time. Cost: one forward and backward of
that module alone.

B examples, S the parameter's shape.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from datainf.capture.scope import of_bitsandbytes

Key = int | str
Call = tuple[tuple[Any, ...], Mapping[str, Any]]


def tensors_of(
    args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> dict[Key, Tensor] | None:
    """Find the tensors a module was called with.

    Args:
        args: Positional arguments.
        kwargs: Keyword arguments.

    Returns:
        Position or keyword -> tensor; None where an argument may hold others inside
        (position embeddings, a cache), so that the call cannot be cut into examples.
    """
    given: list[tuple[Key, Any]] = [*enumerate(args), *kwargs.items()]
    tensors = {key: value for key, value in given if isinstance(value, Tensor)}
    if all(key in tensors or _is_plain(value) for key, value in given):
        return tensors
    return None


class Replay:
    """Runs one module again, for each example."""

    def __init__(self, module: nn.Module) -> None:
        """Remember the module.

        Args:
            module: Reads the parameters in its own forward.
        """
        self._module = module
        # vmap runs operators that it does not know one example at a time, and warns.
        self._together = not any(map(of_bitsandbytes, module.modules()))

    def gradients(
        self,
        parameters: Mapping[str, nn.Parameter],
        call: Call,
        tensors: Mapping[Key, Tensor],
        grad_output: Tensor,
    ) -> dict[str, Tensor]:
        """Differentiate the module's output by some of its parameters.

        Args:
            parameters: Name inside the module -> parameter.
            call: The arguments of the call.
            tensors: Its tensors (`tensors_of`), each `[B, ...]`.
            grad_output: Gradient of the summed losses with respect to the output.

        Returns:
            Name -> `[B, *S]`.

        Raises:
            OutOfMemoryError: If memory runs out; passed on, for a smaller batch.
        """
        values = {name: value.detach() for name, value in parameters.items()}
        parts = {key: tensor.detach() for key, tensor in tensors.items()}

        def projected(
            values: dict[str, Tensor], parts: dict[Key, Tensor], g: Tensor
        ) -> Tensor:
            args, kwargs = _join(call, {k: t.unsqueeze(0) for k, t in parts.items()})
            output = functional_call(self._module, values, args, kwargs)
            return (output * g.unsqueeze(0)).sum()

        with torch.enable_grad():
            if self._together:
                try:
                    found: dict[str, Tensor] = vmap(grad(projected), (None, 0, 0))(
                        values, parts, grad_output
                    )
                except torch.OutOfMemoryError:
                    raise
                except RuntimeError:
                    self._together = False
                else:
                    return {name: value.detach() for name, value in found.items()}
            rows: dict[str, list[Tensor]] = {name: [] for name in values}
            for i, g in enumerate(grad_output):
                leaves = {n: v.detach().requires_grad_(True) for n, v in values.items()}
                total = projected(leaves, {k: t[i] for k, t in parts.items()}, g)
                one = torch.autograd.grad(
                    total, list(leaves.values()), materialize_grads=True
                )
                for name, row in zip(leaves, one, strict=True):
                    rows[name].append(row)
        return {name: torch.stack(row) for name, row in rows.items()}


def _join(
    call: Call, tensors: Mapping[Key, Tensor]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Put other tensors into a call's arguments."""
    args = tuple(tensors.get(i, value) for i, value in enumerate(call[0]))
    return args, {key: tensors.get(key, value) for key, value in call[1].items()}


def _is_plain(value: object) -> bool:
    """Tell whether an argument is the same for all examples, and has no state."""
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(
        value, bool | int | float | str | nn.Module | torch.dtype | torch.device
    )
