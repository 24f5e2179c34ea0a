"""Every task of the library has its question."""

import re

import pytest
from torch import nn

from datainf.core.errors import OptionError
from datainf.integrations.tasks.causal_lm import CausalLM
from datainf.integrations.tasks.table import TASKS
from datainf.workflows.questions.language import LanguageQuestion
from datainf.workflows.questions.table import QUESTIONS, question_of
from tests.tiny_models import tiny_tokenizer


def test_every_task_of_the_table_can_be_asked():
    assert list(QUESTIONS) == [name for name in QUESTIONS if name in TASKS]
    assert set(QUESTIONS) == set(TASKS)


def test_a_question_is_made_for_its_task():
    model, task = nn.Identity(), CausalLM(tiny_tokenizer())
    found = question_of(model, task, [{"text": "a"}])
    assert found == LanguageQuestion(model, task, [{"text": "a"}])


def test_a_task_of_another_kind_is_refused():
    class Own:
        def settings(self):
            return {"name": "own"}

    message = (
        f"no question is known for the task own; known are {', '.join(QUESTIONS)}. "
        "Explain your outputs with `datainf attribute --queries FILE`."
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        question_of(nn.Identity(), Own(), [])
