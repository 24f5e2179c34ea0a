"""What a shard must be before it is written."""

import re

import pytest
import torch

from datainf.core.errors import OptionError
from datainf.core.layout import Layout
from datainf.store.checks import refuse_reserved, require_shard

LAYOUT = Layout.from_shapes({"a": (2, 5), "b": (3,)})
GOOD = {"a": torch.ones(7, 10), "b": torch.ones(7, 3)}
INDEX = (0, 2, 3, 5, 7, 11, 13)


@pytest.mark.parametrize("name", ["index", "loss", "squared_norms", "__metadata__"])
def test_a_block_cannot_take_the_name_of_another_tensor(name):
    message = (
        f"a block cannot be called {name!r} in a store, that name has a meaning there; "
        "rename the parameter."
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        refuse_reserved(Layout.from_shapes({"a": (2,), name: (3,)}))
    refuse_reserved(LAYOUT)


@pytest.mark.parametrize(
    ("gradients", "loss", "index", "message"),
    [
        (
            {"a": GOOD["a"], "c": GOOD["b"]},
            torch.ones(7),
            INDEX,
            "gradients must be those of the store's blocks: missing ['b'], unknown "
            "['c'].",
        ),
        (
            {**GOOD, "b": torch.ones(6, 3)},
            torch.ones(7),
            INDEX,
            "gradients of b must have shape [7, 3], got [6, 3].",
        ),
        (GOOD, torch.ones(7, 1), INDEX, "loss must have shape [7], got [7, 1]."),
        (
            GOOD,
            torch.ones(7),
            INDEX[::-1],
            "index must be that of the shard's examples, 7 from 0 to 13, in their "
            "order.",
        ),
    ],
)
def test_rows_of_another_shard_are_refused(gradients, loss, index, message):
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        require_shard(LAYOUT, gradients, loss, torch.tensor(index), INDEX)


def test_rows_of_this_shard_pass():
    require_shard(LAYOUT, GOOD, torch.ones(7), torch.tensor(INDEX), INDEX)
