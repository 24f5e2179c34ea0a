"""Parts of a batch: what is added up is the batch's."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from datainf.capture.parts import added, cut_of, losses_in_parts, whole
from datainf.core.task import Part
from tests.cases import TokenTask

BATCH = {"x": torch.arange(1.0, 6.0), "k": torch.tensor([[0, 1, 2]] * 5)}


def losses(_: nn.Module, batch: Mapping[str, Any]) -> Tensor:
    found: Tensor = batch["x"] * (1 + batch["k"]).sum(dim=1)
    return found


def one_by_one(batch: Mapping[str, Any]) -> Iterator[Part]:
    for rows in (torch.tensor([4, 1]), torch.tensor([0, 2, 3])):
        for k in range(3):
            some = {"x": batch["x"][rows], "k": batch["k"][rows, k : k + 1]}
            yield Part(rows, some)


class Parted(TokenTask):
    parts = staticmethod(one_by_one)


def test_losses_of_parts_add_up_to_the_losses_of_the_batch() -> None:
    found = losses_in_parts(nn.Identity(), BATCH, losses, one_by_one)
    torch.testing.assert_close(found, losses(nn.Identity(), BATCH))


def test_rows_in_another_order_are_put_where_they_belong() -> None:
    found = added(None, torch.tensor([2, 0, 1]), torch.tensor([30.0, 10.0, 20.0]), 3)
    assert found.tolist() == [10.0, 20.0, 30.0]


def test_one_part_with_all_rows_is_not_copied() -> None:
    rows = torch.ones(2, 3)
    assert added(None, torch.arange(2), rows, 2) is rows


def test_a_task_is_cut_its_own_way_or_not_at_all() -> None:
    assert cut_of(Parted()) is one_by_one
    ((rows, batch),) = cut_of(TokenTask())(BATCH)
    assert rows.tolist() == [0, 1, 2, 3, 4]
    assert batch is BATCH
    assert whole(BATCH)[0].batch is BATCH


def test_a_batch_of_no_parts_is_refused() -> None:
    with pytest.raises(ValueError, match="no parts"):
        losses_in_parts(nn.Identity(), BATCH, losses, lambda _: [])
