"""The recorder: one forward and backward pass, in which the readers' calls are summed.

Each reader's call is tapped: during the backward pass its inputs and output gradient
give the per-example gradients of what it reads, by a rule or by a replay. Calls of one
reader, and readers of one parameter, add up. So do the rows of one example, where the
task says that they lie together. A call whose examples cannot be told apart (an expert
gets tokens, not examples) loses its blocks for that batch.

B examples, R rows of each in one call, d parameters of a block.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from datainf.capture.factors import token_sums
from datainf.capture.fused import Fused
from datainf.capture.projector import Projector
from datainf.capture.readers import Reader
from datainf.capture.registry import OUTER_PRODUCTS, RULES
from datainf.capture.replay import Call, Key, Replay, tensors_of
from datainf.capture.rows import Weighted, rows_are_examples, weighted
from datainf.capture.scaling import scaled, unscaled, wide
from datainf.capture.tap import Sink, tap
from datainf.core.errors import AdapterError
from datainf.core.factors import FactorSums


class Recorder:
    """Sums per-example gradients over the calls of one pass.

    Attributes:
        sums: Block name -> `[B, *shape]` of the last pass.
        lost: Blocks of that pass whose examples could not be told apart.
        factors: Kronecker sums of that pass, where asked for.
        recomputed: Whether a layer has run again for gradient checkpointing.
        autocast: Whether a layer has run under autocast, whoever asked for it.
    """

    def __init__(
        self,
        wanted: Callable[[str], bool],
        *,
        projector: Projector | None = None,
        rows_together: bool = False,
        scale: float = 1.0,
    ) -> None:
        """Begin with nothing.

        Args:
            wanted: Whether a block's gradient is to be taken from its readers' calls.
            projector: Brings gradients to their stored shape; None leaves them whole.
            rows_together: Whether R · B rows are R of the first example, R of the
                next, and so on; if not, calls with other than B rows are lost.
            scale: What losses are multiplied with on the way back (`scaling.py`).
        """
        self.sums: dict[str, Tensor] = {}
        self.lost: set[str] = set()
        self.factors = FactorSums()
        self._factored: Collection[str] = ()
        self._mask: Tensor | None = None
        self.recomputed = self.autocast = False
        self._wanted, self._rows_together = wanted, rows_together
        self._scale, self._projector = scale, projector or Projector()
        self._expected = 0
        self._anchor = torch.zeros(1, requires_grad=True)
        # What the model's running now means: nothing, a forward pass, the check of the
        # rows, the backward pass, a replay of one module.
        self._phase = "idle"
        # Outputs whose rows are in question, and their gradients under weights.
        self._unsure: list[Tensor] = []
        self._weighted: list[list[Weighted]] = []

    def attached(
        self, readers: Sequence[Reader], fused: Sequence[Fused] = ()
    ) -> AbstractContextManager[object]:
        """Put a hook on each reader; leaving the scope takes them out.

        Args:
            readers: Who reads the collected parameters.
            fused: Layers that run as one product in passes of this recorder.

        Returns:
            The scope.
        """
        with ExitStack() as stack:
            for layer in fused:
                module = layer.layer.module
                module.forward = self._as_one(layer, module.forward)
                stack.callback(delattr, module, "forward")
            for reader in readers:
                handle = reader.module.register_forward_hook(
                    self._hook(reader), with_kwargs=True
                )
                stack.callback(handle.remove)
            return stack.pop_all()

    def run(
        self,
        losses_of: Callable[[], Tensor],
        examples: int,
        factored: Collection[str] = (),
        mask: Tensor | None = None,
    ) -> Float[Tensor, " B"]:
        """Run the forward and backward pass that fills `sums` and `lost`.

        Args:
            losses_of: Runs the model and gives the losses.
            examples: B.
            factored: Blocks whose Kronecker sums are to be taken too.
            mask: The batch's attention mask, for those sums.

        Returns:
            The losses, without their graph.

        Raises:
            AdapterError: If there is not one loss an example.
        """
        self.sums, self.lost = {}, set()
        self.factors, self._factored, self._mask = FactorSums(), factored, mask
        self._expected, self._phase = examples, "forward"
        try:
            with torch.inference_mode(False), torch.enable_grad():
                losses = losses_of()
                if losses.shape != (examples,):
                    raise AdapterError(
                        f"the task's losses have shape {list(losses.shape)}, expected "
                        f"one number an example: [{examples}]."
                    )
                if losses.requires_grad:
                    self._phase = "check"
                    larger = scaled(losses, self._scale)
                    self._weighted = weighted(larger, self._unsure)
                    self._phase = "backward"
                    larger.sum().backward()  # type: ignore[no-untyped-call]
        except BaseException:
            # What a failed pass has summed would hold memory that is needed now.
            self.sums, self.factors = {}, FactorSums()
            raise
        finally:
            self._phase, self._mask = "idle", None
            self._unsure, self._weighted = [], []
            self._anchor.grad = None
        for block in self.lost:
            self.sums.pop(block, None)
        return losses.detach()

    def _hook(self, reader: Reader) -> Any:
        replay = Replay(reader.module)

        def hook(
            _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: object
        ) -> Tensor | None:
            if isinstance(output, Tensor):
                self.autocast |= torch.is_autocast_enabled(output.device.type)
            if self._phase in {"idle", "replay"} or not torch.is_grad_enabled():
                return None
            self.recomputed |= self._phase != "forward"
            blocks = self._of(reader)
            if not blocks:
                return None
            tensors = tensors_of(args, kwargs)
            if not isinstance(output, Tensor) or not tensors:
                self.lost.update(blocks)
                return None
            call, cast = _without_tensors(args, kwargs), _autocast_of(output)

            def take(saved: tuple[Tensor, ...], grad_output: Tensor) -> None:
                kept = [block for block in blocks if block not in self.lost]
                self._by_rule(reader, kept, saved[0], grad_output)
                folded = map(self._by_example, saved)
                inputs = dict(zip(tensors, folded, strict=True))
                g = self._by_example(grad_output)
                with cast:
                    self._by_replay(reader, replay, kept, call, inputs, g)

            return self._tapped(output, list(tensors.values()), blocks, take)

        return hook

    def _as_one(self, fused: Fused, forward: Any) -> Any:
        def run(x: Tensor, *args: Any, **kwargs: Any) -> Any:
            if (
                self._phase in {"idle", "replay"}
                or not torch.is_grad_enabled()
                or args
                or kwargs
                or not fused.runs(x)
            ):
                return forward(x, *args, **kwargs)
            self.recomputed |= self._phase != "forward"
            blocks = [*self._of(fused.a), *self._of(fused.b)]
            if not blocks:
                return forward(x)

            def take(saved: tuple[Tensor, ...], grad_output: Tensor) -> None:
                for reader, inputs, g in fused.shown(saved[0], grad_output):
                    kept = [b for b in self._of(reader) if b not in self.lost]
                    self._by_rule(reader, kept, inputs, g)

            return self._tapped(fused(x), [x], blocks, take)

        return run

    def _of(self, reader: Reader) -> list[str]:
        """List the reader's blocks that are wanted."""
        return [block for block in reader.names if self._wanted(block)]

    def _tapped(
        self, output: Tensor, inputs: list[Tensor], blocks: list[str], take: Sink
    ) -> Tensor:
        """Take gradients of a call in the backward pass, if its examples are apart."""
        apart = all(map(self._has_rows, (*inputs, output)))
        # Without a token dimension, rows are examples or whatever was routed here.
        unsure = apart and output.ndim < 3
        # Reentrant checkpointing hides such a call until the check is over.
        apart = apart and not (unsure and self._phase == "backward")
        asked = unsure and self._phase == "forward"
        number = len(self._unsure)

        def sink(saved: tuple[Tensor, ...], grad_output: Tensor) -> None:
            if self._phase != "backward":
                return
            if not apart or (
                asked and not rows_are_examples(grad_output, self._weighted[number])
            ):
                # Only here: what gets no gradient does not matter (DoRA calls its A
                # and B on an identity matrix).
                self.lost.update(blocks)
                return
            take(saved, grad_output)

        tapped = tap(output, inputs, self._anchor_on(output), sink)
        if asked:
            self._unsure.append(tapped)
        return tapped

    def _by_rule(
        self, reader: Reader, blocks: list[str], inputs: Tensor, grad_output: Tensor
    ) -> None:
        ruled = [block for block in blocks if reader.by_rule(block)]
        if not ruled:
            return
        x, g = _wide(inputs), unscaled(grad_output, self._scale)
        # The backward pass may run under the caller's autocast; sums stay exact.
        with torch.autocast(g.device.type, enabled=False):
            for block in ruled:
                rule = RULES[type(reader.module)][reader.names[block]]
                outer = rule in OUTER_PRODUCTS
                pair = self._projector.factors(block, x, g) if outer else (x, g)
                found = rule(reader.module, *map(self._by_example, pair))
                self._sum(
                    block, found if outer else self._projector.finished(block, found)
                )
                if block in self._factored and (sums := token_sums(*pair, self._mask)):
                    self.factors.add({block: sums})

    def _by_replay(
        self,
        reader: Reader,
        replay: Replay,
        blocks: list[str],
        call: Call,
        inputs: Mapping[Key, Tensor],
        grad_output: Tensor,
    ) -> None:
        names = {reader.names[b]: b for b in blocks if not reader.by_rule(b)}
        if not names:
            return
        parameters = {name: reader.module.get_parameter(name) for name in names}
        self._phase = "replay"
        try:
            found = replay.gradients(parameters, call, inputs, grad_output)
        finally:
            self._phase = "backward"
        for name, gradient in found.items():
            whole = unscaled(gradient, self._scale)
            self._sum(names[name], self._projector.finished(names[name], whole))

    def _has_rows(self, part: Tensor) -> bool:
        """Tell whether a tensor may hold the examples in its first dimension."""
        if not part.ndim or not self._rows_together:
            return part.ndim > 0 and len(part) == self._expected
        return len(part) > 0 and len(part) % self._expected == 0

    def _by_example(self, rows: Shaped[Tensor, "RB ..."]) -> Shaped[Tensor, "B R ..."]:
        return rows.reshape(
            self._expected, len(rows) // self._expected, *rows.shape[1:]
        )

    def _sum(self, block: str, gradient: Tensor) -> None:
        before = self.sums.get(block)
        self.sums[block] = gradient if before is None else before + gradient

    def _anchor_on(self, output: Tensor) -> Tensor:
        if self._anchor.device != output.device:
            self._anchor = torch.zeros(1, requires_grad=True, device=output.device)
        return self._anchor


def _wide(tensor: Tensor) -> Tensor:
    """Detach, in at least float32, so that sums over tokens keep their digits."""
    if not tensor.is_floating_point():
        return tensor.detach()  # an embedding's indices
    return wide(tensor.detach())


def _without_tensors(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call:
    """Keep a call without its tensors, which the tap saves as autograd does."""
    return (
        tuple(None if isinstance(value, Tensor) else value for value in args),
        {k: None if isinstance(v, Tensor) else v for k, v in kwargs.items()},
    )


def _autocast_of(output: Tensor) -> AbstractContextManager[object]:
    """Remember the number format of now: backward threads do not know it."""
    kind = output.device.type
    return torch.autocast(
        kind,
        dtype=torch.get_autocast_dtype(kind),
        enabled=torch.is_autocast_enabled(kind),
    )
