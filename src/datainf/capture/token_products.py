"""Products of every token's loss gradient with one direction, all tokens at once.

    p_t = ∇(w_t ℓ_t) · x,   t = 1 … T

The derivative of the T losses along x is all that is needed, and forward-mode
differentiation (`torch.autograd.forward_ad`) gives it in one forward pass that carries
tangents: about two plain ones, whatever T is. It needs attention by the math kernel,
which is switched on for the pass alone. What has no forward derivative (a custom
autograd function, such as a quantised or fused layer) takes one backward pass a token,
named in a warning.

T tokens, d parameters of a block.
"""

import warnings
from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

from datainf.capture.devices import device_of, moved
from datainf.capture.scope import quiet
from datainf.core.adapter import Adapter
from datainf.core.errors import DatainfWarning
from datainf.core.task import TokenLosses, TokenTask


class TokenProducts:
    """Scope in which an adapter's token losses can be differentiated along directions.

    The model is the same to the bit afterwards, as after `CaptureSession`.
    """

    def __init__(self, model: nn.Module, adapter: Adapter, task: TokenTask) -> None:
        """Prepare; nothing is changed on the model before the scope is entered.

        Args:
            model: The model, outermost.
            adapter: Which of its parameters the directions are made of.
            task: Gives the token losses.
        """
        self._model, self._adapter, self._task = model, adapter, task
        self._stack = ExitStack()
        self._forward = True

    def __enter__(self) -> "TokenProducts":
        """Switch the adapter on and freeze the model.

        Returns:
            The scope.
        """
        with ExitStack() as stack:
            stack.enter_context(quiet(self._model))
            stack.enter_context(self._adapter.activated())
            # Switching an adapter on may unfreeze it and change modes; freeze again.
            stack.enter_context(quiet(self._model))
            # Checkpointing is of no use in a pass that keeps nothing.
            self._model.eval()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Undo everything, whatever happened."""
        self._stack.__exit__(kind, error, trace)

    def along(
        self, batch: Mapping[str, Any], direction: Mapping[str, Float[Tensor, " _"]]
    ) -> tuple[Float[Tensor, " T"], Float[Tensor, " T"]]:
        """Differentiate the weighted token losses of one example along a direction.

        Args:
            batch: What the task's `collate` made of one example.
            direction: Block -> `[d]`, for every block of the adapter.

        Returns:
            The products, in float64, and the tokens' weights, both on the CPU.

        Raises:
            OutOfMemoryError: If memory runs out; passed on as it came.
        """
        batch = moved(batch, device_of(self._model))
        # Unit size: a half-precision tangent neither overflows nor vanishes.
        size = max(float(part.abs().max()) for part in direction.values()) or 1.0
        tangents = [
            (direction[t.block.name] / size)
            .reshape(t.parameter.shape)
            .to(t.parameter.device, t.parameter.dtype)
            for t in self._adapter.parameters
        ]
        with torch.inference_mode(False):
            if self._forward:
                try:
                    found = self._all_at_once(batch, tangents)
                except torch.OutOfMemoryError:
                    raise
                except RuntimeError as error:
                    self._forward = False
                    self._warn(error)
            if not self._forward:
                found = self._one_by_one(batch, tangents)
        products, weights = found
        return size * products.double().cpu(), weights.double().cpu()

    def _all_at_once(
        self, batch: Mapping[str, Any], tangents: list[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Run one forward pass with tangents on the parameters."""
        losses = _Losses(self._model, self._task)
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), forward_ad.dual_level():
            duals = {
                f"model.{t.path}": forward_ad.make_dual(  # type: ignore[no-untyped-call]
                    t.parameter.detach(), tangent
                )
                for t, tangent in zip(self._adapter.parameters, tangents, strict=True)
            }
            found: TokenLosses = functional_call(losses, duals, (batch,))
            parts = forward_ad.unpack_dual(found.losses)  # type: ignore[no-untyped-call]
            tangent = parts.tangent
        if tangent is None:
            tangent = torch.zeros_like(found.losses)
        return (tangent * found.weights)[0], found.weights[0]

    def _one_by_one(
        self, batch: Mapping[str, Any], tangents: list[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Run one backward pass for each token that is learned."""
        parameters = [t.parameter for t in self._adapter.parameters]
        try:
            for parameter in parameters:
                parameter.requires_grad_(True)
            with torch.enable_grad():
                losses, weights = self._task.token_losses(self._model, batch)
                products = torch.zeros_like(weights[0])
                for t in weights[0].nonzero().flatten().tolist():
                    gradients = torch.autograd.grad(
                        losses[0, t],
                        parameters,
                        retain_graph=True,
                        materialize_grads=True,
                    )
                    pairs = zip(gradients, tangents, strict=True)
                    parts = [(gradient * tangent).sum() for gradient, tangent in pairs]
                    products[t] = weights[0, t] * torch.stack(parts).sum()
        finally:
            for parameter in parameters:
                parameter.requires_grad_(False)
        return products.detach(), weights[0].detach()

    def _warn(self, error: RuntimeError) -> None:
        reason = str(error).strip().split("\n")[0][:200]
        warnings.warn(
            "token scores take one backward pass a token: the model has a layer "
            f"without a forward derivative ({reason}).",
            DatainfWarning,
            stacklevel=3,
        )


class _Losses(nn.Module):
    """A task's token losses as a module, whose parameters can be replaced in a call."""

    def __init__(self, model: nn.Module, task: TokenTask) -> None:
        super().__init__()
        self.model = model
        self._task = task

    def forward(self, batch: Mapping[str, Any]) -> TokenLosses:
        return self._task.token_losses(self.model, batch)
