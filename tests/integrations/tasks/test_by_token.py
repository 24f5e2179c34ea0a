"""Tokens and labels of each task stand at the same places."""

import torch

from datainf.core.task import TokenTask
from tests.task_cases import CASES


def places(name: str, row: int) -> tuple[list[str], list[bool]]:
    """Texts of an example's tokens, and which of them are learned."""
    case = CASES[name]
    task = case.make()
    assert isinstance(task, TokenTask)
    with torch.no_grad():
        batch = task.collate([case.rows[row]])
        weights = task.token_losses(case.model("sdpa"), batch).weights[0]
    return task.token_texts(case.rows[row]), (weights > 0).tolist()


def test_a_language_model_learns_the_completion():
    texts, learned = places("prompts", 0)
    assert texts == ["<s>", *"2 + 2 = ", "4", "</s>"]
    assert learned == [False] * 9 + [True] * 2


def test_nothing_predicts_the_first_token_of_a_text():
    texts, learned = places("text", 0)
    assert texts == ["<s>", *"abc", "</s>"]
    assert learned == [False, True, True, True, True]


def test_a_sequence_to_sequence_model_learns_its_target():
    texts, learned = places("source and target", 2)
    assert "".join(texts).startswith("<s>yes")
    assert all(learned)


def test_a_tagger_learns_the_first_token_of_each_word_with_a_label():
    texts, learned = places("words", 2)
    assert texts == ["<s>", *"she", *"left", *"rome"]
    assert [text for text, one in zip(texts, learned, strict=True) if one] == ["s", "r"]
