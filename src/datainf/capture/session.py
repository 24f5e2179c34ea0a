"""The capture session: hooks in, per-example gradients out, hooks out again.

One forward and one backward pass of a batch give every parameter with a rule;
parameters without one take the looped path, named in a warning. A probe compares the
rules with autograd before they are believed, so a layer that is used in an unforeseen
way (called with the batch folded into the tokens, its weight read directly) is looped
instead of quietly wrong.

B examples of a batch, d parameters of a block.
"""

import warnings
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from datainf.capture.looped import batch_size, looped_gradients, unused
from datainf.capture.probe import (
    agree,
    refuse_coupling,
    refuse_nonfinite,
    refuse_padding,
    tolerance_for,
)
from datainf.capture.registry import RULES
from datainf.capture.scope import checkpoints, quiet
from datainf.capture.tap import tap
from datainf.core.adapter import Adapter
from datainf.core.errors import AdapterError, DatainfWarning
from datainf.core.task import Example, Task


class CaptureSession:
    """Scope in which per-example gradients of one adapter can be taken.

    Attributes:
        coverage: Block name -> `"rule Linear"` or `"looped"`.
    """

    def __init__(self, model: nn.Module, adapter: Adapter, task: Task) -> None:
        """Prepare; nothing is changed on the model before the scope is entered.

        Args:
            model: Any module; for a PEFT model the outermost one.
            adapter: Which of its parameters to collect.
            task: Gives the losses.

        Raises:
            AdapterError: If the adapter has nothing to collect or is another model's.
        """
        if not adapter.parameters:
            raise AdapterError(
                f"adapter {adapter.name!r} has no trained parameter in this model; "
                "check the adapter's target_modules and its name."
            )
        self._model, self._adapter, self._task = model, adapter, task
        self._stack = ExitStack()
        self._anchor = torch.zeros(1, requires_grad=True)
        self._sums: dict[str, Tensor] = {}
        self._expected = 0
        self._active = self._in_backward = self._recomputed = self._entered = False
        self._owners = _owners(model, adapter)
        strangers = [n for n, owners in self._owners.items() if not owners]
        if strangers:
            raise AdapterError(
                f"{strangers[0]} and {len(strangers) - 1} other parameters are not in "
                "this model; find the adapter in the very model that is given."
            )
        self.coverage = {
            trained.block.name: _path(self._owners[trained.block.name])
            for trained in adapter.parameters
        }

    def __enter__(self) -> "CaptureSession":
        """Switch the adapter on, freeze the model, put the hooks in.

        Returns:
            The session.

        Raises:
            RuntimeError: If it is entered already.
        """
        if self._entered:
            raise RuntimeError("this capture session is entered already; make another.")
        with ExitStack() as stack:
            stack.enter_context(quiet(self._model))
            stack.enter_context(self._adapter.activated())
            # Switching an adapter on may unfreeze it and change modes; freeze again.
            stack.enter_context(quiet(self._model))
            self._checkpoints = checkpoints(self._model)
            embeddings = _input_embeddings(self._model) if self._checkpoints else None
            if embeddings is not None:
                handle = embeddings.register_forward_hook(self._begin_graph)
                stack.callback(handle.remove)
            hooked: dict[nn.Module, dict[str, str]] = {}
            for block, owners in self._owners.items():
                for module, attribute in owners:
                    hooked.setdefault(module, {})[attribute] = block
            for module, blocks in hooked.items():
                if type(module) in RULES:
                    hook = self._hook(module, blocks)
                    handle = module.register_forward_hook(hook, with_kwargs=True)
                    stack.callback(handle.remove)
            self._stack = stack.pop_all()
        self._entered = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Undo everything, whatever happened."""
        self._sums.clear()
        self._entered = False
        self._stack.__exit__(kind, error, trace)

    def gradients(
        self, batch: Mapping[str, Any]
    ) -> tuple[dict[str, Float[Tensor, "B _"]], Float[Tensor, " B"]]:
        """Differentiate every example's loss by every collected parameter.

        Args:
            batch: What the task's `collate` made.

        Returns:
            Block -> `[B, d]` in the layout's order (float32; float64 for a float64
            model), and the losses `[B]`. Both on the CPU.

        Raises:
            AdapterError: If a parameter took no part in the forward pass.
        """
        self._require_entered()
        batch = _to(batch, self._device)
        losses = self._pass(batch)
        found = {name: total.flatten(1) for name, total in self._sums.items()}
        self._sums = {}
        looped = [
            trained
            for trained in self._adapter.parameters
            if self.coverage[trained.block.name] == "looped"
        ]
        if looped:
            rows = looped_gradients(
                self._model, batch, self._task.losses, [t.parameter for t in looped]
            )
            for trained, row in zip(looped, rows, strict=True):
                found[trained.block.name] = _wide(row.flatten(1))
        for trained in self._adapter.parameters:
            if trained.block.name not in found:
                raise AdapterError(
                    f"{trained.path} took no part in the forward pass, so it has no "
                    "gradient; is the adapter merged or switched off?"
                )
        names = self._adapter.layout.names
        return {name: found[name].cpu() for name in names}, losses.cpu()

    def probe(self, examples: Sequence[Example]) -> None:
        """Compare the rules with autograd on a few examples; loop what does not agree.

        Args:
            examples: Two examples of different lengths, if there are; one does.

        Raises:
            AdapterError: If a parameter takes no part in the losses, or a loss depends
                on padding.
        """
        self._require_entered()
        losses, trained = self._task.losses, self._adapter.parameters
        batch = _to(self._task.collate(examples), self._device)
        tolerance = tolerance_for(self._model)
        idle = unused(self._model, batch, losses, trained)
        if idle:
            raise AdapterError(
                f"{idle[0].path} and {len(idle) - 1} other parameters take no part in "
                f"the losses, so they have no gradient; is adapter "
                f"{self._adapter.name!r} merged or switched off?"
            )
        refuse_coupling(self._model, batch, losses, tolerance)
        self._pass(batch, lenient=True)
        found, self._sums = self._sums, {}
        truth = [
            _wide(rows)
            for rows in looped_gradients(
                self._model, batch, losses, [t.parameter for t in trained]
            )
        ]
        refuse_nonfinite(trained, truth)
        if len(examples) > 1:
            singles = [_to(self._task.collate([e]), self._device) for e in examples]
            refuse_padding(self._model, singles, losses, trained, truth, tolerance)
        largest = max(float(right.norm()) for right in truth)
        for parameter, right in zip(trained, truth, strict=True):
            name = parameter.block.name
            if name not in found or not agree(
                found[name], right, tolerance, largest=largest
            ):
                self.coverage[name] = "looped"
        self._warn_looped()
        if self._checkpoints and not self._recomputed:
            warnings.warn(
                "gradient checkpointing is switched on but no layer was computed "
                "again: it saves no memory here.",
                DatainfWarning,
                stacklevel=2,
            )

    def _warn_looped(self) -> None:
        looped = [name for name, path in self.coverage.items() if path == "looped"]
        if looped:
            shown = ", ".join(looped[:5]) + (", ..." if len(looped) > 5 else "")
            warnings.warn(
                f"{len(looped)} of {len(self.coverage)} blocks have no rule and take "
                f"the looped path, one backward pass an example: {shown}.",
                DatainfWarning,
                stacklevel=3,
            )

    @property
    def _device(self) -> torch.device:
        embeddings = _input_embeddings(self._model)
        source = embeddings if embeddings is not None else self._model
        return next((p.device for p in source.parameters()), torch.device("cpu"))

    def _pass(self, batch: Mapping[str, Any], *, lenient: bool = False) -> Tensor:
        """Run the forward and backward pass that fills the sums."""
        self._sums, self._expected, self._lenient = {}, batch_size(batch), lenient
        self._active = True
        try:
            with torch.inference_mode(False), torch.enable_grad():
                losses = self._task.losses(self._model, batch)
                if losses.shape != (self._expected,):
                    raise AdapterError(
                        f"the task's losses have shape {list(losses.shape)}, expected "
                        f"one number an example: [{self._expected}]."
                    )
                if losses.requires_grad:
                    self._in_backward = True
                    losses.sum().backward()  # type: ignore[no-untyped-call]
        except BaseException:
            # What a failed pass has summed would hold memory that is needed now.
            self._sums = {}
            raise
        finally:
            self._active = self._in_backward = False
            self._anchor.grad = None
        return losses.detach()

    def _require_entered(self) -> None:
        """Refuse work outside the scope, where the model is not frozen or hooked."""
        if not self._entered:
            raise RuntimeError("enter the capture session first: `with session: ...`.")

    def _begin_graph(
        self,
        module: nn.Module,  # noqa: ARG002 - a forward hook's signature
        args: tuple[Any, ...],  # noqa: ARG002
        output: Tensor,
    ) -> Tensor | None:
        """Let checkpointed layers see an input that requires a gradient."""
        if output.requires_grad or not torch.is_grad_enabled():
            return None
        return output.detach().requires_grad_(True)

    def _hook(self, module: nn.Module, blocks: Mapping[str, str]) -> Any:
        rule = RULES[type(module)]

        def sink(inputs: Tensor, grad_output: Tensor) -> None:
            wanted = {a: b for a, b in blocks.items() if self.coverage[b] != "looped"}
            if len(inputs) != self._expected or len(grad_output) != self._expected:
                self._refuse(wanted, inputs)
                return
            # The backward pass may run under the caller's autocast; sums stay exact.
            with torch.autocast(inputs.device.type, enabled=False):
                found = rule(_wide(inputs), _wide(grad_output))
            for attribute, gradient in found.items():
                name = wanted.get(attribute)
                if name is not None:
                    before = self._sums.get(name)
                    self._sums[name] = gradient if before is None else before + gradient

        def hook(
            _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Tensor
        ) -> Tensor | None:
            if self._in_backward:
                self._recomputed = True
            if not self._active:
                return None
            inputs = args[0] if args else kwargs["input"]
            return tap(output, inputs, self._anchor_on(output), sink)

        return hook

    def _refuse(self, blocks: Mapping[str, str], inputs: Tensor) -> None:
        """Say that a layer lost the batch dimension; the probe loops it instead."""
        if not self._lenient and blocks:
            raise AdapterError(
                f"{', '.join(blocks.values())} was called with an input of shape "
                f"{list(inputs.shape)} for a batch of {self._expected}: its examples "
                "cannot be told apart."
            )

    def _anchor_on(self, output: Tensor) -> Tensor:
        if self._anchor.device != output.device:
            self._anchor = torch.zeros(1, requires_grad=True, device=output.device)
        return self._anchor


def _owners(
    model: nn.Module, adapter: Adapter
) -> dict[str, list[tuple[nn.Module, str]]]:
    """Find every module that holds each collected parameter; tied ones have several."""
    names = {id(t.parameter): t.block.name for t in adapter.parameters}
    owners: dict[str, list[tuple[nn.Module, str]]] = {n: [] for n in names.values()}
    for module in model.modules():
        for attribute, parameter in module.named_parameters(
            recurse=False, remove_duplicate=False
        ):
            if id(parameter) in names:
                owners[names[id(parameter)]].append((module, attribute))
    return owners


def _path(owners: list[tuple[nn.Module, str]]) -> str:
    """Name how a parameter is collected, from the modules that hold it."""
    kinds = {type(module) for module, _ in owners}
    if kinds and kinds <= RULES.keys():
        return "rule " + " and ".join(sorted(kind.__name__ for kind in kinds))
    return "looped"


def _wide(tensor: Tensor) -> Tensor:
    """Detach, in at least float32, so that sums over tokens keep their digits."""
    return tensor.detach().to(torch.promote_types(tensor.dtype, torch.float32))


def _input_embeddings(model: nn.Module) -> nn.Module | None:
    find = getattr(model, "get_input_embeddings", None)
    try:
        found = find() if callable(find) else None
    except (AttributeError, NotImplementedError):
        return None
    return found if isinstance(found, nn.Module) else None


def _to(batch: Mapping[str, Any], device: torch.device) -> dict[str, Any]:
    moved = {
        key: value.to(device) if isinstance(value, Tensor) else value
        for key, value in batch.items()
    }
    with torch.inference_mode(False):  # inference tensors cannot be saved for backward
        return {
            key: value.clone()
            if isinstance(value, Tensor) and value.is_inference()
            else value
            for key, value in moved.items()
        }
