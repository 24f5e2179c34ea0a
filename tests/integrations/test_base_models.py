"""Loading bases and tokenizers: heads from a seed, and what is refused."""

import re

import pytest
import torch
from transformers import BertModel
from transformers.utils import logging

from datainf.core.errors import AdapterError, OptionError
from datainf.integrations.base_models import load_base, load_tokenizer, quiet_loading
from datainf.integrations.tasks.causal_lm import CausalLM
from datainf.integrations.tasks.sequence_classification import SequenceClassification
from tests.tiny_models import tiny_bert_classifier, tiny_llama, tiny_tokenizer


def refused(message, kind=AdapterError):
    return pytest.raises(kind, match=f"^{re.escape(message)}$")


@pytest.fixture
def encoder(tmp_path):
    """The folder of a plain encoder, without a classification head."""
    tiny_bert_classifier().bert.save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    return str(tmp_path)


def task(**options):
    return SequenceClassification(tiny_tokenizer(), **options)


def test_an_encoder_gets_a_head_from_the_seed(encoder):
    state = torch.random.get_rng_state()
    first = load_base(encoder, task(num_labels=5), seed=1)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(99)
    same = load_base(encoder, task(), 5, seed=1)
    other = load_base(encoder, task(), 5, seed=2)
    assert first.classifier.weight.shape == (5, 16)
    assert not first.training
    assert torch.equal(first.classifier.weight, same.classifier.weight)
    assert not torch.equal(first.classifier.weight, other.classifier.weight)
    assert torch.equal(
        first.bert.embeddings.word_embeddings.weight,
        tiny_bert_classifier().bert.embeddings.word_embeddings.weight,
    )


def test_a_head_needs_the_number_of_classes(encoder):
    message = (
        "a new classification head needs the number of classes; give task.num_labels "
        "or task.labels."
    )
    with refused(message, OptionError):
        load_base(encoder, task())


def test_weights_that_nothing_would_train_are_refused(tmp_path):
    config = tiny_bert_classifier().config
    BertModel(config, add_pooling_layer=False).save_pretrained(tmp_path)
    message = (
        f"{tmp_path} lacks weights that BertForSequenceClassification needs: "
        "bert.pooler.dense.bias, bert.pooler.dense.weight; they would be random at "
        "every loading. Train and save their modules with the adapter (modules_to_save "
        "in recipe.peft), or use a checkpoint that has them."
    )
    # transformers 4 names them without the base's own prefix.
    pattern = re.escape(message).replace(re.escape("bert."), r"(bert\.)?")
    with pytest.raises(AdapterError, match=f"^{pattern}$"):
        load_base(str(tmp_path), task(), 3)
    assert (
        load_base(str(tmp_path), task(), 3, trained=["pooler"]).config.num_labels == 3
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_language_model_is_loaded_in_the_dtype_asked_for(tmp_path, dtype):
    tiny_llama().save_pretrained(tmp_path)
    model = load_base(
        str(tmp_path),
        CausalLM(tiny_tokenizer()),
        precision=str(dtype).removeprefix("torch."),
    )
    assert type(model).__name__ == "LlamaForCausalLM"
    assert {p.dtype for p in model.parameters()} == {dtype}


def test_a_classifier_learns_the_tokenizers_padding(tmp_path):
    base = tiny_llama()
    base.config.pad_token_id = None
    base.model.save_pretrained(tmp_path)
    model = load_base(str(tmp_path), task(num_labels=2))
    assert type(model).__name__ == "LlamaForSequenceClassification"
    assert model.config.pad_token_id == 0


@pytest.mark.parametrize(
    ("what", "load"),
    [
        ("model", lambda name: load_base(name, CausalLM(tiny_tokenizer()))),
        ("tokenizer", load_tokenizer),
    ],
)
def test_what_is_not_there_is_one_clear_error(what, load):
    pattern = (
        rf"^the {what} no-owner/no-name cannot be loaded: [^\n]+ Give a folder that "
        r"holds it \(--model\), or a hub name while the hub can be reached\.$"
    )
    with pytest.raises(AdapterError, match=pattern):
        load("no-owner/no-name")


def test_tokenizers_are_loaded(encoder):
    assert load_tokenizer(encoder)("ab")["input_ids"] == [2, 4, 5]


@pytest.mark.parametrize("bars", [True, False])
def test_the_libraries_talk_is_put_back(bars):
    before, shown = logging.get_verbosity(), logging.is_progress_bar_enabled()
    (logging.enable_progress_bar if bars else logging.disable_progress_bar)()
    with pytest.raises(KeyError), quiet_loading():
        raise KeyError
    assert logging.get_verbosity() == before
    assert logging.is_progress_bar_enabled() == bars
    (logging.enable_progress_bar if shown else logging.disable_progress_bar)()


def test_minilm_gets_a_classification_head(minilm):
    model = load_base(str(minilm), task(), 2)
    assert model.classifier.weight.shape == (2, 384)
