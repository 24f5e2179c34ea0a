"""`collect` of data with rows added at the end: the store grows, to the same bits."""

import re
from typing import Any

import pytest

from datainf.core.errors import StoreError
from datainf.store.facts import describe_store
from datainf.store.reader import open_store
from datainf.workflows.collect import collect
from tests.cases import LENGTHS, TokenTask, decoder
from tests.store.stores import files
from tests.workflows.collecting import ROWS, StoppedError, Watched

N = len(LENGTHS)
ALONE: dict[str, Any] = {"shard_rows": 3, "batch_tokens": 1}
TOGETHER: dict[str, Any] = {"shard_rows": 3, "batch_tokens": 40}


def passes(task: Watched) -> list[int]:
    """Examples that went through the model, by how long they are."""
    return sorted(
        length
        for count, length in task.told.while_collecting("pass")
        for _ in range(count)
    )


@pytest.mark.parametrize("old", range(1, N))
def test_a_store_that_grew_is_bit_identical_to_one_collected_at_once(tmp_path, old):
    model, out = decoder(), tmp_path / "grown"
    collect(model, ROWS, TokenTask(), out=tmp_path / "once", **TOGETHER)
    collect(model, ROWS[:old], TokenTask(), out=out, **TOGETHER)
    collect(model, ROWS, TokenTask(), out=out, **TOGETHER)
    assert files(out) == files(tmp_path / "once")


def test_only_new_rows_and_those_of_the_last_shorter_shard_go_through_the_model(
    tmp_path,
):
    model, out = decoder(), tmp_path / "grown"
    collect(model, ROWS[:5], TokenTask(), out=out, **ALONE)
    task = Watched()
    collect(model, ROWS, task, out=out, progress=task.told, **ALONE)
    assert passes(task) == sorted(LENGTHS[3:])
    assert task.told.of("say")[1:] == [f"{out}: 3 of {N} examples are there already"]


@pytest.mark.parametrize("stop_at", [1, 2, 4])
def test_a_growth_that_was_cut_off_goes_on_to_the_same_bits(tmp_path, stop_at):
    model, out = decoder(), tmp_path / "grown"
    collect(model, ROWS, TokenTask(), out=tmp_path / "once", **ALONE)
    collect(model, ROWS[:5], TokenTask(), out=out, **ALONE)
    task = Watched(stop_at=stop_at)
    with pytest.raises(StoppedError):
        collect(model, ROWS, task, out=out, progress=task.told, **ALONE)
    assert not describe_store(out)["complete"]
    collect(model, ROWS, TokenTask(), out=out, **ALONE)
    assert files(out) == files(tmp_path / "once")


def test_a_store_that_is_not_finished_grows_too(tmp_path):
    model, out = decoder(), tmp_path / "grown"
    collect(model, ROWS, TokenTask(), out=tmp_path / "once", **ALONE)
    task = Watched(stop_at=5)
    with pytest.raises(StoppedError):
        collect(model, ROWS[:6], task, out=out, progress=task.told, **ALONE)
    task = Watched()
    collect(model, ROWS, task, out=out, progress=task.told, **ALONE)
    assert passes(task) == sorted(LENGTHS[3:])
    assert files(out) == files(tmp_path / "once")


def test_rows_that_come_twice_may_be_added(tmp_path):
    model, out, twice = decoder(), tmp_path / "grown", [*ROWS, *ROWS]
    collect(model, twice, TokenTask(), out=tmp_path / "once", **TOGETHER)
    collect(model, ROWS, TokenTask(), out=out, **TOGETHER)
    collect(model, twice, TokenTask(), out=out, **TOGETHER)
    assert files(out) == files(tmp_path / "once")


@pytest.mark.parametrize(
    "rows", [[ROWS[1], ROWS[0], *ROWS[2:]], [ROWS[5], *ROWS[:5]]], ids=["moved", "new"]
)
def test_rows_that_are_not_at_the_end_are_no_growth(tmp_path, rows):
    model, out = decoder(), tmp_path / "store"
    collect(model, ROWS[:5], TokenTask(), out=out, **TOGETHER)
    before = files(out)
    message = (
        f"{out} holds a store of something else: other data; rows: 5 against "
        f"{len(rows)}. Choose another folder, delete this one, or give reuse=DIR "
        "(--reuse DIR) to keep the rows that did not change."
    )
    with pytest.raises(StoreError, match=f"^{re.escape(message)}$"):
        collect(model, rows, TokenTask(), out=out, **TOGETHER)
    assert files(out) == before


def test_another_version_adds_no_rows(tmp_path, monkeypatch):
    model, out = decoder(), tmp_path / "store"
    collect(model, ROWS[:5], TokenTask(), out=out, **TOGETHER)
    made_by = open_store(out).manifest.library_version
    monkeypatch.setattr("datainf.workflows.collect.__version__", "9.9")
    message = (
        f"{out} was begun by datainf {made_by}, this is 9.9: only the version that "
        "began a store adds rows to it. Choose another folder, or delete this one."
    )
    with pytest.raises(StoreError, match=f"^{re.escape(message)}$"):
        collect(model, ROWS, TokenTask(), out=out, **TOGETHER)
