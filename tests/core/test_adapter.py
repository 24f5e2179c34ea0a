"""An adapter's layout is that of its parameters."""

import torch
from torch import nn

from datainf.core.adapter import Adapter, TrainedParameter
from datainf.core.layout import Block


def test_layout_lists_the_parameters_in_their_order():
    blocks = (Block("b", (3, 2)), Block("a", (5,)))
    adapter = Adapter(
        name="default",
        parameters=tuple(
            TrainedParameter(block, nn.Parameter(torch.zeros(block.shape)), block.name)
            for block in blocks
        ),
    )
    assert adapter.layout.blocks == blocks


def test_the_scope_of_a_plain_adapter_does_nothing():
    with Adapter("default", ()).activated() as value:
        assert value is None
