"""One retraining: the same twice, nothing left over, and what is removed is removed."""

from pathlib import Path

import numpy as np
import pytest

from datainf.core.errors import NonFiniteError
from datainf.core.evaluate_options import BatchOrder
from datainf.integrations.tasks.causal_lm import CausalLM
from datainf.workflows.progress import Logged
from datainf.workflows.retraining import (
    Chosen,
    Outcome,
    Retrainer,
    Retraining,
    query_losses,
)
from datainf.workflows.rows import look_at
from datainf.workflows.subject import load_subject
from tests.tiny_models import tiny_llama, tiny_tokenizer
from tests.workflows.judging import judged
from tests.workflows.run_folders import SUMS, N, Q, review_folders

KEPT, RESHUFFLED = BatchOrder.KEPT, BatchOrder.RESHUFFLED
SOME = (1, 4, 8)


@pytest.fixture(scope="module")
def reviews(tmp_path_factory):
    return review_folders(tmp_path_factory.mktemp("reviews"))


@pytest.fixture(scope="module")
def config(reviews):
    return judged(reviews, Path("unused"))


@pytest.fixture(scope="module")
def retrainer(config):
    return Retrainer(config)


def losses(retrainer, removed=(), order=KEPT, seed=3):
    outcome = retrainer.run(Retraining(removed, order, seed))
    assert outcome.losses is not None
    return np.array(outcome.losses)


def test_without_removing_anything_the_adapter_itself_comes_out(retrainer, config):
    model = load_subject(config).model
    own = query_losses(model, retrainer.task, retrainer.queries)
    np.testing.assert_array_equal(losses(retrainer), own)


def test_kept_is_reshuffled_where_nothing_is_removed(retrainer):
    kept, reshuffled = (Retraining((), order, 3) for order in (KEPT, RESHUFFLED))
    assert kept.key == reshuffled.key
    np.testing.assert_array_equal(
        losses(retrainer, order=KEPT), losses(retrainer, order=RESHUFFLED)
    )


def test_the_same_retraining_gives_the_same_losses_whatever_came_before(
    retrainer, config
):
    fresh = losses(Retrainer(config), SOME)
    losses(retrainer, (2,), RESHUFFLED, seed=4)
    np.testing.assert_array_equal(losses(retrainer, SOME), fresh)


@pytest.mark.parametrize("order", [KEPT, RESHUFFLED])
def test_what_is_removed_has_no_say(config, order):
    """Whatever stands in a removed row, the losses are the same."""
    retrainer, other = Retrainer(config), Retrainer(config)
    rows = [dict(retrainer.train[i]) for i in range(N)]
    for i in SOME:
        rows[i] = {"text": rows[i]["text"][::-1], "label": "awful"}
    other.train = rows
    np.testing.assert_allclose(
        losses(other, SOME, order), losses(retrainer, SOME, order), rtol=1e-6
    )
    changed = losses(other, (), order) - losses(retrainer, (), order)
    assert np.abs(changed).max() > 1e-5  # as long as they are there, they have one


def test_orders_seeds_and_sets_are_different_trainings(retrainer):
    asked = [
        Retraining(SOME, KEPT, 3),
        Retraining(SOME, RESHUFFLED, 3),
        Retraining(SOME, KEPT, 4),
        Retraining((1, 4), KEPT, 3),
    ]
    assert len({one.key for one in asked}) == len(asked)
    found = {retrainer.run(one).losses for one in asked}
    assert len(found) == len(asked)


def test_a_training_that_diverges_is_an_outcome_and_the_next_is_unharmed(
    config, retrainer, monkeypatch
):
    broken = Retrainer(config)
    asked = Retraining(SOME, KEPT, 3)

    def diverges(model, *_, **__):
        model.classifier = None  # as if an adapter were still on it
        raise NonFiniteError("training ended with the mean loss nan.")

    with monkeypatch.context() as patch:
        patch.setattr("datainf.workflows.retraining.train", diverges)
        found = broken.run(asked)
    assert (found.losses, found.problem) == (
        None,
        "training ended with the mean loss nan.",
    )
    assert broken.run(asked).losses == retrainer.run(asked).losses


def test_an_outcome_is_read_as_it_was_written():
    for losses in (None, (0.1, 1 / 3)):
        outcome = Outcome(losses, "why", 1.5)
        assert Outcome.from_dict(outcome.to_dict()) == outcome


def test_query_losses_do_not_depend_on_the_batches_and_are_means_of_tokens():
    model, rows = tiny_llama(), SUMS[:Q]
    found = []
    for reduction, tokens in (("mean", 4096), ("mean", 16), ("sum", 16)):
        task = CausalLM(tiny_tokenizer(), reduction=reduction)
        looked = look_at(rows, task, Logged(), text=False)
        found.append(query_losses(model, task, looked, tokens=tokens))
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], rtol=1e-5)


def test_a_query_without_a_number_for_a_loss_is_named(retrainer, config):
    model = load_subject(config).model
    for parameter in model.parameters():
        parameter.data.fill_(float("nan"))
    with pytest.raises(NonFiniteError, match=r"^the loss of query 0 is nan after a"):
        query_losses(model, retrainer.task, retrainer.queries)


def test_chosen_examples_keep_their_order():
    chosen = Chosen("abcdefg", np.array([1, 4, 6]))
    assert [chosen[i] for i in range(len(chosen))] == ["b", "e", "g"]
