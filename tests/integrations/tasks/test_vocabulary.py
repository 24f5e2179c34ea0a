"""Tokens beyond the embedding are refused by number, before the model runs."""

import re

import pytest
from torch import nn

from datainf.core.errors import AdapterError, DataError
from datainf.integrations.tasks.callable import CallableTask
from datainf.integrations.tasks.causal_lm import CausalLM
from datainf.integrations.tasks.seq2seq import Seq2Seq
from datainf.integrations.tasks.sequence_classification import SequenceClassification
from datainf.integrations.tasks.vocabulary import token_check
from tests.tiny_models import (
    VOCAB,
    tiny_bert_classifier,
    tiny_llama,
    tiny_t5,
    tiny_tokenizer,
    with_lora,
)

ADVICE = "give the base and the tokenizer that the adapter was trained with"
KNOWN = "none of the model's {} (0 to {})"


def resized(model, count):
    model.resize_token_embeddings(count, mean_resizing=False)
    return model


def said(token, count, *, name="input_ids", smaller=False):
    more = f"; the tokenizer has {VOCAB}" if smaller else ""
    return (
        f"token {token} of {name} is {KNOWN.format(count, count - 1)}{more}; {ADVICE}."
    )


def refused(message, kind=DataError):
    return pytest.raises(kind, match=f"^{re.escape(message)}$")


@pytest.mark.parametrize("count", [VOCAB, VOCAB + 1, 128])
def test_an_embedding_as_large_as_the_tokenizer_or_padded_reads_every_text(count):
    check = token_check(CausalLM(tiny_tokenizer()), resized(tiny_llama(), count))
    check({"text": "abc xyz #"})


@pytest.mark.parametrize(
    ("task", "model", "row", "token"),
    [
        (CausalLM, tiny_llama(), {"text": "ab#"}, VOCAB - 1),
        (
            SequenceClassification,
            tiny_bert_classifier(),
            {"text": "ab#", "label": 0},
            VOCAB - 1,
        ),
        (Seq2Seq, tiny_t5(), {"prompt": "ab#", "completion": "c"}, VOCAB - 1),
    ],
)
def test_a_text_with_tokens_beyond_a_smaller_embedding_is_refused(
    task, model, row, token
):
    check = token_check(task(tiny_tokenizer()), resized(model, 31))
    first = next(iter(row))
    check({**row, first: "abc"})  # all of these it knows
    with refused(said(token, 31, smaller=True)):
        check(row)


def test_a_target_beyond_the_embedding_is_refused():
    check = token_check(Seq2Seq(tiny_tokenizer()), resized(tiny_t5(), 31))
    with refused(said(VOCAB - 1, 31, name="labels", smaller=True)):
        check({"prompt": "abc", "completion": "#"})


@pytest.mark.parametrize(
    ("row", "name", "token"),
    [
        ({"input_ids": [2, 5, VOCAB]}, "input_ids", VOCAB),
        ({"input_ids": [2, -1, 7]}, "input_ids", -1),
        ({"input_ids": [2, -100, 7]}, "input_ids", -100),
        ({"input_ids": [2, 5, 7], "labels": [-100, 5, 999]}, "labels", 999),
        ({"input_ids": [2, 5, 7], "labels": [-100, -1, 7]}, "labels", -1),
    ],
)
def test_ids_of_a_tokenised_row_are_checked_whatever_the_tokenizer(row, name, token):
    check = token_check(CausalLM(tiny_tokenizer()), tiny_llama())
    check({"input_ids": [2, 5, 7], "labels": [-100, 5, 7]})
    with refused(said(token, VOCAB, name=name)):
        check(row)


def test_a_filling_token_beyond_the_embedding_is_refused():
    tokenizer = tiny_tokenizer()
    tokenizer.add_special_tokens({"pad_token": "<filling>"})
    known = KNOWN.format(VOCAB, VOCAB - 1)
    with refused(
        f"token {VOCAB}, with which the tokenizer fills batches, is {known}; "
        f"{ADVICE}, or give the tokenizer a pad_token among them.",
        AdapterError,
    ):
        token_check(CausalLM(tokenizer), tiny_llama())


@pytest.mark.parametrize("targets", [["q_proj"], ["embed_tokens"]])
@pytest.mark.parametrize("modules", [None, ["embed_tokens"]])
def test_an_adapted_embedding_is_counted_inside_of_its_wrapping(targets, modules):
    if modules == targets:
        modules = ["lm_head"]
    model = with_lora(
        resized(tiny_llama(), 31), "CAUSAL_LM", targets=targets, modules_to_save=modules
    )
    with refused(said(VOCAB - 1, 31, smaller=True)):
        token_check(CausalLM(tiny_tokenizer()), model)({"text": "#"})


class Blind(nn.Module):
    """A model that has no embedding to show."""

    def get_input_embeddings(self):
        raise NotImplementedError


@pytest.mark.parametrize("model", [Blind(), nn.Linear(2, 3)])
def test_a_model_without_a_known_embedding_is_not_checked(model):
    token_check(CausalLM(tiny_tokenizer()), model)({"input_ids": [999]})


def test_a_task_without_a_tokenizer_is_not_checked():
    task = CallableTask(lambda model, batch: model(batch))
    token_check(task, tiny_llama())({"input_ids": [999]})
