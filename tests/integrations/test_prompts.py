"""Prompt learning: what trains, one prompt an example, and the tasks that meet it."""

from typing import Any

import peft
import pytest
import torch

from datainf.capture.session import CaptureSession
from datainf.integrations.peft import adapter_of
from datainf.integrations.prompts import (
    ignores_positions,
    prompt_parameters,
    prompts_per_example,
)
from datainf.integrations.tasks.causal_lm import CausalLM
from tests.capture.comparing import same, state_of
from tests.capture.peft_cases import PEFT_CASES, peft_model
from tests.cases import decoder
from tests.tiny_models import tiny_tokenizer

PROMPTS = [name for name, case in PEFT_CASES.items() if case.right_only]


@pytest.mark.parametrize("name", PROMPTS)
def test_an_encoder_trains_whole_and_a_finished_prompt_alone(name: str) -> None:
    model = peft_model(PEFT_CASES[name], "decoder")
    start = "prompt_encoder.default."
    every = {n for n, _ in model.named_parameters() if n.startswith(start)}
    assert prompt_parameters(model, "default") == every
    model.peft_config["default"].inference_mode = True
    assert prompt_parameters(model, "default") == {f"{start}embedding.weight"}


def test_other_adapters_have_no_prompt() -> None:
    model = decoder()
    assert prompt_parameters(model, "default") == set()
    assert not ignores_positions(model)
    assert not ignores_positions(model.get_base_model())
    before = state_of(model)
    with prompts_per_example(model, "default"):
        assert same(before, state_of(model))


@pytest.mark.parametrize("name", PROMPTS)
@pytest.mark.parametrize("finished", [True, False])
def test_the_prompts_of_the_scope_are_pefts_own_and_everything_comes_back(
    name: str, finished: bool
) -> None:
    model = peft_model(PEFT_CASES[name], "decoder")
    if finished and name in {"P-tuning", "Prefix tuning, projected"}:
        return  # only a loaded one is finished: test_peft_types.py
    model.peft_config["default"].inference_mode = finished
    assert ignores_positions(model)
    ids = torch.tensor([[5, 6, 7], [8, 9, 10]])
    before, right = state_of(model), model(ids).logits
    seen: list[int] = []

    def fail_inside() -> Any:
        encoder: Any = model.prompt_encoder["default"]
        with prompts_per_example(model, "default"):
            handle = encoder.embedding.register_forward_hook(
                lambda _, args, __: seen.append(len(args[0]))
            )
            found.append(model(ids).logits)
            handle.remove()
            raise KeyError

    found: list[torch.Tensor] = []
    with pytest.raises(KeyError):
        fail_inside()
    (inside,) = found
    torch.testing.assert_close(inside, right)
    assert seen == [2]
    assert same(before, state_of(model))


def test_the_language_task_gives_no_positions_that_peft_would_drop() -> None:
    model = peft_model(PEFT_CASES["Prompt tuning"], "decoder")
    task = CausalLM(tiny_tokenizer("right"))
    rows = [{"text": "the first"}, {"text": "second"}]
    with CaptureSession(model, adapter_of(model), task) as session:
        session.probe(rows)
        found, losses = session.gradients(task.collate(rows))
    assert list(found) == ["prompt_encoder.embedding.weight"]
    assert losses.shape == (2,)
    left = CausalLM(tiny_tokenizer("left"), padding_side="left")
    # A warning of PEFT's would be an error here.
    assert left.losses(model, left.collate(rows)).shape == (2,)
    assert isinstance(model, peft.PeftModel)
