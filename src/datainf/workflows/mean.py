"""The mean of a source's rows as a source of one row: all queries as one.

v = (1/Q) Σ_q v_q, the gradient of the mean loss over a validation set. Summed in
float64; cost one reading, memory D.
"""

from collections.abc import Iterator, Sequence

import pandas as pd
import torch

from datainf.core.identity import Identity
from datainf.core.layout import Layout
from datainf.core.source import GradientSource, RowBlock
from datainf.store.excluded import Excluded
from datainf.store.memory import InMemorySource


class MeanSource:
    """A GradientSource of one row, the mean of another source.

    Attributes:
        identity: That of the other source, where it has one.
        examples: One row that says how many were averaged.
        excluded: Rows that the other source leaves out, where it does.

    Examples:
        >>> pair = InMemorySource({"q": torch.tensor([[1.0, 0.0], [3.0, 2.0]])})
        >>> next(MeanSource(pair).rows()).gradients["q"]
        tensor([[2., 1.]])
    """

    def __init__(self, source: GradientSource) -> None:
        """Read the source once.

        Args:
            source: The rows to average.
        """
        sums = {
            name: torch.zeros(size, dtype=torch.float64)
            for name, size in source.layout.sizes.items()
        }
        widest = torch.float32
        for part in source.rows():
            for name, rows in part.gradients.items():
                widest = torch.promote_types(widest, rows.dtype)
                sums[name] += rows.sum(dim=0, dtype=torch.float64).cpu()
        means = {
            name: (total / len(source)).to(widest)[None] for name, total in sums.items()
        }
        self._inner = InMemorySource(means, source.layout)
        self.identity: Identity | None = getattr(source, "identity", None)
        self.excluded: list[Excluded] = getattr(source, "excluded", [])
        self.examples = pd.DataFrame({"index": [f"mean of {len(source)}"]})

    @property
    def layout(self) -> Layout:
        """Names, shapes and order of the blocks."""
        return self._inner.layout

    def __len__(self) -> int:
        """Count the rows: one."""
        return 1

    def rows(
        self, blocks: Sequence[str] | None = None, *, size: int | None = None
    ) -> Iterator[RowBlock]:
        """Give the one row, as `GradientSource.rows` says."""
        yield from self._inner.rows(blocks, size=size)
