"""Random gradients of a small layout, with its groups written out by hand.

N=7 training rows, Q=3 queries; blocks of 5, 3, 2, 11 and 1 parameters, so that
groups lie on both sides of N. Blocks of a prime size are columns or rows to `ekfac`,
whose factors are random too; `score.bias` has none.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datainf.core.checkpoint import Checkpoint, Moments
from datainf.core.factors import Factors
from datainf.core.layout import Layout
from datainf.core.records import Scores
from datainf.core.source import RowBlock
from datainf.estimators.table import METHODS, build
from datainf.linalg.projection import sign_slabs
from datainf.store.memory import InMemorySource

N, Q = 7, 3
SIZES = {
    "h.0.q.lora_A.weight": 5,
    "h.0.q.lora_B.weight": 3,
    "h.0.v.lora_A.weight": 2,
    "h.1.q.lora_A.weight": 11,
    "score.bias": 1,
}
# With what a method that iterates is its limit, to rounding; damped so much that the
# recursion ends after tens of steps instead of a thousand.
CONVERGED: dict[str, dict[str, Any]] = {
    "cg": {"options": {"tolerance": 1e-13}},
    "lissa": {"options": {"steps": 300, "tolerance": 1e-12}, "damping": 3.0},
}


def damping_of(method: str) -> float:
    """The damping that `CONVERGED` gives a method, or its default."""
    return CONVERGED.get(method, {}).get("damping", 0.1)


_QA, _QB, _VA, _1A, _BIAS = SIZES
GROUPS = {
    "tensor": [[name] for name in SIZES],
    "module": [[_QA, _QB], [_VA], [_1A], [_BIAS]],
    "layer": [[_QA, _QB, _VA], [_1A], [_BIAS]],
    "all": [list(SIZES)],
}

GROUPING = [name for name in METHODS if not METHODS[name].cls.mixes_blocks]
"""Methods that take `blocks`."""


def random_factor(side: int, seed: int) -> Tensor:
    """A symmetric matrix with positive, distinct eigenvalues."""
    chance = torch.Generator().manual_seed(seed)
    root = torch.randn(side, side + 2, generator=chance, dtype=torch.float64)
    return root @ root.T


# (inputs, outputs) of every block but the bias; columns and rows in turn.
FACTORS = {
    name: (
        random_factor(d if number % 2 else 1, d),
        random_factor(1 if number % 2 else d, d + 1),
    )
    for number, (name, d) in enumerate(SIZES.items())
    if name != _BIAS
}


def source_of(gradients: dict[str, Tensor]) -> InMemorySource:
    """Gradients as a source that every method takes."""
    factors = {n: Factors(*FACTORS[n]) for n in gradients if n in FACTORS}
    return InMemorySource(gradients, factors=factors, losses=margins_of(gradients))


def random_gradients(
    rows: int, seed: int, dtype: torch.dtype = torch.float64
) -> dict[str, Tensor]:
    """Gaussian rows whose size differs by block and by row, as real gradients' do."""
    chance = torch.Generator().manual_seed(seed)
    size = torch.rand(rows, 1, generator=chance, dtype=torch.float64) + 0.5
    return {
        name: (
            (number + 1)
            * size
            * torch.randn(rows, d, generator=chance, dtype=torch.float64)
        ).to(dtype)
        for number, (name, d) in enumerate(SIZES.items())
    }


class Portioned:
    """The same rows, cut into portions of a given size whoever asks."""

    def __init__(self, gradients: dict[str, Tensor], size: int) -> None:
        self._source = source_of(gradients)
        self._size = size
        self.losses = margins_of(gradients)

    @property
    def layout(self) -> Layout:
        return self._source.layout

    def __len__(self) -> int:
        return len(self._source)

    def rows(
        self, blocks: Sequence[str] | None = None, *, size: int | None = None
    ) -> Iterator[RowBlock]:
        return self._source.rows(blocks, size=min(size or self._size, self._size))

    def factors(self, block: str) -> Factors | None:
        return self._source.factors(block)


def scored(
    method: str,
    train: dict[str, Tensor] | None = None,
    queries: dict[str, Tensor] | None = None,
    *,
    curvature: dict[str, Tensor] | None = None,
    keep_blocks: bool = False,
    **options: Any,
) -> Scores:
    """Scores of a method by name, from tensors; rows made here when not given."""
    estimator = build(method, **options)
    checkpoint = checkpoint_of(train, queries, curvature=curvature)
    return estimator.score_at(checkpoint, keep_blocks=keep_blocks)


def checkpoint_of(
    train: dict[str, Tensor] | None = None,
    queries: dict[str, Tensor] | None = None,
    *,
    curvature: dict[str, Tensor] | None = None,
    **options: Any,
) -> Checkpoint:
    """Everything that any method reads, from tensors; rows made here when not given."""
    rows = random_gradients(N, 1) if train is None else train
    return Checkpoint(
        train=source_of(rows),
        queries=source_of(random_gradients(Q, 2) if queries is None else queries),
        curvature=None if curvature is None else source_of(curvature),
        moments=random_moments(rows),
        **options,
    )


def margins_of(gradients: dict[str, Tensor]) -> Tensor:
    """Margins that go with the rows, in whatever order these are."""
    return torch.stack([rows.double().sum(dim=1) for rows in gradients.values()]).sum(0)


def random_moments(gradients: dict[str, Tensor], seed: int = 4) -> Moments:
    """Moments of blocks of these sizes after eleven steps, the size of gradients."""
    chance = torch.Generator().manual_seed(seed)
    drawn = {
        name: torch.randn(2, rows.shape[1], generator=chance, dtype=torch.float64)
        for name, rows in gradients.items()
    }
    return Moments(
        first={name: pair[0] for name, pair in drawn.items()},
        second={name: pair[1].square() for name, pair in drawn.items()},
        steps=dict.fromkeys(drawn, 11),
    )


def projection_matrix(width: int, seed: int) -> Tensor:
    """The projection of rows with all blocks side by side, as one matrix `[D, k]`."""
    like = torch.zeros((), dtype=torch.float64)
    return torch.cat(
        [
            signs
            for name, size in SIZES.items()
            for _, signs in sign_slabs(
                name, size=size, width=width, seed=seed, like=like
            )
        ]
    )


def parts_of(made: Scores) -> NDArray[np.floating]:
    """The scores by group, which must have been kept."""
    assert made.per_block is not None
    return made.per_block


def without(gradients: dict[str, Tensor], *names: str) -> dict[str, Tensor]:
    """The same gradients, zero in the named blocks."""
    return {
        name: torch.zeros_like(tensor) if name in names else tensor
        for name, tensor in gradients.items()
    }


def tells_rows_apart(method: str, normalize: str) -> bool:
    """Say whether self-influence is not the same for every row by the formula."""
    made = METHODS[method].cls
    same = {
        "none": made.unit_queries,
        "example": made.unit_queries or method in {"dot", "tracin"},
        "block": made.unit_queries or method in {"dot", "tracin", "scaled-dot"},
        "relatif": True,
    }
    return not same[normalize]
