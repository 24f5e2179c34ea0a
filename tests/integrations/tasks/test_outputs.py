"""Margins and drawn labels, on every task that the library has."""

import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from datainf.core.canonical import sha256_of
from datainf.core.errors import OptionError
from datainf.core.options import CollectOptions
from datainf.core.task import Task
from datainf.integrations.tasks.callable import CallableTask
from datainf.integrations.tasks.outputs import (
    DRAW,
    MarginTask,
    SampledTask,
    with_output,
)
from datainf.integrations.tasks.predictions import Predictive
from tests.cases import TokenTask
from tests.task_cases import CASES, Case, squared_logits

# A loss of the user's own says nothing of labels.
LIBRARY = {
    name: case for name, case in CASES.items() if isinstance(case.make(), Predictive)
}
each_case = pytest.mark.parametrize("case", LIBRARY.values(), ids=LIBRARY)


def draws(case: Case, number: int = 0) -> list[dict[str, Any]]:
    return [{**row, DRAW: (sha256_of([i]), number)} for i, row in enumerate(case.rows)]


def labels_of(batch: Any) -> list[list[float]]:
    (name,) = [name for name in batch if name.startswith("datainf")]
    return [[x for x in row.tolist() if x != -100] for row in batch[name]]


def sampled(case: Case, model: nn.Module, seed: int = 0) -> SampledTask:
    return SampledTask(case.make(), model, 1, seed)


def losses(task: Task, model: nn.Module, rows: Any) -> Tensor:
    with torch.no_grad():
        return task.losses(model, task.collate(rows))


@each_case
def test_drawn_labels_are_those_of_the_example_alone_to_the_bit(case: Case):
    model = case.model("sdpa")
    task, rows = sampled(case, model), draws(case)
    together = labels_of(task.collate(rows))
    turned = labels_of(task.collate(rows[::-1]))[::-1]
    alone = [labels_of(task.collate([row]))[0] for row in rows]
    assert together == turned == alone
    torch.testing.assert_close(
        losses(task, model, rows),
        torch.cat([losses(task, model, [row]) for row in rows]),
        rtol=case.rtol,
        atol=1e-12,
    )


@each_case
def test_seed_and_number_of_the_draw_choose_the_labels(case: Case):
    model = case.model("sdpa")
    by_seed, by_number = (
        {str(labels_of(sampled(case, model, a).collate(draws(case, b)))) for a, b in at}
        for at in ([(k, 0) for k in range(8)], [(0, k) for k in range(8)])
    )
    assert len(by_seed) > 2
    assert len(by_number) > 2


@each_case
def test_at_the_true_labels_the_loss_is_the_tasks_own(case: Case):
    task, model = case.make(), case.model("sdpa")
    batch = task.collate(case.rows)
    with torch.no_grad():
        found = task.predictions(model, batch)  # type: ignore[attr-defined]
        assert torch.equal(found.losses(), task.losses(model, batch))


@each_case
def test_margins_have_one_number_an_example_and_are_differentiable(case: Case):
    task = case.make()
    settings = task.settings()
    if settings.get("reduction") == "sum" or settings.get("problem") == "regression":
        pytest.skip("refused: see test_predictions")
    model = case.model("sdpa")
    margins = MarginTask(task).losses(model, task.collate(case.rows))
    assert margins.shape == (len(case.rows),)
    margins.sum().backward()
    trained = [p for p in model.parameters() if p.requires_grad]
    assert all(p.grad is not None and bool(p.grad.any()) for p in trained)


@pytest.mark.parametrize(
    "name", ["one text", "prompts", "source and target", "several classes", "a number"]
)
def test_the_mean_over_many_draws_tends_to_the_mean_of_the_models_losses(name):
    """The mean loss at drawn labels is the model's entropy (times √m)."""
    case = CASES[name]
    model = case.model("sdpa")
    task = sampled(case, model)
    row, key = case.rows[0], sha256_of(["x"])
    rows = [{**row, DRAW: (key, k)} for k in range(800)]
    found = losses(task, model, rows)
    with torch.no_grad():
        one = task.task.predictions(model, task.task.collate([row]))
    if name == "a number":
        wanted = 0.5
    elif name == "several classes":
        p = one.logits[0].sigmoid()
        wanted = float(-(p * p.log() + (1 - p) * (1 - p).log()).sum()) / p.numel()
        wanted *= p.numel() ** 0.5
    else:
        log = one.logits[0][one.labels[0] != -100].log_softmax(dim=1)
        entropies = -(log.exp() * log).sum(dim=1)
        wanted = float(entropies.mean()) * len(entropies) ** 0.5
    spread = float(found.std()) / len(found) ** 0.5
    assert float(found.mean()) == pytest.approx(wanted, abs=4 * spread + 1e-9)


def test_draws_of_one_example_share_its_forward_pass():
    case = CASES["one text"]
    model = case.model("sdpa")
    calls = []
    handle = model.register_forward_hook(lambda *_: calls.append(1))
    sampled(case, model).collate(
        [draws(case, k)[i] for i in range(2) for k in range(5)]
    )
    handle.remove()
    assert len(calls) == 2


def refused(message: str) -> Any:
    return pytest.raises(OptionError, match=f"^{re.escape(message)}$")


@pytest.mark.parametrize("output", ["margin", "sampled"])
def test_a_loss_alone_has_no_other_output(output):
    model = nn.Identity()
    message = (
        "output={!r} needs what the model says of each label, and the task {} gives "
        "losses alone; use output='loss' and the empirical Fisher, or give a task of "
        "your own a method `predictions`."
    )
    options = CollectOptions(output=output)
    with refused(message.format(output, "callable")):
        with_output(CallableTask(squared_logits), options, model)
    with refused(message.format(output, TokenTask().settings()["name"])):
        with_output(TokenTask(), options, model)


@pytest.mark.parametrize("output", ["loss", "margin"])
def test_draws_without_drawing_are_refused(output):
    options = CollectOptions(output=output, samples=3)
    with refused(
        "samples=3 and sample_seed=0 belong to output='sampled', got "
        f"output={output!r}; leave them out."
    ):
        with_output(CASES["one text"].make(), options, nn.Identity())


def test_the_loss_is_the_task_itself_and_the_rest_say_what_they_are():
    task, model = CASES["one text"].make(), nn.Identity()
    assert with_output(task, CollectOptions(), model) is task
    margin = with_output(task, CollectOptions(output="margin"), model)
    assert margin.settings() == {**task.settings(), "output": {"name": "margin"}}
    options = CollectOptions(output="sampled", samples=3, sample_seed=7)
    drawn = with_output(task, options, model)
    assert drawn.settings() == {
        **task.settings(),
        "output": {"name": "sampled", "samples": 3, "sample_seed": 7},
    }
    row = CASES["one text"].rows[0]
    for wrapped in (margin, drawn):
        assert isinstance(wrapped, Task)
        assert wrapped.describe(row) == task.describe(row)
        assert wrapped.length(row) == task.length(row)
