"""Checkpoint: gradients of the same rows at one state of the adapter in its training.

Methods that follow training (`tracin`, `less`) take several; any method can be averaged
over several. N training rows, Q queries, d parameters of a block.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from datainf.core.errors import OptionError, StoreError
from datainf.core.identity import Identity
from datainf.core.layout import Layout
from datainf.core.source import GradientSource


@dataclass(frozen=True, eq=False)
class Moments:
    """What Adam remembers of the gradients up to a checkpoint.

    Attributes:
        first: Block -> m `[d]`, the running mean of its gradient (`exp_avg`).
        second: Block -> v `[d]`, that of its squares (`exp_avg_sq`).
        steps: Block -> steps taken, t; 0 with m = v = 0 before training.
        betas: β₁ and β₂, the weights of the past in m and v.
        eps: ε, added to √v.
    """

    first: Mapping[str, Float[Tensor, " _"]]
    second: Mapping[str, Float[Tensor, " _"]]
    steps: Mapping[str, int]
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8

    def require_fitting(self, layout: Layout) -> None:
        """Refuse moments of other tensors than a source's.

        Args:
            layout: The source's.

        Raises:
            StoreError: If a block has none, or of another size.
        """
        for name, size in layout.sizes.items():
            for said, found in (("first", self.first), ("second", self.second)):
                if name not in found or name not in self.steps:
                    raise StoreError(
                        f"the optimizer's moments hold nothing of block {name}; give "
                        "those of the training that made this adapter."
                    )
                if found[name].numel() != size:
                    raise StoreError(
                        f"the {said} moment of block {name} has "
                        f"{found[name].numel()} numbers, its gradients {size}; give "
                        "the moments of the training that made this adapter."
                    )


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """One state of the adapter, seen through gradients.

    Attributes:
        train: Gradients of the training rows there.
        queries: Gradients of the queries there.
        weight: What its scores count; for `tracin` and `less` the learning rate there.
        curvature: Gradients that the curvature is made of; `train` when None.
        moments: Adam's moments there, which `less` needs.
        name: For messages, such as "checkpoint-500".
    """

    train: GradientSource
    queries: GradientSource
    weight: float = 1.0
    curvature: GradientSource | None = None
    moments: Moments | None = None
    name: str = ""


def require_alike(checkpoints: Sequence[Checkpoint]) -> None:
    """Refuse checkpoints that are not of the same rows, tensors and task.

    Args:
        checkpoints: At least one; their adapters differ, of course.

    Raises:
        OptionError: If there is none, or a weight is negative.
        StoreError: If they differ; says which one and in what.
    """
    if not checkpoints:
        raise OptionError("no checkpoint came; give at least one.")
    for number, checkpoint in enumerate(checkpoints):
        name = name_of(checkpoint, number)
        # NaN fails this comparison too
        if not 0 <= checkpoint.weight < float("inf"):
            raise OptionError(
                f"the weight of {name} must be a number of at least 0, got "
                f"{checkpoint.weight!r}."
            )
        _require_rows(checkpoints[0], checkpoint, name_of(checkpoints[0], 0), name)


def name_of(checkpoint: Checkpoint, number: int) -> str:
    """Name a checkpoint for people, by its place where it has no name.

    Args:
        checkpoint: The checkpoint.
        number: Its place in the list, from 0.

    Returns:
        As in "checkpoint-500" or "checkpoint 0".
    """
    return checkpoint.name or f"checkpoint {number}"


def _require_rows(first: Checkpoint, other: Checkpoint, mine: str, theirs: str) -> None:
    """Compare the sources of two checkpoints, one by one."""
    for what in ("train", "queries"):
        a, b = getattr(first, what), getattr(other, what)
        said = f"{what} of {mine}", f"{what} of {theirs}"
        a.layout.require_same(b.layout, *said)
        if len(a) != len(b):
            raise StoreError(
                f"{said[0]} holds {len(a)} rows and {said[1]} {len(b)}; collect the "
                "same rows at every checkpoint."
            )
        if _kept(a) != _kept(b):
            raise StoreError(
                f"{said[0]} and {said[1]} leave out different rows; leave the same out "
                "of the data, and collect again."
            )
        found = _differences(a, b)
        if found:
            raise StoreError(
                f"{said[0]} and {said[1]} do not belong together: {'; '.join(found)}; "
                "collect the same rows in the same way at every checkpoint."
            )


def _kept(source: GradientSource) -> list[int] | None:
    """Give which rows of the data a source holds, where it says so."""
    index = getattr(source, "index", None)
    return None if index is None else [int(row) for row in index]


def _differences(a: GradientSource, b: GradientSource) -> list[str]:
    """Say what differs besides the adapter; nothing where one has no identity."""
    mine, theirs = getattr(a, "identity", None), getattr(b, "identity", None)
    if not isinstance(mine, Identity) or not isinstance(theirs, Identity):
        return []
    return [said for said in mine.differences(theirs) if said != "another adapter"]
