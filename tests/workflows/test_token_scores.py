"""Token scores against autograd token by token, and against the scores they sum to."""

import re

import numpy as np
import pytest
import torch

from datainf.core.errors import DatainfWarning, OptionError
from datainf.core.task import TokenTask
from datainf.core.token_scores import Side
from datainf.integrations.peft import adapter_of
from datainf.integrations.tasks.callable import CallableTask
from datainf.integrations.tasks.sequence_classification import SequenceClassification
from datainf.workflows import token_scores as module
from datainf.workflows.attribute import attribute
from datainf.workflows.token_scores import taken, token_scores
from tests.estimators.gradient_sets import GROUPING, N, Portioned, random_gradients
from tests.reference_gradients import gradients_one_by_one
from tests.task_cases import CASES, squared_logits
from tests.tiny_models import tiny_tokenizer

TRAIN = [
    {"prompt": "2 + 2 = ", "completion": "4"},
    {"prompt": "reverse: ", "completion": "a long answer, too"},
    {"prompt": "x", "completion": "yes"},
    {"prompt": "say ", "completion": "no, no"},
    {"prompt": "", "completion": "abc"},
]
QUERIES = [
    {"prompt": "1 + 1 = ", "completion": "2."},
    {"prompt": "say", "completion": "yes!"},
]
NORMALIZED = [
    (method, normalize)
    for method in GROUPING
    for normalize in (
        ["example"] if method == "cosine" else ["none", "example", "block", "relatif"]
    )
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("stores")


def sums_of(found, scores):
    """Largest gap between a side's sum and its score, over the tokens' sizes."""
    gaps = []
    for row in found:
        wanted = scores.values[row.query, row.train]
        gaps.append(abs(row.total - wanted) / np.nansum(np.abs(row.scores)))
    return max(gaps)


@pytest.mark.parametrize(("method", "normalize"), NORMALIZED)
def test_tokens_of_either_side_sum_to_the_score(method, normalize, cache):
    case = CASES["prompts"]
    model, task = case.model("sdpa"), case.make()
    how = {"method": method, "normalize": normalize, "cache": cache}
    scores = attribute(model, TRAIN, QUERIES, task, **how)
    found = token_scores(model, TRAIN, QUERIES, task, top=2, **how)
    sides = {(row.query, row.train): 0 for row in found}
    assert len(list(found)) == 2 * len(sides)
    assert sums_of(found, scores) < 5e-6  # scores are of gradients kept in fp32
    assert len(found.to_pandas()) < len(found.table)


@pytest.mark.parametrize("name", ["prompts, summed", "source and target", "words"])
def test_each_token_has_the_product_of_its_own_gradient(name):
    """By `dot`, whose direction is the other side's gradient itself."""
    case = CASES[name]
    model, task = case.model("sdpa"), case.make()
    assert isinstance(task, TokenTask)
    rows = list(case.rows)
    found = token_scores(model, rows, rows[:2], task, method="dot", pairs=[(0, 1)])
    parameters = {t.block.name: t.parameter for t in adapter_of(model).parameters}
    whole = gradients_one_by_one(model, task, rows, parameters)
    for row, (own, other) in zip(found, [(1, 0), (0, 1)], strict=True):
        losses, weights = task.token_losses(model, task.collate([rows[own]]))
        wanted = []
        for loss, weight in zip(losses[0], weights[0], strict=True):
            if weight == 0:
                wanted.append(np.nan)
                continue
            parts = torch.autograd.grad(
                loss, list(parameters.values()), retain_graph=True
            )
            product = sum(
                float(part.flatten() @ whole[n][other])
                for part, n in zip(parts, parameters, strict=True)
            )
            wanted.append(-float(weight) * product)
        np.testing.assert_allclose(row.scores, wanted, rtol=1e-4, atol=1e-9)


def test_only_label_tokens_have_scores_and_no_padding_is_there():
    case = CASES["prompts"]
    task = case.make()
    found = token_scores(
        case.model("sdpa"), TRAIN, QUERIES, task, pairs=[(1, 0)], method="dot"
    )
    train, query = found
    assert (train.side, query.side) == (Side.TRAIN, Side.QUERY)
    assert "".join(train.tokens) == "<s>2 + 2 = 4</s>"
    assert np.isfinite(train.scores).tolist() == [False] * 9 + [True] * 2
    assert "".join(query.tokens) == "<s>sayyes!</s>"
    assert np.isfinite(query.scores).sum() == 5


def test_few_rows_at_a_time_give_the_same(cache, monkeypatch):
    case = CASES["prompts"]
    model, task = case.model("sdpa"), case.make()
    whole = token_scores(model, TRAIN, QUERIES, task, cache=cache)
    monkeypatch.setattr(module, "_BYTES", 1)
    cut = token_scores(model, TRAIN, QUERIES, task, cache=cache)
    np.testing.assert_allclose(
        cut.table["score"].to_numpy(float), whole.table["score"].to_numpy(float), 1e-3
    )


def test_a_sum_that_is_not_the_score_is_told(cache, monkeypatch):
    case = CASES["prompts"]
    monkeypatch.setattr(module, "_TOLERANCE", -1.0)
    with pytest.warns(DatainfWarning, match="sum to .* and their score is"):
        token_scores(
            case.model("sdpa"), TRAIN, QUERIES, case.make(), cache=cache, pairs=[(0, 0)]
        )


def test_a_pair_that_has_no_score_is_refused(cache):
    case = CASES["prompts"]
    message = (
        "pairs: training example 7 is not among the 5 that have scores; give numbers "
        "of rows in the data, from 0."
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        token_scores(
            case.model("sdpa"), TRAIN, QUERIES, case.make(), cache=cache, pairs=[(0, 7)]
        )


@pytest.mark.parametrize(
    ("task", "name"),
    [
        (SequenceClassification(tiny_tokenizer()), "sequence-classification"),
        (CallableTask(squared_logits), "callable"),
    ],
)
def test_a_task_without_losses_by_token_is_refused_before_any_work(task, name):
    message = (
        f"token scores need a loss for each token, and the task {name} has one for "
        "each example; use causal-lm, seq2seq or token-classification"
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}"):
        token_scores(torch.nn.Identity(), TRAIN, QUERIES, task)


def test_taken_rows_are_those_of_the_source():
    rows = random_gradients(N, 1)
    found = next(taken(Portioned(rows, 2), [1, 4, 5]).rows())
    for name, tensor in rows.items():
        assert torch.equal(found.gradients[name], tensor[[1, 4, 5]])


def test_token_scores_of_margins_are_refused_before_any_work():
    case = CASES["prompts"]
    message = (
        "token scores are parts of the loss, got output='margin'; use output='loss'."
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        token_scores(torch.nn.Identity(), TRAIN, QUERIES, case.make(), output="margin")


def test_tokens_sum_to_scores_with_the_curvature_of_drawn_labels(cache):
    case = CASES["prompts"]
    model, task = case.model("sdpa"), case.make()
    how = {"fisher": "sampled", "cache": cache}
    scores = attribute(model, TRAIN, QUERIES, task, **how)
    found = token_scores(model, TRAIN, QUERIES, task, top=1, **how)
    assert sums_of(found, scores) < 5e-6
