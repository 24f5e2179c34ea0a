"""The ground of a judgement: the adapter of the very recipe, and what is odd."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from datainf.core.errors import NonFiniteError, OptionError
from datainf.core.recipe import Recipe
from datainf.core.run_config import DataConfig
from datainf.integrations.tasks.sequence_classification import SequenceClassification
from datainf.workflows.ground import Ground, ceiling_of, class_findings, losses_of
from datainf.workflows.progress import Logged
from datainf.workflows.retraining import Outcome
from datainf.workflows.rows import look_at
from tests.tiny_models import tiny_tokenizer
from tests.workflows.collecting import Told
from tests.workflows.judging import judged
from tests.workflows.run_folders import N, Q, language_folders, recipe, review_folders


@pytest.fixture(scope="module")
def reviews(tmp_path_factory):
    return review_folders(tmp_path_factory.mktemp("reviews"))


def refused(message):
    return pytest.raises(OptionError, match=f"^{re.escape(message)}$")


def prepare(config, told=None):
    return Ground.prepare(config, told or Told())


def without_adapter(reviews, out, **changes):
    """A run that names a recipe alone."""
    asked = replace(
        reviews.config, queries=DataConfig(data=reviews.queries), out=str(out)
    )
    return replace(asked, **changes)


def test_an_adapter_brings_its_recipe(reviews, tmp_path):
    ground = prepare(judged(reviews, tmp_path))
    assert (len(ground.train.table), len(ground.queries.table)) == (N, Q)
    assert ground.recipe.peft["r"] == 2
    assert ground.config.task["name"] == "sequence-classification"
    assert ground.findings == ()
    assert not any(tmp_path.iterdir())  # nothing was trained


def test_without_an_adapter_it_is_trained_once(reviews, tmp_path):
    first, again = Told(), Told()
    trained = prepare(without_adapter(reviews, tmp_path), first)
    found = prepare(without_adapter(reviews, tmp_path), again)
    folder = tmp_path / "adapter"
    assert ("training", 1) in first.of("stage")
    assert ("training", 1) not in again.of("stage")
    assert again.of("say")[0] == (
        f"{folder}: the adapter of this recipe is there already"
    )
    assert trained.retrained.folder == found.retrained.folder
    # The very adapter that `datainf train` makes has the same retrainings.
    named = prepare(judged(reviews, tmp_path))
    assert named.retrained.folder == found.retrained.folder


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"recipe": recipe("query")}, "recipe"),
        ({"task": {"max_length": 7}}, "task"),
    ],
)
def test_the_adapter_of_another_run_is_refused(reviews, tmp_path, changes, what):
    prepare(without_adapter(reviews, tmp_path))
    with refused(
        f"{tmp_path / 'adapter'} holds an adapter with another {what} than this run's; "
        "give --out a folder of its own, or leave the recipe to the adapter."
    ):
        prepare(without_adapter(reviews, tmp_path, **changes))


def test_an_adapter_of_another_recipe_is_refused(reviews, tmp_path):
    other = Recipe(peft={"r": 2}, training={"learning_rate": 0.5})
    with refused(
        f"{reviews.adapter} holds an adapter with another recipe than this run's; give "
        "--out a folder of its own, or leave the recipe to the adapter."
    ):
        prepare(replace(judged(reviews, tmp_path), recipe=other))


@pytest.mark.parametrize("missing", ["recipe", "model", "train"])
def test_an_adapter_that_cannot_be_trained_again_is_refused(reviews, tmp_path, missing):
    without: dict[str, Any] = {missing: None}
    with refused(
        f"the adapter {reviews.adapter} cannot be trained again: its folder has no "
        "run.yaml of `datainf train` with model, train and recipe; give --model, "
        "--train and --recipe as it was trained, or leave --adapter out, and it is "
        "trained first."
    ):
        prepare(replace(judged(reviews, tmp_path), **without))


def test_queries_are_needed(reviews, tmp_path):
    with refused("no queries given; name a file with --queries FILE, or in run.yaml."):
        prepare(replace(judged(reviews, tmp_path), queries=None))


def test_means_and_sums_of_token_losses_share_their_retrainings(tmp_path):
    sums = language_folders(tmp_path)
    config = judged(sums, tmp_path / "out")
    found = {
        reduction: prepare(
            replace(config, task={**config.task, "reduction": reduction})
        )
        for reduction in ("mean", "sum")
    }
    assert found["mean"].retrained.folder == found["sum"].retrained.folder
    assert str(found["sum"].config.task["reduction"]) == "sum"


@pytest.mark.parametrize(("removed", "left"), [(8, 3), (9, 2)])
def test_subsets_smaller_than_a_batch_are_refused(reviews, tmp_path, removed, left):
    ground = prepare(judged(reviews, tmp_path))
    ground.require_batches(7)
    with refused(
        f"without {removed} of 11 examples, {left} are left, fewer than a batch of 4; "
        "remove fewer, train with a smaller batch, or keep the batch order "
        "(--batch-order kept)."
    ):
        ground.require_batches(removed)


# --- outcomes -----------------------------------------------------------------------


def outcomes(table):
    return [
        Outcome(None if row is None else tuple(row), "" if row else "nan", 1.0)
        for row in table
    ]


ROWS = [[0.1, 0.2], None, [0.3, 0.1], [0.2, 0.4], [0.5, 0.3]]


def test_diverged_trainings_leave_a_gap_that_is_told():
    losses, there = losses_of(outcomes(ROWS))
    assert there.tolist() == [True, False, True, True, True]
    np.testing.assert_array_equal(losses, [row for row in ROWS if row])


def test_too_few_trainings_that_did_not_diverge_are_refused():
    message = (
        "2 of 4 retrainings diverged, and fewer than 3 are left; lower learning_rate."
    )
    with pytest.raises(NonFiniteError, match=f"^{re.escape(message)}$"):
        losses_of(outcomes([None, [0.1], None, [0.2]]))


def test_the_ceiling_is_of_pairs_that_both_did_not_diverge():
    found = ceiling_of(outcomes(ROWS), outcomes([*ROWS[:2], *ROWS[2:4]]))
    assert found is not None
    assert (found["twins"], found["agreement"], found["perfect_predictor"]) == (3, 1, 1)
    assert ceiling_of(outcomes(ROWS), outcomes(ROWS[:3])) is None


# --- classes ------------------------------------------------------------------------


def looked(labels):
    task = SequenceClassification(tiny_tokenizer(), num_labels=5)
    rows = [{"text": "a", "label": label} for label in labels]
    return look_at(rows, task, Logged(), text=False)


@pytest.mark.parametrize(
    ("trained", "asked", "said"),
    [
        ([0, 0, 1, 1], [0, 1], []),
        ([0, 0, 1, 1], [0, 3, 3, 4], [
            "3 of 4 queries are of a class that no training example has: class 3 (2), "
            "class 4 (1); they are measured, but nothing in the data teaches them."
        ]),
        ([0, 0, 1], [0], [
            "one training example alone is of class 1; subsets without it know nothing "
            "of the class."
        ]),
    ],
)  # fmt: skip
def test_odd_classes_are_told(trained, asked, said):
    task = SequenceClassification(tiny_tokenizer(), num_labels=5)
    assert class_findings(task, looked(trained), looked(asked)) == said


def test_tasks_without_classes_have_no_findings():
    assert class_findings(object(), looked([0]), looked([1])) == []
