"""Reusing rows of an older store: which, from where, and what a kill may leave."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from datainf.core.errors import StoreError
from datainf.store.facts import describe_store
from datainf.store.reader import GradientStore
from datainf.workflows.collect import collect
from tests.cases import LENGTHS, TokenTask, decoder, token_rows
from tests.store.stores import files
from tests.tiny_models import tiny_llama, with_lora
from tests.workflows.collecting import ROWS, StoppedError, Watched, together

N = len(LENGTHS)
CUT: dict[str, Any] = {"shard_rows": 3, "batch_tokens": 1}
EDITED = {"input_ids": [9, 8, 7, 6], "labels": [-100, 8, 7, 6]}
# edited, removed, moved, doubled, inserted
CHANGED = [ROWS[3], EDITED, ROWS[0], ROWS[0], ROWS[6], ROWS[2], ROWS[4]]
FROM = [3, None, 0, 0, 6, 2, 4]


def refused(message: str) -> Any:
    return pytest.raises(StoreError, match=f"^{re.escape(message)}$")


def collected(rows: Any, out: Path, task: Any = None, **options: Any) -> GradientStore:
    task = task or Watched()
    return collect(
        decoder(), rows, task, out=out, progress=task.told, **{**CUT, **options}
    )


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize("batch_tokens", [1, 40])
@pytest.mark.parametrize("place", ["another folder", "the same folder"])
def test_unchanged_rows_are_taken_over_to_the_bit(tmp_path, place, batch_tokens, dtype):
    options = {"dtype": dtype, "batch_tokens": batch_tokens}
    old = collected(ROWS, tmp_path / "old", **options)
    before, losses = together(old), old.losses.copy()
    out = tmp_path / ("old" if place == "the same folder" else "new")
    task = Watched()
    new = collected(CHANGED, out, task, reuse=tmp_path / "old", **options)
    after = together(new)
    for row, source in enumerate(FROM):
        if source is not None:
            assert new.losses[row] == losses[source]
            for name in after:
                assert torch.equal(after[name][row], before[name][source])
    assert task.told.while_collecting("pass") == [(1, len(EDITED["input_ids"]))]
    assert f"{tmp_path / 'old'}: 6 of 7 rows did not change and are reused" in (
        task.told.of("say")
    )
    assert describe_store(out)["about"]["reused"] == 6
    whole = together(collected(CHANGED, tmp_path / "whole", **options))
    for name in after:
        torch.testing.assert_close(after[name], whole[name], rtol=2e-2, atol=1e-6)
    assert not (tmp_path / "old.reused").exists()


def test_a_store_of_rows_alone_that_did_not_change_equals_its_source(tmp_path):
    collected(ROWS, tmp_path / "old")
    collected(ROWS, tmp_path / "new", reuse=tmp_path / "old")
    old, new = files(tmp_path / "old"), files(tmp_path / "new")
    manifest = old.pop("manifest.json"), new.pop("manifest.json")
    assert old == new
    assert manifest[0] != manifest[1]  # it says how many rows were reused


@pytest.mark.parametrize("stop_at", [1, 2])
def test_a_replacement_that_was_cut_off_leaves_the_old_store_and_goes_on(
    tmp_path, stop_at
):
    out = tmp_path / "store"
    rows = [EDITED, ROWS[4], ROWS[5], ROWS[0], {**EDITED, "input_ids": [5, 8, 7, 6]}]
    collected(ROWS, out)
    old = files(out)
    collected(rows, tmp_path / "other", reuse=out)
    with pytest.raises(StoppedError):
        collected(rows, out, Watched(stop_at=stop_at), reuse=out)
    assert files(tmp_path / "store.reused") == old
    collected(rows, out, reuse=out)
    assert files(out) == files(tmp_path / "other")
    assert not (tmp_path / "store.reused").exists()


def test_a_run_that_died_before_it_cleared_up_clears_up(tmp_path):
    out = tmp_path / "store"
    collected(ROWS, out)
    collected(ROWS, tmp_path / "store.reused")
    task = Watched()
    collected(ROWS, out, task, reuse=out)
    assert task.told.of("pass") == []
    assert not (tmp_path / "store.reused").exists()


def test_data_that_changed_again_after_that_are_reused_from_the_newer_store(tmp_path):
    out = tmp_path / "store"
    collected(ROWS[:3], tmp_path / "store.reused")
    collected(ROWS, out)
    task = Watched()
    collected(ROWS[::-1], out, task, reuse=out)
    assert task.told.while_collecting("pass") == []
    assert not (tmp_path / "store.reused").exists()


def test_files_of_others_are_never_removed(tmp_path):
    out = tmp_path / "store"
    collected(ROWS, out)
    (out / "notes.txt").write_text("mine")
    collected(ROWS[::-1], out, reuse=out)
    assert [path.name for path in (tmp_path / "store.reused").iterdir()] == [
        "notes.txt"
    ]
    message = (
        f"{tmp_path / 'store.reused'} is there already, from a run that was cut off; "
        f"delete {out} to go on from it, or delete it."
    )
    with refused(message):
        collected(ROWS, out, reuse=out)


def test_added_rows_let_a_store_grow_whatever_is_to_be_reused(tmp_path):
    out = tmp_path / "store"
    collected(ROWS[:3], out)
    task = Watched()
    collected(ROWS, out, task, reuse=out)
    assert len(task.told.while_collecting("pass")) == N - 3
    collected(ROWS, tmp_path / "once")
    assert files(out) == files(tmp_path / "once")


def test_a_store_to_reuse_that_is_not_there_yet_may_be_named_in_its_own_place(tmp_path):
    collected(ROWS, tmp_path / "store", reuse=tmp_path / "store")
    with refused(
        f"{tmp_path / 'none'} is no gradient store: it has no manifest.json; give the "
        "folder that `datainf collect` wrote."
    ):
        collected(ROWS, tmp_path / "other", reuse=tmp_path / "none")


OTHERS: dict[str, Any] = {
    "another adapter": {"model": lambda: with_lora(tiny_llama(), "CAUSAL_LM", seed=1)},
    "another adapter; other blocks": {
        "model": lambda: with_lora(tiny_llama(), "CAUSAL_LM", r=3)
    },
    "dtype: fp32 against bf16": {"dtype": "bf16"},
    "batch_tokens: 1 against 41": {"batch_tokens": 41},
}


@pytest.mark.parametrize("place", ["new", "old"])
@pytest.mark.parametrize(("differences", "changes"), OTHERS.items(), ids=OTHERS)
def test_rows_of_something_else_are_not_reused(tmp_path, differences, changes, place):
    old, given = tmp_path / "old", dict(changes)
    collected(ROWS, old)
    before = files(old)
    model = given.pop("model", decoder)()
    message = f"rows of {old} cannot be reused: {differences}; collect without reuse."
    with refused(message):
        collect(
            model,
            CHANGED,
            TokenTask(),
            out=tmp_path / place,
            reuse=str(old),
            **{**CUT, **given},
        )
    assert files(old) == before


def test_rows_of_another_version_are_not_reused(tmp_path, monkeypatch):
    old = collected(token_rows("decoder"), tmp_path / "old")
    monkeypatch.setattr("datainf.workflows.collect.__version__", "9.9")
    with refused(
        f"rows of {old.path} cannot be reused: made by datainf "
        f"{old.manifest.library_version}, this is 9.9; collect without reuse."
    ):
        collected(CHANGED, tmp_path / "new", reuse=old.path)


def test_a_store_behind_a_link_is_replaced_where_it_lies(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "link").symlink_to("far")
    collected(ROWS, tmp_path / "link")
    changed = [*ROWS[1:], ROWS[0]]
    collected(changed, tmp_path / "link", reuse=tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert len(collected(changed, tmp_path / "far")) == len(ROWS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["far", "link"]
