"""A prompt and its answer take the shape of the training rows, whatever that is."""

import warnings

import pytest
import torch

from datainf.core.errors import DatainfWarning, OptionError
from datainf.core.questions import Said
from datainf.integrations.generation import answer
from datainf.integrations.tasks.causal_lm import CausalLM
from datainf.integrations.tasks.seq2seq import Seq2Seq
from datainf.integrations.tasks.tokens import IGNORED
from datainf.workflows.questions.language import LanguageQuestion
from tests.tiny_models import tiny_llama, tiny_t5, tiny_tokenizer

GIVEN = {"prompt": "2 + 2 =", "completion": " 4"}
USER = {"role": "user", "content": "2 + 2 ="}
SYSTEM = {"role": "system", "content": "be brief"}
ASSISTANT = {"role": "assistant", "content": " 4"}
TOKENS = {"input_ids": [4, 5, 6], "labels": [-100, 5, 6]}
LATER = {"role": "assistant", "content": "later"}
# First training row, the task's columns, and the row that is made.
SHAPES = {
    "two texts": ({"prompt": "a", "completion": "b"}, {}, GIVEN),
    "two texts of other names": (
        {"question": "a", "reply": "b"},
        {"prompt": "question", "completion": "reply"},
        {"question": "2 + 2 =", "reply": " 4"},
    ),
    "one text": ({"text": "ab"}, {}, GIVEN),
    "one text of another name": (
        {"body": "ab"},
        {"text": "body"},
        {"body": "2 + 2 = 4"},
    ),
    "a conversation": (
        {"messages": [USER, LATER]},
        {},
        {"messages": [USER, ASSISTANT]},
    ),
    "a conversation in two parts": (
        {"prompt": [USER], "completion": [LATER]},
        {},
        {"prompt": [USER], "completion": [ASSISTANT]},
    ),
}


def task_of(columns, **options):
    return CausalLM(tiny_tokenizer(chat_template=True), columns=columns, **options)


def learned(task, row):
    """The text whose tokens enter the loss."""
    labels = [label for label in task.encode(row).labels if label != IGNORED]
    return task.tokenizer.decode(labels, skip_special_tokens=True)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_query_has_the_shape_of_the_training_rows(shape, tmp_path):
    first, columns, row = SHAPES[shape]
    task = task_of(columns)
    question = LanguageQuestion(tiny_llama(), task, [first])
    posed = question.posed(GIVEN, tmp_path)
    assert (posed.example, posed.said) == (row, None)
    whole = shape == "one text of another name"
    expected = "2 + 2 = 4" if whole else " 4"
    assert learned(task, row).rstrip() == expected


@pytest.mark.parametrize("shape", SHAPES)
def test_left_empty_the_adapter_writes_the_answer(shape, tmp_path):
    first, columns, _ = SHAPES[shape]
    model, task = tiny_llama(dtype=torch.float64), task_of(columns)
    asked = {"prompt": "2 + 2 =", "tokens": 5}
    posed = LanguageQuestion(model, task, [first]).posed(asked, tmp_path)
    assert isinstance(posed.said, Said)
    expected = {**asked, "completion": posed.said.text}
    again = LanguageQuestion(model, task, [first]).posed(expected, tmp_path)
    assert posed.example == again.example
    talk = "conversation" in shape
    row = (
        {"messages": [USER, ASSISTANT]}
        if talk
        else {"prompt": "2 + 2 =", "completion": " 4"}
    )
    assert posed.said.text == answer(model, task_of({}), row, max_new_tokens=5)


def test_rows_of_tokens_are_asked_in_tokens(tmp_path):
    task = task_of({"input_ids": "input_ids"})
    question = LanguageQuestion(tiny_llama(), task, [TOKENS])
    row = question.posed(GIVEN, tmp_path).example
    assert list(row) == ["input_ids", "labels"]
    assert task.encode(row) == task_of({}).encode(GIVEN)


@pytest.mark.parametrize(
    "first", [{"prompt": "a", "completion": "b"}, {"input_ids": [4], "labels": [5]}]
)
def test_a_model_from_text_to_text_is_asked_the_same_way(first, tmp_path):
    task = Seq2Seq(tiny_tokenizer(), columns={name: name for name in first})
    question = LanguageQuestion(tiny_t5(), task, [first])
    posed = question.posed({"prompt": "ab", "tokens": 3}, tmp_path)
    assert list(posed.example) == list(first)
    assert posed.said is not None
    plain = Seq2Seq(tiny_tokenizer())
    pair = {"prompt": "ab", "completion": posed.said.text or "a"}
    assert task.encode(posed.example)[0] == plain.encode(pair)[0]


def test_the_systems_words_stand_there_at_first_where_rows_have_them(tmp_path):
    rows = [{"messages": [SYSTEM, USER, LATER]}]
    question = LanguageQuestion(tiny_llama(), task_of({}), rows)
    fields = {one.name: one.value for one in question.fields}
    assert fields == {
        "system": "be brief",
        "prompt": None,
        "completion": None,
        "tokens": 48,
    }
    given = {**GIVEN, "system": "be long"}
    row = question.posed(given, tmp_path).example
    long = {"role": "system", "content": "be long"}
    assert row == {"messages": [long, USER, ASSISTANT]}
    plain = LanguageQuestion(tiny_llama(), task_of({}), [{"text": "a"}])
    assert "system" not in [one.name for one in plain.fields]


LINES = [{"prompt": f"{i} + 1\n", "completion": f" {i + 1}"} for i in range(3)]


def test_white_space_of_all_training_rows_is_named_and_missed_aloud(tmp_path):
    question = LanguageQuestion(tiny_llama(), task_of({}), LINES)
    prompt, completion, _ = question.fields
    assert prompt.hint == "Ends with a line break, as in training."
    assert prompt.example == "0 + 1\n"
    assert completion.hint == "Left empty, the adapter writes it. Begins with a space."
    with pytest.warns(DatainfWarning) as told:
        question.posed({"prompt": "2 + 1", "completion": "3"}, tmp_path)
    never = "and this one does not: the adapter reads what it was never trained on."
    assert [str(one.message) for one in told] == [
        f"every training prompt ends with a line break, {never}",
        f"every training answer begins with a space, {never}",
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        question.posed({"prompt": "2 + 1\n", "completion": " 3"}, tmp_path)
        question.posed({"prompt": "2 + 1\n", "tokens": 1}, tmp_path)


@pytest.mark.parametrize(
    "rows", [[*LINES, {"prompt": "a", "completion": "b"}], [{"text": "a\n"}]]
)
def test_white_space_of_some_rows_is_none_of_all(rows):
    question = LanguageQuestion(tiny_llama(), task_of({}), rows)
    assert question.fields[0].hint == ""
    assert question.fields[0].example == rows[0].get("prompt", rows[0].get("text"))


def test_a_conversation_gives_its_users_words_as_an_example():
    rows = [{"messages": [SYSTEM, USER, LATER]}]
    question = LanguageQuestion(tiny_llama(), task_of({}), rows)
    assert question.fields[1].example == "2 + 2 ="


def test_an_answer_has_at_least_one_token(tmp_path):
    question = LanguageQuestion(tiny_llama(), task_of({}), [{"text": "a"}])
    with pytest.raises(OptionError, match=r"^tokens must be a whole number"):
        question.posed({"prompt": "a", "tokens": 0}, tmp_path)
