"""A portion of rows knows how many there are."""

import torch

from datainf.core.layout import Layout
from datainf.core.source import GradientSource, RowBlock


def test_a_portion_counts_its_rows_whatever_blocks_it_holds():
    assert len(RowBlock(7, {}, torch.ones(3, 2, dtype=torch.float64))) == 3


class _Rows:
    layout = Layout.from_shapes({"a": (5,)})

    def __len__(self):
        return 0

    def rows(self, blocks=None, *, size=None):
        del blocks, size
        yield from ()


def test_anything_with_the_three_methods_is_a_source():
    assert isinstance(_Rows(), GradientSource)
    assert not isinstance(object(), GradientSource)
