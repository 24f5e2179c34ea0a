"""The probe's tolerances and refusals."""

import torch
from torch import nn

from datainf.capture.probe import DOUBLE, HALF, SINGLE, agree, each, tolerance_for


def test_the_tolerance_follows_the_coarsest_number_format() -> None:
    assert tolerance_for(nn.Linear(2, 2).double(), autocast=False) is DOUBLE
    assert tolerance_for(nn.Linear(2, 2), autocast=False) is SINGLE
    mixed = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).bfloat16())
    assert tolerance_for(mixed, autocast=False) is HALF
    assert tolerance_for(nn.Linear(2, 2), autocast=True) is HALF


def test_agreement_is_relative_to_the_largest_row() -> None:
    right = torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    assert agree(right * (1 + 1e-4), right, SINGLE)
    assert not agree(right * (1 + 1e-2), right, SINGLE)
    assert not agree(right[:1], right, SINGLE)
    noise = torch.full_like(right, 1e-7)
    assert not agree(noise, -noise, SINGLE)
    assert agree(noise, -noise, SINGLE, largest=1.0)


def test_a_batch_is_cut_into_batches_of_one() -> None:
    parts = each({"ids": torch.arange(6).view(3, 2), "note": "kept"})
    assert [part["ids"].tolist() for part in parts] == [[[0, 1]], [[2, 3]], [[4, 5]]]
    assert {part["note"] for part in parts} == {"kept"}
