"""Blocks: names, sizes, groups, and what differs between two layouts."""

import re

import pytest

from datainf.core.errors import OptionError, StoreError
from datainf.core.layout import Block, Layout
from datainf.core.side_projection import SideProjection

SHAPES = {
    "model.layers.0.attn.q_proj.lora_A.weight": (2, 5),
    "model.layers.0.attn.q_proj.lora_B.weight": (7, 2),
    "model.layers.1.attn.q_proj.lora_A.weight": (2, 5),
    "classifier.weight": (3, 7),
    "classifier.bias": (3,),
}


def layout(**changes):
    return Layout.from_shapes({**SHAPES, **changes})


def test_sizes_and_order_are_those_of_the_shapes():
    made = layout()
    assert made.names == tuple(SHAPES)
    assert list(made.sizes.values()) == [10, 14, 10, 21, 3]
    assert made.total == 58
    assert len(made) == 5
    assert [block.shape for block in made] == list(SHAPES.values())


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        ("tensor", [[0], [1], [2], [3], [4]]),
        ("module", [[0, 1], [2], [3, 4]]),
        ("layer", [[0, 1], [2], [3, 4]]),
        ("all", [[0, 1, 2, 3, 4]]),
    ],
)
def test_groups_hold_every_block_once_in_order(by, groups):
    names = list(SHAPES)
    found = [list(members) for members in layout().group(by).values()]
    assert found == [[names[i] for i in group] for group in groups]


def test_layers_gather_what_modules_part():
    made = Layout.from_shapes(
        {"h.0.q.lora_A.weight": (2,), "h.0.v.lora_A.weight": (3,)}
    )
    assert len(made.group("module")) == 2
    assert list(made.group("layer")) == ["h.0"]


@pytest.mark.parametrize(
    ("name", "module", "layer"),
    [
        ("h.3.q.lora_A.weight", "h.3.q", "h.3"),
        ("h.3.q.lora_magnitude_vector.weight", "h.3.q", "h.3"),
        ("classifier.dense.bias", "classifier.dense", "classifier.dense"),
        ("lora_only.weight", "lora_only", "lora_only"),
        ("w", "w", "w"),
        ("h.11", "h", "h.11"),
    ],
)
def test_module_and_layer_of_a_name(name, module, layer):
    block = Block(name, (2, 3))
    assert (block.module, block.layer) == (module, layer)


def test_an_unknown_grouping_is_refused():
    message = (
        "blocks='modul' is unknown: expected one of: tensor, module, layer, all; did "
        "you "
        "mean 'module'?."
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        layout().group("modul")


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ((), "a layout needs at least one block, got none."),
        (
            (Block("a", (2,)), Block("a", (3,))),
            "block names must differ, got twice: a.",
        ),
        (
            (Block("a", (2, 0)), Block("b", (3,))),
            "blocks must hold parameters, empty: a.",
        ),
    ],
)
def test_layouts_that_cannot_be_are_refused(blocks, message):
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        Layout(blocks)


def test_the_same_layout_passes():
    layout().require_same(layout(), "train", "queries")


def test_another_shape_is_named():
    message = (
        "train and queries hold gradients of different tensors: classifier.bias [3] "
        "against classifier.bias [5]; collect both with the same adapter."
    )
    with pytest.raises(StoreError, match=f"^{re.escape(message)}$"):
        layout().require_same(layout(**{"classifier.bias": (5,)}), "train", "queries")


def test_a_missing_block_is_told():
    short = Layout(layout().blocks[:-1])
    message = (
        "train holds 5 blocks and queries 4; collect both with the same adapter and "
        "parameters=."
    )
    with pytest.raises(StoreError, match=f"^{re.escape(message)}$"):
        layout().require_same(short, "train", "queries")


def test_a_projected_layout_has_the_same_blocks_and_knows_the_whole_tensors():
    made = layout().projected(SideProjection(3))
    assert made.names == tuple(SHAPES)
    assert [block.shape for block in made][:2] == [(2, 3), (3, 2)]
    assert [block.whole for block in made] == [(2, 5), (7, 2), (2, 5), (3, 7), None]
    assert made.sizes["classifier.weight"] == 9
    assert made.parameters == layout().sizes
    assert layout().projected(None) == layout()


def test_a_projected_block_is_not_the_whole_one_of_its_shape():
    with pytest.raises(StoreError, match="hold gradients of different tensors"):
        Layout((Block("w", (3,)),)).require_same(
            Layout((Block("w", (3,), whole=(7,)),)), "train", "queries"
        )
