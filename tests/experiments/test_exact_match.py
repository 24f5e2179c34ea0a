"""Greedy answers in batches equal greedy answers one by one."""

import torch

from datainf.experiments.exact_match import answers, exact_match
from tests.tiny_models import tiny_llama, tiny_tokenizer

PROMPTS = ["a b", "the cat sat", "x", "one two three"]


def test_an_answer_does_not_depend_on_the_batch() -> None:
    model, tokenizer = tiny_llama(dtype=torch.float64), tiny_tokenizer(bos=False)
    together = answers(model, tokenizer, PROMPTS, max_new_tokens=5)
    alone = [answers(model, tokenizer, [p], max_new_tokens=5)[0] for p in PROMPTS]
    assert together == alone
    assert answers(model, tokenizer, PROMPTS, max_new_tokens=5, batch_size=3) == alone


def test_the_models_mode_is_left_as_it_was() -> None:
    model = tiny_llama().train()
    answers(model, tiny_tokenizer(bos=False), ["a"], max_new_tokens=1)
    assert model.training


def test_exact_match_counts_to_the_letter() -> None:
    rows = [{"completion": "a b"}, {"completion": "c"}, {"completion": "d"}]
    assert exact_match(["a b", "C", "d"], rows) == 2 / 3
