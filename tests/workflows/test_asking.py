"""A run that is asked answers as it would have scored, and collects nothing again."""

import re
import shutil
from dataclasses import replace

import numpy as np
import pytest

from datainf.core.errors import AdapterError, OptionError, StoreError
from datainf.core.options import ScoreOptions
from datainf.core.recipe import Recipe
from datainf.core.records import Scores
from datainf.workflows.asking import asking
from datainf.workflows.run_file import read_run, write_run
from datainf.workflows.runs import attribute_run
from datainf.workflows.training import train_run
from tests.workflows.run_folders import REVIEWS, SUMS, N, review_folders

ASKED = SUMS[N]
"""The first query of the run."""


@pytest.fixture(scope="module")
def opened(sums):
    with asking(sums.folder) as run:
        yield run


def files_of(folder):
    """Every file below a folder, and when it was written."""
    found = folder.rglob("*")
    return {p: p.stat().st_mtime_ns for p in found if p.is_file()}


def copy_of(run, tmp_path):
    """A run's folder that a test may spoil."""
    folder = tmp_path / "run"
    shutil.copytree(run.folder, folder)
    return folder


def test_a_query_is_scored_as_the_run_scored_it(sums, opened):
    scores = Scores.load(sums.folder / "scores")
    for q in (0, 3):
        found = opened.ask(SUMS[N + q])
        np.testing.assert_allclose(
            found.scores.values[0], scores.values[q], rtol=1e-4, atol=1e-3
        )
        assert found.query == scores.queries["text"][q]
        assert found.scores.train.equals(scores.train)
        assert found.scores.provenance.method == "dot"
        assert (found.said, found.pictures, found.picture) == (None, None, None)


def test_nothing_of_the_run_is_written(sums, opened):
    before = files_of(sums.folder)
    opened.ask(ASKED)
    assert files_of(sums.folder) == before
    assert not list(opened.folder.iterdir())  # the query's gradients are gone


def test_the_adapter_says_what_is_left_open(opened):
    found = opened.ask({"prompt": ASKED["prompt"], "completion": "", "tokens": 3})
    assert found.said is not None
    whole = {"prompt": ASKED["prompt"], "completion": found.said.text}
    again = opened.ask(whole)
    assert again.query == found.query
    np.testing.assert_array_equal(again.scores.values, found.scores.values)


def test_warnings_come_with_the_answer(opened):
    found = opened.ask({"prompt": "a ", "completion": "b" * 300})
    (warning,) = found.warnings
    assert warning.startswith("1 of 1 examples are longer than max_length=256")
    assert opened.ask(ASKED).warnings == ()


def test_what_is_needed_is_asked_for(opened):
    with pytest.raises(OptionError, match=r"^Prompt is empty; without it nothing is"):
        opened.ask({"prompt": "", "completion": "b"})
    message = "a query of this run has no 'promt'; it has prompt, completion, tokens."
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        opened.ask({"promt": "a"})


def test_a_ranking_of_wrong_labels_is_asked_about_a_text(labels):
    with asking(labels.folder) as run:
        found = run.ask({"text": "fine ", "label": None})
    assert found.said is not None
    assert found.said.text.split()[0] in ("good", "awful")
    assert found.scores.values.shape == (1, N)


def test_a_sampled_fisher_is_that_of_the_run(sums, tmp_path):
    score = ScoreOptions(method="datainf", fisher="sampled", agreement=False)
    config = sums.folders.run(tmp_path / "run", score=score)
    config = replace(config, collect=replace(config.collect, samples=3, sample_seed=5))
    scores = attribute_run(config).scores
    with asking(tmp_path / "run") as run:
        found = run.ask(ASKED).scores
    assert found.provenance.options["fisher"] == "sampled"
    np.testing.assert_allclose(found.values[0], scores.values[0], rtol=1e-4, atol=1e-3)


def test_a_run_over_checkpoints_is_asked_at_each_of_them(tmp_path):
    made = review_folders(tmp_path)
    assert made.config.recipe is not None
    training = {"num_train_epochs": 2, "save_strategy": "epoch", "learning_rate": 0.01}
    out = tmp_path / "longer"
    recipe = Recipe(peft=made.config.recipe.peft, training=training, seed=3)
    train_run(replace(made.config, recipe=recipe, out=str(out)))
    changes = {"score": ScoreOptions(method="tracin"), "task": read_run(out).task}
    made = replace(made, adapter=str(out))
    scores = attribute_run(made.run(tmp_path / "run", **changes)).scores
    with asking(tmp_path / "run") as run:
        found = run.ask(REVIEWS[N])
    np.testing.assert_allclose(
        found.scores.values[0], scores.values[0], rtol=1e-4, atol=1e-6
    )
    assert len(run.held) == 2


def test_texts_that_were_not_kept_are_written_anew(sums, tmp_path):
    folder = copy_of(sums, tmp_path)
    scores = Scores.load(folder / "scores")
    scores.with_rows(train=scores.train[["index"]]).save(folder / "scores")
    with asking(folder) as run:
        assert run.ask(ASKED).scores.train.equals(scores.train)


def test_an_adapter_that_is_gone_is_named(sums, tmp_path):
    folder = copy_of(sums, tmp_path)
    gone = tmp_path / "gone"
    write_run(replace(read_run(folder), adapter=str(gone)), folder)
    begins = f"{folder} cannot be asked without its adapter: {gone} holds no PEFT"
    with pytest.raises(AdapterError, match=f"^{re.escape(begins)}"), asking(folder):
        pass


def test_an_adapter_that_changed_is_refused(sums, tmp_path):
    folder, other = copy_of(sums, tmp_path), tmp_path / "other"
    made = sums.folders.config
    assert made.recipe is not None
    train_run(replace(made, out=str(other), recipe=replace(made.recipe, seed=4)))
    write_run(replace(read_run(folder), adapter=str(other)), folder)
    message = (
        f"{other} is not what {folder} was collected with: another adapter; put it "
        "back, or run it again."
    )
    with pytest.raises(StoreError, match=f"^{re.escape(message)}$"), asking(folder):
        pass


def test_gradients_that_are_gone_are_not_collected_again(sums, tmp_path):
    folder = copy_of(sums, tmp_path)
    shutil.rmtree(folder / "train")
    message = (
        f"{folder} has no gradients of its training rows any more: {folder}/train is "
        "not there; run it again."
    )
    with pytest.raises(StoreError, match=f"^{re.escape(message)}$"), asking(folder):
        pass


def test_gradients_of_something_else_are_refused(sums, labels, tmp_path):
    folder = copy_of(sums, tmp_path)
    shutil.rmtree(folder / "train")
    shutil.copytree(labels.folder / "train", folder / "train")
    message = f"{folder}/train is not what {folder} scored: another base model; another"
    with pytest.raises(StoreError, match=f"^{re.escape(message)}"), asking(folder):
        pass
