"""Examples that are no numbers: refused by name, or left out for good."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from datainf.core.errors import DatainfWarning, NonFiniteError, StoreError
from datainf.store.facts import describe_store
from datainf.store.verify import verify
from datainf.workflows.collect import collect
from datainf.workflows.mislabeled import mislabeled
from datainf.workflows.score import score
from tests.cases import LENGTHS, TokenTask, decoder
from tests.store.stores import files
from tests.workflows.collecting import ROWS, StoppedError, Watched, together

N = len(LENGTHS)
CUT: dict[str, Any] = {"shard_rows": 3, "batch_tokens": 40}
BLOCK = "model.layers.0.self_attn.q_proj.lora_A.weight"
SPOILT, GRADIENT = 1, 2  # tokens that no row of `ROWS` begins with


@dataclass(frozen=True)
class Spoiling(Watched):
    """A task with rows whose loss, or gradient alone, is NaN."""

    def losses(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        losses = super().losses(model, batch)
        first = batch["input_ids"][:, 0]
        losses = losses * torch.where(first == SPOILT, torch.nan, 1.0)
        # The root of zero has the value zero and an infinite slope.
        roots = torch.where(first == GRADIENT, losses * 0, 1.0).sqrt()
        return losses + (roots - (first != GRADIENT).float())


def spoilt(*places: int, by: int = SPOILT) -> list[dict[str, Any]]:
    """The rows, some of them no numbers."""
    rows = [dict(row) for row in ROWS]
    for place in places:
        rows[place]["input_ids"] = [by, *rows[place]["input_ids"][1:]]
    return rows


def rest(*places: int) -> list[dict[str, Any]]:
    """The rows without some of them."""
    return [row for place, row in enumerate(ROWS) if place not in places]


def skipping(rows: Any, out: Any, task: Any = None, **options: Any) -> Any:
    task = task or Spoiling()
    options = {**CUT, "on_nonfinite": "skip", **options}
    with pytest.warns(DatainfWarning, match="leaves out"):
        return collect(decoder(), rows, task, out=out, progress=task.told, **options)


def refused(message: str, kind: type[Exception] = NonFiniteError) -> Any:
    return pytest.raises(kind, match=f"^{re.escape(message)}$")


HELP = (
    "; mend it, compute in float32, or leave such examples out with "
    "on_nonfinite='skip' (--on-nonfinite skip)."
)


@pytest.mark.parametrize(
    ("by", "reason"),
    [
        (SPOILT, "its loss is nan"),
        (GRADIENT, f"its gradient of {BLOCK} is NaN or infinite"),
    ],
)
def test_an_example_that_is_no_number_is_refused_by_name_after_its_batch(
    tmp_path, by, reason
):
    task, longest = Spoiling(), LENGTHS.index(max(LENGTHS))
    with refused(f"example {longest}: {reason}{HELP}"):
        collect(
            decoder(),
            spoilt(longest, by=by),
            task,
            out=tmp_path / "store",
            progress=task.told,
            shard_rows=7,
            batch_tokens=1,
        )
    # Not after the shard: the longest of its seven rows comes first and is the one.
    assert len(task.told.while_collecting("pass")) == 1


def test_a_short_example_that_is_no_number_is_found_by_the_probe(tmp_path):
    task, shortest = Spoiling(), LENGTHS.index(min(LENGTHS))
    with refused(f"example {shortest}: its loss is nan{HELP}"):
        collect(
            decoder(),
            spoilt(shortest),
            task,
            out=tmp_path / "store",
            progress=task.told,
        )
    assert task.told.while_collecting("pass") == []


@pytest.mark.parametrize("by", [SPOILT, GRADIENT], ids=["loss", "gradient"])
@pytest.mark.parametrize("places", [(0,), (3,), (6,), (0, 1, 2), (1, 2, 4, 6)], ids=str)
def test_a_store_that_leaves_rows_out_is_one_of_data_without_them(tmp_path, places, by):
    store = skipping(spoilt(*places, by=by), tmp_path / "skipped")
    kept = [place for place in range(N) if place not in places]
    assert store.index.tolist() == kept
    assert store.examples["index"].tolist() == kept
    assert [row.index for row in store.excluded] == list(places)
    assert verify(store.path).ok
    task = Spoiling()
    clean = collect(decoder(), rest(*places), task, out=tmp_path / "clean", **CUT)
    assert [s.rows for s in store.manifest.shards] == [
        s.rows for s in clean.manifest.shards
    ]
    for name, rows in together(clean).items():
        assert torch.equal(together(store)[name], rows)
    assert store.losses.tolist() == clean.losses.tolist()


def test_the_rows_left_out_are_counted_and_named(tmp_path):
    out = tmp_path / "store"
    options: dict[str, Any] = {**CUT, "on_nonfinite": "skip"}
    message = (
        f"{out} leaves out 2 examples (2: its loss is nan; 4: its loss is nan) of {N}."
    )
    for steps in (N, 0):  # while it is made, and whenever it is used again
        task = Spoiling()
        with pytest.warns(DatainfWarning) as warned:
            collect(
                decoder(), spoilt(2, 4), task, out=out, progress=task.told, **options
            )
        ours = [str(one.message) for one in warned if one.category is DatainfWarning]
        assert ours == [message]
        assert sum(task.told.while_collecting("step")) == steps
    facts = describe_store(out)
    assert facts["rows"] == N - 2
    assert [(row["example"], row["reason"]) for row in facts["excluded"]] == [
        (2, "its loss is nan"),
        (4, "its loss is nan"),
    ]


def test_scores_say_which_rows_have_none(tmp_path):
    train = skipping(spoilt(2, 4), tmp_path / "train")
    queries = skipping(spoilt(1), tmp_path / "queries")
    found = score(train, queries, method="datainf")
    assert found.train["index"].tolist() == [0, 1, 3, 5, 6]
    assert found.provenance.notes == (
        "train: 2 examples (2: its loss is nan; 4: its loss is nan) left out.",
        "queries: 1 example (1: its loss is nan) left out.",
    )


def test_a_ranking_keeps_what_is_known_about_each_row(tmp_path, monkeypatch):
    monkeypatch.setattr("datainf.workflows.mislabeled.measure", lambda *_: {})
    wrong = np.arange(N) % 3 == 0
    with pytest.warns(DatainfWarning, match="leaves out"):
        found = mislabeled(
            decoder(),
            spoilt(2, 4),
            ROWS,
            Spoiling(),
            cache=tmp_path,
            wrong=wrong,
            on_nonfinite="skip",
            **CUT,
        )
    index = found.ranking["index"].to_numpy()
    assert sorted(index) == [0, 1, 3, 5, 6]
    assert found.ranking["wrong"].tolist() == wrong[index].tolist()


@pytest.mark.parametrize("stop_at", range(1, 12))
def test_a_run_that_was_cut_off_leaves_out_the_same(tmp_path, stop_at):
    rows, alone = spoilt(1, 4), {"batch_tokens": 1}
    skipping(rows, tmp_path / "whole", **alone)
    task = Spoiling(stop_at=stop_at)
    options: dict[str, Any] = {**CUT, **alone, "on_nonfinite": "skip"}
    with pytest.raises(StoppedError):
        collect(
            decoder(), rows, task, out=tmp_path / "cut", progress=task.told, **options
        )
    skipping(rows, tmp_path / "cut", **alone)
    assert files(tmp_path / "cut") == files(tmp_path / "whole")


def test_a_store_that_leaves_rows_out_grows_and_leaves_out_more(tmp_path):
    rows = spoilt(1, 5)
    skipping(rows[:5], tmp_path / "grown")
    skipping(rows, tmp_path / "grown")
    skipping(rows, tmp_path / "once")
    assert files(tmp_path / "grown") == files(tmp_path / "once")


def test_a_row_that_was_mended_is_reused_data_like_any_other(tmp_path):
    skipping(spoilt(1, 4), tmp_path / "old")
    task = Spoiling()
    store = skipping(spoilt(4), tmp_path / "new", task, reuse=tmp_path / "old")
    assert [row.index for row in store.excluded] == [4]
    assert store.index.tolist() == [0, 1, 2, 3, 5, 6]
    lengths = {length for _, length in task.told.while_collecting("pass")}
    assert lengths == {LENGTHS[1], LENGTHS[4]}


def test_a_store_that_leaves_rows_out_is_refused_to_who_wants_all(tmp_path):
    out = tmp_path / "store"
    skipping(spoilt(1), out)
    message = (
        f"{out} leaves out 1 example (1: its loss is nan); give on_nonfinite='skip' "
        "(--on-nonfinite skip) to use it without them, or choose another folder."
    )
    with refused(message, StoreError):
        collect(decoder(), spoilt(1), Spoiling(), out=out, **CUT)


def test_a_model_of_which_nothing_is_a_number_is_refused_by_the_probe(tmp_path):
    message = (
        "each of the 7 shortest examples has a loss or gradient that is NaN or "
        "infinite (example 5: its loss is nan); check the model's weights and number "
        "format."
    )
    with refused(message):
        collect(
            decoder(),
            spoilt(*range(N)),
            Spoiling(),
            out=tmp_path / "store",
            on_nonfinite="skip",
        )
    assert not (tmp_path / "store").exists()


@dataclass(frozen=True)
class Crowded(TokenTask):
    """A task that is no number in large batches only."""

    def losses(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        losses = super().losses(model, batch)
        return losses * torch.nan if len(losses) > 2 else losses


def test_an_example_that_is_no_number_beside_others_alone_is_not_left_out(tmp_path):
    message = (
        r"example \d: its loss is nan, in a batch with others and not alone; collect "
        r"with batch_tokens=1\."
    )
    options: dict[str, Any] = {"batch_tokens": 400, "on_nonfinite": "skip"}
    with pytest.raises(NonFiniteError, match=f"^{message}$"):
        collect(decoder(), ROWS, Crowded(), out=tmp_path / "store", **options)
