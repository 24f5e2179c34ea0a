"""Weights of examples: ones change nothing, zeros remove, the rest stays as it was."""

import re
from typing import Any

import numpy as np
import pytest
import torch

from datainf.core.errors import DataError
from datainf.core.options import Reduction
from datainf.core.recipe import Recipe
from datainf.integrations import weights as weights_module
from datainf.integrations.tasks.callable import CallableTask
from datainf.integrations.tasks.causal_lm import CausalLM
from datainf.integrations.tasks.seq2seq import Seq2Seq
from datainf.integrations.tasks.sequence_classification import SequenceClassification
from datainf.integrations.tasks.token_classification import TokenClassification
from datainf.integrations.trainer import train
from datainf.integrations.weights import (
    WEIGHTS,
    Weighted,
    reduces,
    weighted,
    weighted_loss,
    with_reduction,
)
from tests.tiny_models import (
    tiny_bert_classifier,
    tiny_bert_tagger,
    tiny_llama,
    tiny_t5,
    tiny_tokenizer,
)

N = 7
TEXTS = [{"text": "ab" * (i + 1), "label": i % 3} for i in range(N)]
PAIRS = [{"prompt": "a" * (i + 1), "completion": "bcd"[: i % 3 + 1]} for i in range(N)]
WORDS = [
    {"tokens": ["ab"] * (i % 4 + 1), "ner_tags": [i % 3] * (i % 4 + 1)}
    for i in range(N)
]
TOKENIZER = tiny_tokenizer()
CASES: dict[str, Any] = {
    "class": (
        tiny_bert_classifier,
        SequenceClassification(TOKENIZER, num_labels=3),
        TEXTS,
        ["query", "value"],
    ),
    "causal": (tiny_llama, CausalLM(TOKENIZER), PAIRS, ["q_proj", "v_proj"]),
    "seq2seq": (tiny_t5, Seq2Seq(TOKENIZER), PAIRS, ["q", "v"]),
    "tags": (
        tiny_bert_tagger,
        TokenClassification(TOKENIZER, num_labels=3),
        WORDS,
        ["query", "value"],
    ),
}


def trained(case, weights=None):
    base, task, rows, targets = CASES[case]
    recipe = Recipe(
        peft={"r": 2, "target_modules": targets},
        training={
            "num_train_epochs": 2,
            "per_device_train_batch_size": 3,
            "learning_rate": 1e-2,
        },
    )
    model = train(base().double(), rows, task, recipe, weights=weights)
    return {n: p.detach() for n, p in model.named_parameters() if p.requires_grad}


@pytest.mark.parametrize("case", CASES)
def test_with_every_weight_one_training_is_as_without_weights(case):
    with_ones, without = trained(case, np.ones(N)), trained(case)
    assert with_ones.keys() == without.keys()
    for name, tensor in without.items():
        # The loss of transformers' classifiers and language models is in float32.
        torch.testing.assert_close(with_ones[name], tensor, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_a_batch_loses_the_removed_and_the_others_count_as_before(case):
    base, task, rows, _ = CASES[case]
    model = base().double()
    weights = [1.0, 0.0, 0.5]
    pairs = [Weighted(rows, [*weights, *[1.0] * (N - 3)])[i] for i in range(3)]
    found = weighted_loss(task, model, weighted(task)(pairs), None)
    batch = task.collate(rows[:3])
    losses = task.losses(model, batch).detach()  # means over each example's tokens
    counts = torch.ones(3)
    if case != "class":
        counts = torch.stack([(y != -100).sum() for y in batch["labels"]])
    expected = (torch.tensor(weights) * losses * counts).sum() / counts.sum()
    torch.testing.assert_close(found.detach(), expected, rtol=1e-6, atol=1e-8)


def test_a_loss_of_ones_own_is_weighed_too():
    task = CallableTask(lambda model, batch: model(batch["x"]).square().sum(1))
    rows = [{"x": torch.full((2,), float(i))} for i in range(3)]
    batch = weighted(task)([(row, i) for i, row in enumerate(rows)])
    found = weighted_loss(task, torch.nn.Identity(), batch, None)
    assert float(found) == pytest.approx((0 * 0 + 1 * 2 + 2 * 8) / 3)
    assert WEIGHTS in batch


def test_the_reduction_of_a_task_that_has_none_is_left_alone():
    for case, chooses in {"class": False, "causal": True, "tags": False}.items():
        task = CASES[case][1]
        assert reduces(task) is chooses
        assert (with_reduction(task, Reduction.SUM) is task) is not chooses


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0], "weights must be one number an example: 7 of them, got shape [1]."),
        ([-1.0] * N, "weights must be finite numbers of at least 0."),
        ([np.nan] * N, "weights must be finite numbers of at least 0."),
        ([0.0] * N, "weights are all 0: there is nothing to train on."),
    ],
)
def test_weights_that_mean_nothing_are_refused(weights, message):
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        Weighted(TEXTS, weights)


@pytest.mark.parametrize("case", CASES)
def test_leaving_out_examples_of_weight_zero_changes_no_loss_and_no_gradient(
    case, monkeypatch
):
    base, task, rows, _ = CASES[case]
    model = undropped(base().double()).train()
    seen = []
    first = next(m for m in model.modules() if isinstance(m, torch.nn.Linear))
    first.register_forward_hook(lambda _, __, output: seen.append(len(output)))
    for given in ([1.0, 0.0, 0.5, 0.0, 2.0], [0.0] * 5):
        weighed = Weighted(rows[:6], [*given, 1.0])
        batch = weighted(task)([weighed[i] for i in range(5)])
        found = []
        for apart in (True, False):
            monkeypatch.setattr(
                weights_module, "rows_are_apart", lambda _, apart=apart: apart
            )
            seen.clear()
            model.zero_grad()
            loss = weighted_loss(task, model, batch, None)
            loss.backward()
            gradients = [p.grad for p in model.parameters() if p.grad is not None]
            found.append((loss.detach(), gradients))
            assert seen[0] == (max(1, np.count_nonzero(given)) if apart else 5)
        torch.testing.assert_close(*(loss for loss, _ in found))
        for one, other in zip(*(each for _, each in found), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-7)


def test_a_loss_of_the_users_own_sees_the_whole_batch():
    task = CallableTask(lambda _, batch: batch["x"][:, 0])
    batch = {"x": torch.ones(3, 1), WEIGHTS: torch.tensor([1.0, 0.0, 1.0])}
    loss = weighted_loss(task, torch.nn.Identity(), batch, None)
    assert float(loss) == pytest.approx(2 / 3)


def undropped(model):
    """Nothing drops: neither a module of dropout nor one that calls the function."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        for name, value in vars(module).copy().items():
            if "dropout" in name and isinstance(value, float):
                setattr(module, name, 0.0)
    return model
