"""The laws of `core.task.Task`, on every task and every shape of row."""

from collections.abc import Sequence

import pytest
import torch
from torch import nn

from datainf.core.canonical import canonical_json
from datainf.core.task import Example, Task, TokenTask
from datainf.integrations.tasks.causal_lm import CausalLM
from datainf.integrations.tasks.table import TASKS
from datainf.integrations.tasks.text_to_image import TextToImage
from tests.task_cases import CASES, PROMPTS, Case, language_model
from tests.tiny_diffusion import DIFFUSERS
from tests.tiny_models import tiny_tokenizer

# They meet the model libraries, so they also run with their lowest versions.
pytestmark = pytest.mark.versions

each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def losses(task: Task, model: nn.Module, rows: Sequence[Example]) -> torch.Tensor:
    with torch.no_grad():
        return task.losses(model, task.collate(rows))


def alone(task: Task, model: nn.Module, rows: Sequence[Example]) -> torch.Tensor:
    return torch.cat([losses(task, model, [row]) for row in rows])


@each_case
def test_the_loss_of_an_example_does_not_depend_on_the_others_in_its_batch(case: Case):
    task, model = case.make(), case.model("sdpa")
    torch.testing.assert_close(
        losses(task, model, case.rows),
        alone(task, model, case.rows),
        rtol=case.rtol,
        atol=0,
    )


@each_case
def test_losses_come_in_the_order_of_the_batch(case: Case):
    task, model = case.make(), case.model("sdpa")
    order = [2, 0, 1]
    mixed = losses(task, model, [case.rows[i] for i in order])
    together = losses(task, model, case.rows)
    torch.testing.assert_close(mixed, together[order], rtol=case.rtol, atol=0)
    assert len({round(float(loss), 9) for loss in together}) == len(case.rows)


@each_case
def test_eager_and_sdpa_attention_give_the_same_losses(case: Case):
    task = case.make()
    # Without padding: see `test_causal_lm` for eager attention in double precision.
    # Eager attention takes its softmax in float32, whatever the model's precision is.
    torch.testing.assert_close(
        alone(task, case.model("eager"), case.rows),
        alone(task, case.model("sdpa"), case.rows),
        rtol=1e-6,
        atol=0,
    )


@each_case
def test_length_is_the_number_of_tokens_of_the_example_alone(case: Case):
    task = case.make()
    for row in case.rows:
        assert task.length(row) == case.tokens(task.collate([row]))


@each_case
def test_every_tensor_of_a_batch_has_one_entry_an_example(case: Case):
    batch = case.make().collate(case.rows)
    assert {len(value) for value in batch.values()} == {len(case.rows)}


@each_case
def test_losses_are_differentiable(case: Case):
    task, model = case.make(), case.model("sdpa")
    task.losses(model, task.collate(case.rows)).sum().backward()
    trained = [p for p in model.parameters() if p.requires_grad]
    assert trained
    assert all(p.grad is not None and bool(p.grad.any()) for p in trained)


@each_case
def test_settings_are_json_and_the_same_for_equal_tasks(case: Case):
    assert canonical_json(case.make().settings()) == canonical_json(
        case.make().settings()
    )


@each_case
def test_a_description_is_a_text_for_every_row(case: Case):
    task = case.make()
    texts = [task.describe(row) for row in case.rows]
    assert len(set(texts)) == len(case.rows)


def test_what_is_padding_and_prompt_enters_no_loss():
    model = language_model("sdpa")
    task = CausalLM(tiny_tokenizer(), append_eos=False)
    batch = dict(task.collate(PROMPTS))
    with torch.no_grad():
        logits = model(
            input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]
        ).logits
    for i, row in enumerate(PROMPTS):
        ids = task.tokenizer(row["prompt"] + row["completion"])["input_ids"]
        start = len(ids) - len(row["completion"])
        words = logits[i].log_softmax(dim=1)
        wanted = -sum(words[t - 1, ids[t]] for t in range(start, len(ids)))
        wanted = wanted / len(row["completion"])
        torch.testing.assert_close(
            losses(task, model, PROMPTS)[i], wanted, rtol=1e-12, atol=0
        )


@pytest.mark.parametrize("name", TASKS)
def test_every_task_of_the_table_has_a_case(name: str):
    if name == TextToImage.name and not DIFFUSERS:
        pytest.skip("diffusers cannot be imported with these versions")
    assert any(case.make().settings()["name"] == name for case in CASES.values())


by_token = [name for name, case in CASES.items() if isinstance(case.make(), TokenTask)]


@pytest.mark.parametrize("name", by_token)
def test_token_losses_times_weights_sum_to_the_losses(name: str):
    case = CASES[name]
    task, model = case.make(), case.model("sdpa")
    assert isinstance(task, TokenTask)
    with torch.no_grad():
        found = task.token_losses(model, task.collate(case.rows))
    torch.testing.assert_close(
        (found.losses * found.weights).sum(dim=1),
        losses(task, model, case.rows),
        rtol=case.rtol,
        atol=0,
    )


@pytest.mark.parametrize("name", by_token)
def test_every_token_of_an_example_alone_has_a_text(name: str):
    case = CASES[name]
    task, model = case.make(), case.model("sdpa")
    assert isinstance(task, TokenTask)
    for row in case.rows:
        with torch.no_grad():
            found = task.token_losses(model, task.collate([row]))
        assert found.losses.shape == (1, len(task.token_texts(row)))


def test_language_models_and_taggers_have_losses_by_token():
    kinds = {kind for kind in TASKS.values() if hasattr(kind, "token_losses")}
    assert {kind.name for kind in kinds} == {
        "causal-lm",
        "seq2seq",
        "token-classification",
    }
