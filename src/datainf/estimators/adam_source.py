"""AdamSource: what Adam's next step would be if it were taken on each row alone.

    Γ(g) = m̂ / (√v̂ + ε)   with   m̂ = (β₁ m + (1−β₁) g) / (1 − β₁ᵗ⁺¹)
                                   v̂ = (β₂ v + (1−β₂) g²) / (1 − β₂ᵗ⁺¹)

entry by entry, m and v the optimizer's moments after t steps (Kingma and Ba, ICLR 2015,
arXiv:1412.6980; as a feature of training rows: Xia et al., ICML 2024,
arXiv:2402.04333). An AdamW step moves the parameters by −ηΓ(g), weight decay apart,
which is the same for every row. Rows are changed as they are read; memory: the moments
and the squared lengths `[N, L]`. N rows, L blocks, d parameters of a block.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from datainf.core.checkpoint import Moments
from datainf.core.errors import OptionError
from datainf.core.layout import Layout
from datainf.core.share import share_of
from datainf.core.source import GradientSource, RowBlock


class AdamSource:
    """A GradientSource over the Adam steps of another source's rows."""

    def __init__(self, source: GradientSource, moments: Moments) -> None:
        """Take the rows and the moments.

        Args:
            source: Gradients.
            moments: Of the same blocks; others are refused.

        Raises:
            OptionError: If processes share the rows, or they are projected.
        """
        projected = [b.name for b in source.layout if b.whole is not None]
        if projected:
            raise OptionError(
                f"Adam divides each entry of a gradient by its own moment, and rows of "
                f"{len(projected)} blocks are projections ({projected[0]}); collect "
                "without project= for less, which projects by itself."
            )
        if share_of(source, len(source)).ranks > 1:
            raise OptionError(
                "Adam steps are taken by one process; leave the other ranks out."
            )
        moments.require_fitting(source.layout)
        self._source = source
        self._moments = moments

    @property
    def layout(self) -> Layout:
        """Names, shapes and order of the blocks."""
        return self._source.layout

    def __len__(self) -> int:
        """Count the rows, N."""
        return len(self._source)

    def rows(
        self, blocks: Sequence[str] | None = None, *, size: int | None = None
    ) -> Iterator[RowBlock]:
        """Go through the steps in order, as `GradientSource.rows` says."""
        for part in self._source.rows(blocks, size=size):
            yield replace(
                part,
                gradients={
                    name: self._step(name, g) for name, g in part.gradients.items()
                },
                squared_norms=self._squared_norms[part.start : part.start + len(part)],
            )

    @cached_property
    def _squared_norms(self) -> Float64[Tensor, "N L"]:
        """Squared lengths of every step in every block, found in one reading."""
        found = torch.empty(len(self), len(self.layout), dtype=torch.float64)
        for column, name in enumerate(self.layout.names):
            for part in self._source.rows([name]):
                steps = self._step(name, part.gradients[name]).double()
                found[part.start : part.start + len(part), column] = (
                    torch.linalg.vecdot(steps, steps).cpu()
                )
        return found

    def _step(self, block: str, g: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Make Γ of some rows in one block, in at least float32."""
        dtype = torch.promote_types(g.dtype, torch.float32)
        g = g.to(dtype)
        first = self._moments.first[block].flatten().to(g)
        second = self._moments.second[block].flatten().to(g)
        (beta1, beta2), step = self._moments.betas, self._moments.steps[block] + 1
        mean = (g * (1 - beta1) + first * beta1) / (1 - beta1**step)
        square = (g.square() * (1 - beta2) + second * beta2) / (1 - beta2**step)
        return mean / (square.sqrt() + self._moments.eps)
