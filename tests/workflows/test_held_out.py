"""What a change bought: measured on rows that neither trained nor chose anything."""

import re
from dataclasses import replace

import numpy as np
import pytest

from datainf.core.errors import OptionError
from datainf.core.run_config import DataConfig
from datainf.workflows import held_out
from datainf.workflows.finished import open_finished
from datainf.workflows.held_out import compare, require_recipe
from datainf.workflows.judgement import judge
from datainf.workflows.progress import Logged
from datainf.workflows.retraining import Chosen, Retrainer
from datainf.workflows.rows import look_at
from tests.workflows.collecting import Told
from tests.workflows.conftest import FRESH
from tests.workflows.run_folders import REVIEWS, N, put_rows


@pytest.fixture(scope="module")
def run(labels):
    return open_finished(labels.folder, Logged())


def test_rows_that_trained_or_chose_are_left_out_and_counted(run, tmp_path):
    """By what the model reads: other labels and further columns do not hide a row."""
    seen = [{**REVIEWS[0], "label": "good", "id": 3}, {**REVIEWS[N], "id": 4}]
    seen = [row for row in seen if row["text"]]
    rows = [*seen, *({**row, "id": 5} for row in FRESH)]
    told = Told()
    data = DataConfig(data=put_rows(tmp_path / "test.jsonl", rows))
    found, notes = held_out.fresh_rows(run, data, told)
    assert [dict(found.dataset[i])["text"] for i in range(len(found.lengths))] == [
        row["text"] for row in FRESH
    ]
    assert sum(int(note.split()[0]) for note in notes) == len(seen)
    assert [f"note: {note}" for note in notes] == [
        text for text in told.of("say") if text.startswith("note: ")
    ]


def test_rows_that_chose_are_named_before_rows_that_trained(run, tmp_path):
    texts = {row["text"] for row in run.dataset}
    own = {"text": "never seen", "label": "good"}
    assert own["text"] not in texts
    rows = [own, {**own, "text": "nor this"}, dict(run.dataset[0])]
    data = DataConfig(data=put_rows(tmp_path / "test.jsonl", rows))
    _, notes = held_out.fresh_rows(
        replace(run, config=replace(run.config, queries=None)), data, Logged()
    )
    assert notes == ("1 of 3 test rows were trained on and are left out",)


def test_a_test_file_of_used_rows_is_refused(run, labels):
    data = DataConfig(data=labels.folders.train)
    with pytest.raises(OptionError, match=re.escape(f"{labels.folders.train} holds 0")):
        held_out.fresh_rows(run, data, Logged())


def test_both_are_trained_with_the_same_seeds_and_measured_alike(run):
    test = look_at(FRESH, run.subject.task, Logged(), text=False)
    after = Chosen(run.dataset, np.arange(3, len(run.dataset)))
    found = compare(run, after, test, seeds=2, reporter=Logged())
    retrainer = Retrainer(replace(run.config, task=run.subject.task.settings()))
    arms = {"after": after, "oracle": Chosen(run.dataset, np.flatnonzero(~run.wrong))}
    measured = {}
    for arm, data in {"before": run.dataset, **arms}.items():
        for seed in (3, 4):
            with retrainer.fitted(data, seed) as model:
                measured[arm, seed] = judge(model, retrainer.task, test)
    rows = {(row["measure"], row["change"]): row for _, row in found.table.iterrows()}
    assert set(rows) == {(m, arm) for m in ("accuracy", "loss") for arm in arms}
    for arm in arms:
        for measure, name in (("accuracy", "right"), ("loss", "losses")):
            means = {
                one: np.mean([getattr(measured[one, seed], name) for seed in (3, 4)])
                for one in ("before", arm)
            }
            row = rows[measure, arm]
            assert row["before"] == pytest.approx(means["before"])
            assert row["after"] == pytest.approx(means[arm])
            assert row["effect"] == pytest.approx(means[arm] - means["before"])
            assert row["low"] <= row["effect"] <= row["high"]
    assert (found.seeds, found.test_rows) == (2, len(FRESH))
    assert found.notes == ()


def test_before_is_the_adapter_itself_and_one_seed_says_so(run):
    test = look_at(FRESH, run.subject.task, Logged(), text=False)
    found = compare(run, run.dataset, test, seeds=1, reporter=Logged())
    own = judge(run.subject.model, run.subject.task, test)
    loss = found.table[
        (found.table.measure == "loss") & (found.table.change == "after")
    ]
    assert loss["before"].item() == pytest.approx(own.losses.mean())
    assert loss["effect"].item() == 0
    (note,) = found.notes
    assert note.startswith("one seed: the interval is of the test rows alone")


def test_a_run_without_recipe_cannot_be_repeated(run):
    message = (
        f"{run.folder} names no recipe, so the training cannot be repeated; train the "
        "adapter with `datainf train`, or leave --retrain out."
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        require_recipe(replace(run, config=replace(run.config, recipe=None)))
    require_recipe(run)
