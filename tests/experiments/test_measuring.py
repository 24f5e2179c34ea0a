"""What is measured of a method: its scores and costs, from its own gradients."""

import numpy as np
import pytest
import torch

from datainf.core.checkpoint import Checkpoint, Moments
from datainf.core.errors import DataError
from datainf.core.options import Output
from datainf.experiments.measuring import (
    detected_among,
    embedding_scores,
    loss_scores,
    scored,
)
from datainf.experiments.variants import Variant
from datainf.integrations.hidden_states import mean_hidden_states
from datainf.integrations.tasks.causal_lm import CausalLM
from datainf.store.memory import InMemorySource
from datainf.workflows.score import score
from tests.tiny_models import tiny_llama, tiny_tokenizer


def source(rows, seed):
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(rows, 5, generator=generator)
    return InMemorySource({"a": values}, losses=torch.zeros(rows))


SOURCES = {
    Output.LOSS: (source(11, 0), source(3, 1)),
    Output.MARGIN: (source(11, 2), source(3, 3)),
}
MOMENTS = Moments({"a": torch.zeros(5)}, {"a": torch.ones(5)}, {"a": 1})


def not_asked():
    raise AssertionError("no moments are needed here")


@pytest.mark.parametrize(("method", "output"), [("exact", "loss"), ("trak", "margin")])
def test_a_method_gets_the_gradients_of_its_output(method, output):
    key = Variant(method).key
    scores, cost = scored(key, SOURCES.__getitem__, not_asked)
    expected = score(*SOURCES[Output(output)], method=method)
    np.testing.assert_array_equal(scores.values, expected.values)
    assert cost["residual"] == pytest.approx(np.nanmax(expected.residual))
    assert cost["seconds"] > 0


def test_a_method_that_steps_gets_the_moments():
    scores, cost = scored(Variant("less").key, SOURCES.__getitem__, lambda: MOMENTS)
    checkpoint = Checkpoint(*SOURCES[Output.LOSS], moments=MOMENTS)
    np.testing.assert_array_equal(
        scores.values, score([checkpoint], method="less").values
    )
    assert cost["residual"] is None  # it solves no system


def test_embeddings_are_compared_by_their_angle():
    model, task = tiny_llama(), CausalLM(tiny_tokenizer())
    train = [{"text": t} for t in ("a cat", "a dog sat", "one", "two of them", "x")]
    queries = [{"text": "a cat"}, {"text": "dogs"}, {"text": "one two"}]
    found = embedding_scores(model, task, train, queries)
    known, asked = (
        mean_hidden_states(model, task, rows).double() for rows in (train, queries)
    )
    expected = -torch.nn.functional.cosine_similarity(
        asked[:, None], known[None], dim=-1
    )
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-6)
    assert found[0, 0] == pytest.approx(-1)


def test_classes_of_one_picture_are_found_or_not():
    train = [{"class": name} for name in ("a", "b", "c")]
    queries = [{"class": "a"}, {"class": "c"}]
    # The first query finds its only picture at once, the second last of all.
    scores = [[-3.0, -2.0, -1.0], [-3.0, -2.0, -1.0]]
    assert detected_among(scores, train, queries) == {"auc": 0.5, "recall": 0.5}
    with pytest.raises(DataError, match="class"):
        detected_among(scores[:1], train[:1], queries[:1])


def test_the_highest_loss_comes_first_whatever_is_asked():
    np.testing.assert_array_equal(loss_scores([1.0, 3.0], 2), [[-1.0, -3.0]] * 2)
