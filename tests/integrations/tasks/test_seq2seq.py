"""Seq2Seq: the model's own loss, columns, limits, refusals."""

import re

import pytest
import torch
from torch import nn

from datainf.core.errors import AdapterError, DataError, OptionError
from datainf.integrations.tasks.seq2seq import Seq2Seq
from tests.tiny_models import tiny_bart, tiny_llama, tiny_t5, tiny_tokenizer

ROWS = [
    {"prompt": "a long source text", "completion": "short"},
    {"prompt": "b", "completion": "a longer target"},
]


def refused(message, kind=DataError):
    return pytest.raises(kind, match=f"^{re.escape(message)}$")


def seq2seq(**options):
    return Seq2Seq(tiny_tokenizer(), **options)


def texts(task, row):
    return [task.tokenizer.decode(ids) for ids in task.encode(row)]


@pytest.mark.parametrize("make", [tiny_t5, tiny_bart])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_each_loss_is_the_models_own_of_a_batch_of_one(make, reduction):
    task, model = seq2seq(reduction=reduction), make(dtype=torch.float64)
    losses = task.losses(model, task.collate(ROWS))
    assert losses.dtype == torch.float64
    for row, loss in zip(ROWS, losses, strict=True):
        batch = task.collate([row])
        tokens = batch["labels"].shape[1] if reduction == "sum" else 1
        # T5 takes norms and eager softmaxes in single precision.
        wanted = model(**batch).loss * tokens
        torch.testing.assert_close(loss, wanted, rtol=1e-6, atol=0)


def test_the_tokenizer_puts_its_special_tokens_around_both_texts():
    row = {"prompt": "ab", "completion": "c"}
    assert texts(seq2seq(), row) == ["<s>ab", "<s>c"]
    assert texts(seq2seq(prefix="x: "), row) == ["<s>x: ab", "<s>c"]
    assert texts(seq2seq(add_special_tokens=False), row) == ["ab", "c"]


def test_both_sides_are_padded_on_the_right_and_padding_is_masked():
    batch = Seq2Seq(tiny_tokenizer("left")).collate(
        [{"prompt": "a", "completion": "abc"}, {"prompt": "abc", "completion": "a"}]
    )
    assert batch["attention_mask"].tolist() == [[1, 1, 0, 0], [1, 1, 1, 1]]
    assert (batch["labels"] == -100).tolist() == [[False] * 4, [False] * 2 + [True] * 2]


def test_columns_are_mapped_and_fixed():
    task = seq2seq(columns={"prompt": "document", "completion": "summary"})
    row = {"document": "long", "summary": "s", "id": 7}
    assert task.for_columns(list(row)) == task
    assert task.describe(row) == "long → s"
    assert seq2seq().for_columns(["prompt", "completion"]).columns == {
        "prompt": "prompt",
        "completion": "completion",
    }


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            ["prompt", "compltion"],
            "no example can be read from the columns prompt, compltion: expected "
            "prompt and completion, or input_ids and labels. Did you mean 'compltion' "
            "for 'completion'? Map other names with columns=, such as "
            "columns={'prompt': 'question', 'completion': 'answer'} "
            "(--column prompt=question --column completion=answer).",
        ),
        (
            ["prompt", "completion", "input_ids", "labels"],
            "the columns prompt, completion, input_ids, labels can be read as tokens "
            "or as prompt-completion; say which was trained on with columns=, such as "
            "columns={'prompt': 'prompt'}.",
        ),
    ],
    ids=["misspelt", "both"],
)
def test_columns_that_fit_no_shape_are_refused(columns, message):
    with refused(message):
        seq2seq().for_columns(columns)


def test_unknown_names_of_columns_are_refused():
    message = (
        "columns='source' is unknown: expected one of: input_ids, labels, prompt, "
        "completion."
    )
    with refused(message, OptionError):
        seq2seq(columns={"source": "x"})


def test_rows_of_tokens_are_read_and_their_padding_taken_off():
    task = seq2seq()
    row = {
        "input_ids": torch.tensor([0, 5, 6]),
        "attention_mask": [0, 1, 1],
        "labels": [-100, 7, 8, -100],
    }
    assert task.encode(row) == ([5, 6], [-100, 7, 8])
    assert task.length(row) == 5
    assert task.describe(row) == "bc → de"
    short = seq2seq(max_length=2, max_target_length=2)
    assert short.encode({"input_ids": [5, 6, 7], "labels": [4, 3, 2]}) == (
        [5, 6],
        [4, 3],
    )


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"input_ids": [5, 6], "attention_mask": [1], "labels": [7]},
            "attention_mask holds 1 numbers and input_ids 2 in the row {'input_ids': "
            "[5, 6], 'attention_mask': [1], 'labels': [7]}; give one number for each "
            "token.",
        ),
        (
            {"input_ids": [5, 6], "labels": [-100, -100]},
            "no token to learn from in the row {'input_ids': [5, 6], 'labels': [-100, "
            "-100]}; give it a completion, or take the row out.",
        ),
        (
            {"prompt": "a", "completion": None},
            "column 'completion' is empty in the row {'prompt': 'a', 'completion': "
            "None}; fill it or take the row out.",
        ),
        (
            {"prompt": "a", "completion": ["b"]},
            "column 'completion' must hold text, got list in the row {'prompt': 'a', "
            "'completion': ['b']}.",
        ),
    ],
    ids=["mask", "all masked", "empty", "no text"],
)
def test_rows_that_cannot_be_used_are_refused(row, message):
    with refused(message):
        seq2seq().collate([row])


def test_rows_without_a_token_are_refused():
    task = seq2seq(add_special_tokens=False)
    message = (
        "no token in the prompt of the row {'prompt': '', 'completion': 'a'}; fill it "
        "or take the row out."
    )
    with refused(message):
        task.collate([{"prompt": "", "completion": "a"}])
    message = (
        "no token to learn from in the row {'prompt': 'a', 'completion': ''}; give it "
        "a completion, or take the row out."
    )
    with refused(message):
        task.collate([{"prompt": "a", "completion": ""}])


def test_long_texts_are_cut_and_said_to_be():
    task = seq2seq(max_length=5, max_target_length=3)
    assert [len(ids) for ids in task.encode(ROWS[0])] == [5, 3]
    assert task.truncated(ROWS[0])
    assert task.truncated({"prompt": "a", "completion": "abc"})
    assert not task.truncated({"prompt": "abcd", "completion": "ab"})


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"prompt": "abcd", "completion": "a"},
            "5 tokens are more than max_length=4 in the row {'prompt': 'abcd', "
            "'completion': 'a'}; raise max_length, or let truncation cut the row.",
        ),
        (
            {"prompt": "a", "completion": "abc"},
            "4 tokens are more than max_target_length=3 in the row {'prompt': 'a', "
            "'completion': 'abc'}; raise max_target_length, or let truncation cut the "
            "row.",
        ),
    ],
    ids=["source", "target"],
)
def test_long_texts_are_refused_on_request(row, message):
    with refused(message):
        seq2seq(max_length=4, max_target_length=3, truncation=False).collate([row])


def test_a_target_may_be_as_long_as_a_source_by_default():
    assert seq2seq(max_length=7).max_target_length == 7
    assert seq2seq().settings()["max_target_length"] == 256


def test_a_model_without_an_encoder_is_refused():
    task = seq2seq()
    for model in (nn.Linear(2, 3), nn.Identity()):
        message = (
            "seq2seq needs a model with an encoder and a decoder, got a "
            f"{type(model).__name__}; is it a sequence-to-sequence model?"
        )
        with refused(message, AdapterError):
            task.losses(model, task.collate(ROWS))
    assert not hasattr(tiny_llama(), "prepare_decoder_input_ids_from_labels")


def test_a_model_without_a_first_token_is_refused():
    model = tiny_t5()
    model.decoder.config.decoder_start_token_id = None
    model.config.decoder_start_token_id = None
    with pytest.raises(
        AdapterError,
        match=r"^the decoder's first token is not known: .* in training\.$",
    ):
        seq2seq().losses(model, seq2seq().collate(ROWS))


def test_settings_show_every_choice():
    assert list(seq2seq().settings()) == [
        "name",
        "columns",
        "prefix",
        "max_length",
        "max_target_length",
        "truncation",
        "add_special_tokens",
        "reduction",
        "tokenizer",
    ]
