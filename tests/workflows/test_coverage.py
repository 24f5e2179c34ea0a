"""The coverage report: all that is trained, all that is left out, nothing twice."""

import torch
from torch import nn

from datainf.core.adapter import Adapter, TrainedParameter
from datainf.core.layout import Block
from datainf.workflows.coverage import coverage_rows, coverage_text

SHAPES = {"a.lora_A.weight": (2, 503), "a.lora_B.weight": (7, 2), "norm.weight": (11,)}
PATHS = {
    "a.lora_A.weight": "rule Linear",
    "a.lora_B.weight": "rule Linear",
    "norm.weight": "looped",
}


def adapter(**options) -> Adapter:
    trained = (
        TrainedParameter(
            Block(name, shape), nn.Parameter(torch.zeros(shape)), f"x.{name}"
        )
        for name, shape in SHAPES.items()
    )
    return Adapter("mine", tuple(trained), **options)


def test_the_text_counts_blocks_and_parameters_by_how_they_are_collected():
    assert coverage_text(adapter(), PATHS) == (
        "adapter 'mine': 3 blocks, 1,031 parameters, all collected\n"
        "  looped: 1 blocks, 11 parameters\n"
        "    norm.weight\n"
        "  rule Linear: 2 blocks, 1,020 parameters"
    )


def test_the_text_names_the_task_type_and_what_is_left_out_by_reason():
    gone = (("u", "never trained"), ("v", "another's"), ("w", "never trained"))
    paths = dict.fromkeys(SHAPES, "rule Linear")
    text = coverage_text(adapter(task_type="SEQ_CLS", left_out=gone), paths)
    assert text == (
        "adapter 'mine' (SEQ_CLS): 3 blocks, 1,031 parameters, all collected\n"
        "  rule Linear: 3 blocks, 1,031 parameters\n"
        "  left out, never trained: u, w\n"
        "  left out, another's: v"
    )


def test_the_rows_hold_every_block_and_everything_left_out():
    assert coverage_rows(adapter(left_out=(("u", "never trained"),)), PATHS) == [
        {"block": name, "shape": list(shape), "path": PATHS[name], "reason": ""}
        for name, shape in SHAPES.items()
    ] + [{"block": "u", "shape": [], "path": "left out", "reason": "never trained"}]
