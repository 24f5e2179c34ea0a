"""The capture session: hooks in, per-example gradients out, hooks out again.

One forward and one backward pass of a batch give every parameter with a rule;
parameters without one take the looped path, named in a warning. A probe compares the
rules with autograd before they are believed, so a layer that is used in an unforeseen
way (called with the batch folded into the tokens, its weight read directly) is looped
instead of quietly wrong.

B examples of a batch, d parameters of a block.
"""

import re
import warnings
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from datainf.capture.devices import device_of, input_embeddings, moved
from datainf.capture.factors import lost, unfactored
from datainf.capture.fused import fused_layers
from datainf.capture.looped import looped_gradients, unused
from datainf.capture.parts import added, batch_size, cut_of
from datainf.capture.probe import (
    agree,
    refuse_coupling,
    refuse_nonfinite,
    refuse_padding,
    tolerance_for,
)
from datainf.capture.projector import Projector
from datainf.capture.readers import paths_of, readers_of
from datainf.capture.recorder import Recorder
from datainf.capture.scaling import scale_for, wide
from datainf.capture.scope import checkpoints, quiet, unpack
from datainf.core.adapter import Adapter, TrainedParameter
from datainf.core.errors import AdapterError, DatainfWarning
from datainf.core.factors import FactorSums
from datainf.core.side_projection import SideProjection
from datainf.core.task import Example, RepeatingTask, Task

LOOPED = "looped"


class CaptureSession:
    """Scope in which per-example gradients of one adapter can be taken.

    Attributes:
        coverage: Block name -> `"rule Linear"` or `"looped"`.
    """

    def __init__(
        self,
        model: nn.Module,
        adapter: Adapter,
        task: Task,
        projection: SideProjection | None = None,
    ) -> None:
        """Prepare; nothing is changed on the model before the scope is entered.

        Args:
            model: Any module; for a PEFT model the outermost one.
            adapter: Which of its parameters to collect.
            task: Gives the losses.
            projection: How gradients are projected; None leaves them whole.

        Raises:
            AdapterError: If the adapter has nothing to collect or is another model's.
        """
        if not adapter.parameters:
            raise AdapterError(
                f"adapter {adapter.name!r} has no trained parameter in this model; "
                "check the adapter's target_modules and its name."
            )
        self._model, self._adapter, self._task = model, adapter, task
        self._cut = cut_of(task)
        self._stack = ExitStack()
        self._entered = self._told_lost = False
        self._lost: set[str] = set()
        self._readers = readers_of(model, adapter)
        held = {block for reader in self._readers for block in reader.names}
        strangers = [n for n in adapter.layout.names if n not in held]
        if strangers:
            raise AdapterError(
                f"{strangers[0]} and {len(strangers) - 1} other parameters are not in "
                "this model; find the adapter in the very model that is given."
            )
        self.coverage = paths_of(self._readers, adapter.layout.names)
        self._layout = adapter.layout.projected(projection)
        self._projector = Projector(adapter.layout, projection)
        self._recorder = Recorder(
            lambda block: self.coverage[block] != LOOPED,
            projector=self._projector,
            rows_together=isinstance(task, RepeatingTask) and task.rows_together,
            scale=scale_for(model),
        )

    def __enter__(self) -> "CaptureSession":
        """Switch the adapter on, freeze the model, put the hooks in.

        Returns:
            The session.

        Raises:
            RuntimeError: If it is entered already.
        """
        if self._entered:
            raise RuntimeError("this capture session is entered already; make another.")
        unpack(self._model)
        with ExitStack() as stack:
            stack.enter_context(quiet(self._model))
            stack.enter_context(self._adapter.activated())
            # Switching an adapter on may unfreeze it and change modes; freeze again.
            stack.enter_context(quiet(self._model))
            self._checkpoints = checkpoints(self._model)
            embeddings = input_embeddings(self._model) if self._checkpoints else None
            if embeddings is not None:
                handle = embeddings.register_forward_hook(self._begin_graph)
                stack.callback(handle.remove)
            fused = fused_layers(self._adapter.low_rank, self._readers)
            stack.enter_context(self._recorder.attached(self._readers, fused))
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
        self._recorder.sums.clear()
        self._entered = False
        self._stack.__exit__(kind, error, trace)

    def gradients(
        self, batch: Mapping[str, Any], factors: FactorSums | None = None
    ) -> tuple[dict[str, Float[Tensor, "B _"]], Float[Tensor, " B"]]:
        """Differentiate every example's loss by every collected parameter.

        Args:
            batch: What the task's `collate` made.
            factors: Gets the batch's Kronecker sums, once all went well.

        Returns:
            Block -> `[B, d]` in the layout's order, projected where asked (float32;
            float64 for a float64 model), and the losses `[B]`. Both on the CPU.

        Raises:
            AdapterError: If a parameter took no part in the forward pass.
        """
        self._require_entered()
        batch = moved(batch, device_of(self._model))
        found, losses = self._passes(batch, factors)
        looped = [t for t in self._adapter.parameters if t.block.name not in found]
        self._require_part(looped, found)
        rows = looped_gradients(
            self._model,
            batch,
            self._task.losses,
            [t.parameter for t in looped],
            self._cut,
        )
        for trained, row in zip(looped, rows, strict=True):
            name = trained.block.name
            found[name] = self._projector.finished(name, wide(row)).flatten(1)
        names = self._adapter.layout.names
        return {name: found[name].cpu() for name in names}, losses.cpu()

    def _require_part(
        self, looped: Sequence[TrainedParameter], found: Mapping[str, Tensor]
    ) -> None:
        """Refuse blocks that were not called, unless routing may have left them out."""
        lost = self._lost
        known = {n for n, path in self.coverage.items() if path == LOOPED} | lost
        families = {_family(name) for name in (*found, *known)}
        for trained in looped:
            if _family(trained.block.name) not in families:
                raise AdapterError(
                    f"{trained.path} took no part in the forward pass, so it has no "
                    "gradient; is the adapter merged or switched off?"
                )
        if lost and not self._told_lost:
            self._told_lost = True
            warnings.warn(
                f"{sorted(lost)[0]} and {len(lost) - 1} other blocks were called with "
                "an input whose examples cannot be told apart; in such batches they "
                "take the looped path, one backward pass an example.",
                DatainfWarning,
                stacklevel=3,
            )

    def probe(self, examples: Sequence[Example]) -> None:
        """Compare the rules with autograd on a few examples; loop what does not agree.

        Args:
            examples: Two examples of different lengths, if there are; one does.

        Raises:
            AdapterError: If a parameter takes no part in the losses, or a loss depends
                on padding.
        """
        self._require_entered()
        losses, trained, cut = self._task.losses, self._adapter.parameters, self._cut
        device = device_of(self._model)
        batch = moved(self._task.collate(examples), device)
        idle = unused(self._model, batch, losses, trained, cut)
        # Asked after the first pass: only the layers know of autocast inside forward,
        # which a Trainer with bf16=True leaves on its model.
        tolerance = tolerance_for(self._model, autocast=self._recorder.autocast)
        active = {_family(t.block.name) for t in trained if t not in idle}
        # An expert may get no token here and one later: others of its kind do now.
        merged = [t for t in idle if _family(t.block.name) not in active]
        if merged:
            raise AdapterError(
                f"{merged[0].path} and {len(merged) - 1} other parameters take no part "
                f"in the losses, so they have no gradient; is adapter "
                f"{self._adapter.name!r} merged or switched off?"
            )
        refuse_coupling(self._model, batch, losses, tolerance, cut)
        found, _ = self._passes(batch)
        truth = [
            wide(rows)
            for rows in looped_gradients(
                self._model, batch, losses, [t.parameter for t in trained], cut
            )
        ]
        refuse_nonfinite(trained, truth)
        if len(examples) > 1:
            singles = [moved(self._task.collate([e]), device) for e in examples]
            refuse_padding(self._model, singles, losses, trained, truth, tolerance, cut)
        largest = max(float(right.norm()) for right in truth)
        for parameter, right in zip(trained, truth, strict=True):
            name = parameter.block.name
            stored = self._projector.finished(name, right).flatten(1)
            if name not in found or not agree(
                found[name], stored, tolerance, largest=largest
            ):
                self.coverage[name] = LOOPED
        self._warn_looped()
        if self._checkpoints and not self._recorder.recomputed:
            warnings.warn(
                "gradient checkpointing is switched on but no layer was computed "
                "again: it saves no memory here.",
                DatainfWarning,
                stacklevel=2,
            )

    def _warn_looped(self) -> None:
        looped = [name for name, path in self.coverage.items() if path == LOOPED]
        if looped:
            shown = ", ".join(looped[:5]) + (", ..." if len(looped) > 5 else "")
            warnings.warn(
                f"{len(looped)} of {len(self.coverage)} blocks have no rule and take "
                f"the looped path, one backward pass an example: {shown}.",
                DatainfWarning,
                stacklevel=3,
            )

    @property
    def unfactored(self) -> dict[str, str]:
        """Blocks that have no Kronecker factors, each with the reason."""
        looped = [name for name, path in self.coverage.items() if path == LOOPED]
        return unfactored(self._readers, self._layout, looped)

    def _passes(
        self, batch: Mapping[str, Any], factors: FactorSums | None = None
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Run a batch part by part, adding up by row what the rules find."""
        found: dict[str, Tensor] = {}
        losses: Tensor | None = None
        gathered, self._lost = FactorSums(), set()
        examples = batch_size(batch)
        for rows, part in self._cut(batch):
            one = self._recorder.run(
                partial(self._task.losses, self._model, part),
                batch_size(part),
                () if factors is None else {*self.coverage} - {*factors.missing},
                self._mask(part),
            )
            losses = added(losses, rows, one, examples)
            for name in [*self._recorder.sums]:
                flat = self._recorder.sums.pop(name).flatten(1)
                found[name] = added(found.get(name), rows, flat, examples)
            gathered.add(self._recorder.factors.blocks)
            self._recorder.factors = FactorSums()
            self._lost |= self._recorder.lost
        if losses is None:
            raise ValueError("a batch was cut into no parts.")
        for name in self._lost:
            found.pop(name, None)
        if factors is not None:
            factors.leave_out(lost(sorted(self._lost)))
            factors.add(gathered.blocks)
        return found, losses

    def _mask(self, batch: Mapping[str, Any]) -> Tensor | None:
        """Give the attention mask where every layer is called with its tokens."""
        config, adapter = (
            getattr(self._model, name, None)
            for name in ("config", "active_peft_config")
        )
        if getattr(config, "is_encoder_decoder", False) or getattr(
            adapter, "is_prompt_learning", False
        ):
            return None
        mask: Tensor | None = batch.get("attention_mask")
        return mask

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


def _family(block: str) -> str:
    """Name a block's kind: the same tensor of other layers and experts has it too."""
    return re.sub(r"\d+", "#", block)
