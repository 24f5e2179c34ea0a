"""Tokens and lengths that the model has no row for are refused before it runs."""

import re

import pytest
import torch
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    GPT2Config,
    OPTConfig,
    RobertaConfig,
)

from datainf.core.errors import AdapterError, DataError
from datainf.integrations.tasks.callable import CallableTask
from datainf.integrations.tasks.causal_lm import CausalLM
from datainf.integrations.tasks.seq2seq import Seq2Seq
from datainf.integrations.tasks.sequence_classification import SequenceClassification
from datainf.integrations.tasks.vocabulary import token_check
from tests.tiny_models import (
    POSITIONS,
    VOCAB,
    tiny_bart,
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
        ({"input_ids": [2, 5, 7], "labels": [-100, 5, 999999]}, "labels", 999999),
    ],
)
def test_ids_of_a_tokenised_row_are_checked_whatever_the_tokenizer(row, name, token):
    check = token_check(CausalLM(tiny_tokenizer()), tiny_llama())
    check({"input_ids": [2, 5, 7], "labels": [-100, 5, 7]})
    with refused(said(token, VOCAB, name=name)):
        check(row)


@pytest.mark.parametrize("token", [VOCAB, 999999])
def test_labels_of_a_tokenised_pair_are_checked_whatever_the_tokenizer(token):
    check = token_check(Seq2Seq(tiny_tokenizer()), tiny_t5())
    check({"input_ids": [2, 5, 7], "labels": [5, -100, 3, -100]})
    with refused(said(token, VOCAB, name="labels")):
        check({"input_ids": [2, 5, 7], "labels": [5, token, 3]})


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


# --- positions ----------------------------------------------------------------------

LONG = "a" * 300  # of POSITIONS = 256


def too_long(count, most=POSITIONS, name="input_ids"):
    return (
        f"{count} tokens of {name} are more than the model's {most} positions; lower "
        f"the task's max_length to {most}."
    )


def tiny(config):
    torch.manual_seed(0)
    kind = (
        AutoModelForCausalLM
        if config.model_type in ("gpt2", "opt")
        else AutoModelForSequenceClassification
    )
    return kind.from_config(config).eval()


SMALL = {"vocab_size": VOCAB, "hidden_size": 16, "num_attention_heads": 2}
ABSOLUTE = {
    "bert": (tiny_bert_classifier(), POSITIONS),
    "roberta": (
        tiny(
            RobertaConfig(
                **SMALL,
                num_hidden_layers=1,
                intermediate_size=7,
                max_position_embeddings=40,
                pad_token_id=1,
            )
        ),
        38,
    ),
    "gpt2": (tiny(GPT2Config(vocab_size=VOCAB, n_embd=16, n_layer=1, n_head=2,
                             n_positions=37, bos_token_id=2, eos_token_id=3)), 37),
    "opt": (tiny(OPTConfig(**SMALL, num_hidden_layers=1, ffn_dim=7,
                           word_embed_proj_dim=16, max_position_embeddings=31)), 31),
}  # fmt: skip


@pytest.mark.parametrize("kind", ABSOLUTE)
def test_the_positions_are_those_that_the_model_can_take(kind):
    model, most = ABSOLUTE[kind]
    model(input_ids=torch.full((1, most), 5))
    with pytest.raises((IndexError, RuntimeError)):
        model(input_ids=torch.full((1, most + 1), 5))
    causal = kind in ("gpt2", "opt")
    task = (CausalLM if causal else SequenceClassification)(
        tiny_tokenizer(eos=causal), max_length=512
    )
    check = token_check(task, model)
    around = 2 if causal else 1
    check({"text": "a" * (most - around), "label": 0})
    with refused(too_long(most + 1, most)):
        check({"text": "a" * (most + 1 - around), "label": 0})


@pytest.mark.parametrize(
    ("row", "count", "name"),
    [
        ({"prompt": LONG, "completion": "b"}, 301, "input_ids"),
        ({"prompt": "b", "completion": LONG}, 301, "labels"),
    ],
)
def test_either_side_of_an_encoder_and_decoder_has_its_positions(row, count, name):
    check = token_check(Seq2Seq(tiny_tokenizer(), max_length=512), tiny_bart())
    check({"prompt": "a" * 200, "completion": "b" * 200})
    with refused(too_long(count, name=name)):
        check(row)


@pytest.mark.parametrize("model", [tiny_llama(), tiny_t5()])
def test_positions_that_are_computed_have_no_end(model):
    kind = Seq2Seq if model.config.is_encoder_decoder else CausalLM
    check = token_check(kind(tiny_tokenizer(), max_length=512), model)
    check({"prompt": LONG, "completion": LONG})
