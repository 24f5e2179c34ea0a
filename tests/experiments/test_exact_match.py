"""Greedy answers in batches equal greedy answers one by one."""

import torch

from datainf.experiments.exact_match import answers, exact_match
from datainf.integrations.tasks.causal_lm import CausalLM
from tests.tiny_models import tiny_llama, tiny_tokenizer

PROMPTS = ["a b", "the cat sat", "x", "one two three"]


def test_an_answer_does_not_depend_on_the_batch() -> None:
    model, task = tiny_llama(dtype=torch.float64), CausalLM(tiny_tokenizer())
    together = answers(model, task, PROMPTS, max_new_tokens=5)
    alone = [answers(model, task, [p], max_new_tokens=5)[0] for p in PROMPTS]
    assert together == alone
    assert answers(model, task, PROMPTS, max_new_tokens=5, batch_size=3) == alone


def test_a_prompt_is_read_as_in_training() -> None:
    model, task = tiny_llama(dtype=torch.float64), CausalLM(tiny_tokenizer())
    (found,) = answers(model, task, ["the cat"], max_new_tokens=4)
    ids = torch.tensor([task.tokenizer("the cat")["input_ids"]])  # <s> and the prompt
    for _ in range(4):
        following = model(input_ids=ids).logits[0, -1].argmax()
        ids = torch.cat([ids, following.view(1, 1)], dim=1)
    assert ids[0, 0] == task.tokenizer.bos_token_id
    expected = task.tokenizer.decode(ids[0, -4:], skip_special_tokens=True)
    assert found == expected


def test_the_models_mode_is_left_as_it_was() -> None:
    model = tiny_llama().train()
    answers(model, CausalLM(tiny_tokenizer()), ["a"], max_new_tokens=1)
    assert model.training


def test_exact_match_counts_to_the_letter() -> None:
    rows = [{"completion": "a b"}, {"completion": "c"}, {"completion": "d"}]
    assert exact_match(["a b", "C", "d"], rows) == 2 / 3
