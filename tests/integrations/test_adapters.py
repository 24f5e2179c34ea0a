"""Loading adapters: the trained model comes back to the bit."""

import pytest
import torch
from peft import PeftModel
from transformers import DistilBertConfig, DistilBertModel, LlamaForCausalLM

from datainf.core.errors import AdapterError
from datainf.integrations.adapters import load_adapter
from datainf.integrations.base_models import load_base
from datainf.integrations.tasks.sequence_classification import SequenceClassification
from tests.integrations.saved_adapters import (
    CLASSES,
    IDS,
    put,
    put_bases,
    same,
    saved,
    saved_without_type,
)
from tests.tiny_models import (
    VOCAB,
    tiny_bert_classifier,
    tiny_llama,
    tiny_tokenizer,
    with_lora,
)

# Where the libraries keep what comes from the hub, read from the environment once.
CACHES = (
    "huggingface_hub.constants.HF_HUB_CACHE",
    "transformers.utils.hub.TRANSFORMERS_CACHE",
)


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    return put_bases(tmp_path_factory.mktemp("bases"))


@pytest.mark.parametrize(
    ("base", "task_type", "options"),
    [
        ("decoder", "CAUSAL_LM", {}),
        ("decoder", "CAUSAL_LM", {"modules_to_save": ["lm_head"]}),
        ("decoder", "CAUSAL_LM", {"targets": ["v_proj", "embed_tokens"]}),
        ("decoder", "SEQ_CLS", {}),
        ("encoder", "SEQ_CLS", {}),
        ("encoder", "SEQ_CLS", {"bias": "all", "modules_to_save": ["pooler"]}),
        ("classifier", "SEQ_CLS", {}),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_a_saved_adapter_comes_back_to_the_bit(
    tmp_path, bases, base, task_type, options
):
    whole = "embed_tokens" in options.get("targets", ())
    model = saved(tmp_path, bases / base, task_type, whole=whole, **options)
    torch.manual_seed(11)  # what is not loaded would be drawn anew
    found, tokenizer = load_adapter(str(tmp_path))
    assert same(model, found)
    assert not found.training
    assert tokenizer("ab")["input_ids"] == [2, 4, 5]


@pytest.mark.parametrize("base", ["encoder", "decoder"])
def test_the_number_of_classes_is_that_of_the_saved_head(tmp_path, bases, base):
    saved(tmp_path, bases / base, "SEQ_CLS")
    found, _ = load_adapter(str(tmp_path))
    assert found.config.num_labels == CLASSES
    assert found(input_ids=IDS).logits.shape == (2, CLASSES)


def test_a_saved_layer_before_the_head_does_not_count_as_the_head(tmp_path):
    config = DistilBertConfig(
        vocab_size=VOCAB, dim=16, n_layers=1, n_heads=2, hidden_dim=23
    )
    put(tmp_path / "base", DistilBertModel(config))
    task = SequenceClassification(tiny_tokenizer())
    before = ("pre_classifier",)
    base = load_base(str(tmp_path / "base"), task, CLASSES, trained=before)
    model = with_lora(base, "SEQ_CLS", targets=["q_lin"], modules_to_save=before)
    model.save_pretrained(tmp_path / "adapter")
    found, _ = load_adapter(str(tmp_path / "adapter"))
    assert found.config.num_labels == CLASSES
    assert same(model, found)


def test_the_base_that_is_given_overrides_the_one_that_the_adapter_names(
    tmp_path, bases
):
    model = saved(tmp_path / "adapter", bases / "decoder")
    put(tmp_path / "other", tiny_llama(seed=1))
    named, _ = load_adapter(str(tmp_path / "adapter"))
    given, _ = load_adapter(str(tmp_path / "adapter"), base=str(tmp_path / "other"))
    assert same(model, named)
    assert same(with_lora(tiny_llama(seed=1), "CAUSAL_LM"), given)
    assert given.config._name_or_path == str(tmp_path / "other")


def test_enlarged_embeddings_need_the_enlarged_base(tmp_path, bases):
    base = tiny_llama()
    base.resize_token_embeddings(VOCAB + 2, mean_resizing=False)
    put(tmp_path / "larger", base)
    model = saved(tmp_path / "adapter", tmp_path / "larger", whole=True)
    found, _ = load_adapter(str(tmp_path / "adapter"))
    assert same(model, found)
    pattern = (
        rf"^the adapter {tmp_path}/adapter does not fit the base {bases}/decoder: "
        r"Error\(s\) in loading state_dict for PeftModelForCausalLM: size mismatch for "
        rf"base_model\.model\.\S+: .*{VOCAB + 2}, 16\]\) from checkpoint, .*\.$"
    )
    with pytest.raises(AdapterError, match=pattern):
        load_adapter(str(tmp_path / "adapter"), base=str(bases / "decoder"))


def test_the_tokenizer_saved_beside_the_adapter_wins(tmp_path, bases):
    saved(tmp_path, bases / "decoder")
    tiny_tokenizer(bos=False).save_pretrained(tmp_path)
    _, tokenizer = load_adapter(str(tmp_path))
    assert tokenizer("ab")["input_ids"] == [4, 5]


@pytest.mark.parametrize("bos", [True, False])
def test_an_adapter_in_the_hubs_cache_is_found_by_its_name(
    tmp_path, bases, monkeypatch, bos
):
    for cache in CACHES:
        monkeypatch.setattr(cache, str(tmp_path), raising=False)
    repository, commit = tmp_path / "models--owner--name", "a" * 40
    model = saved(repository / "snapshots" / commit, bases / "decoder")
    if not bos:
        tiny_tokenizer(bos=False).save_pretrained(repository / "snapshots" / commit)
    for file, text in (("refs/main", commit), (f".no_exist/{commit}/config.json", "")):
        (repository / file).parent.mkdir(parents=True)
        (repository / file).write_text(text)
    found, tokenizer = load_adapter("owner/name")
    assert same(model, found)
    assert tokenizer("ab")["input_ids"] == ([2, 4, 5] if bos else [4, 5])


@pytest.mark.parametrize(
    ("precision", "weights"),
    [
        ("float32", torch.float32),
        ("bfloat16", torch.bfloat16),
        ("float16", torch.float16),
        ("auto", torch.bfloat16),
    ],
)
def test_the_base_and_a_saved_head_have_the_precision_asked_for(
    tmp_path, precision, weights
):
    put(tmp_path / "base", tiny_bert_classifier(dtype=torch.bfloat16).bert)
    saved(tmp_path / "adapter", tmp_path / "base", "SEQ_CLS")
    found, _ = load_adapter(str(tmp_path / "adapter"), precision=precision)
    kinds = {name: p.dtype for name, p in found.named_parameters()}
    matrices = {kind for name, kind in kinds.items() if "lora_" in name}
    others = {kind for name, kind in kinds.items() if "lora_" not in name}
    assert (matrices, others) == ({torch.float32}, {weights})


def test_the_callers_random_state_is_left_alone(tmp_path, bases):
    saved(tmp_path, bases / "encoder", "SEQ_CLS")
    before = torch.get_rng_state()
    load_adapter(str(tmp_path))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("there", [True, False])
def test_the_model_goes_to_the_accelerator_only_where_there_is_one(
    tmp_path, bases, monkeypatch, there
):
    saved(tmp_path, bases / "decoder")
    load = PeftModel.from_pretrained

    def load_then_pretend(*arguments):
        found = load(*arguments)
        # A device that every machine has, in the place of a GPU.
        accelerator = {
            "current_accelerator": torch.device("meta"),
            "is_available": there,
        }
        for name, value in accelerator.items():
            monkeypatch.setattr(torch.accelerator, name, lambda value=value: value)
        return found

    monkeypatch.setattr(PeftModel, "from_pretrained", load_then_pretend)
    found, _ = load_adapter(str(tmp_path))
    assert found.device.type == ("meta" if there else "cpu")


# --- which task ---------------------------------------------------------------------


def test_an_adapter_without_a_type_is_for_the_task_that_is_named(tmp_path, bases):
    model = saved_without_type(
        tmp_path, bases / "encoder", "query", modules_to_save=["classifier"]
    )
    found, _ = load_adapter(str(tmp_path), task_name="sequence-classification")
    assert found.config.num_labels == CLASSES
    assert same(model, found)


@pytest.mark.parametrize(
    ("base", "target", "kind"),
    [
        ("classifier", "query", "BertForSequenceClassification"),
        ("decoder", "q_proj", "LlamaForCausalLM"),
    ],
)
def test_an_adapter_without_a_type_or_named_task_is_for_the_task_of_its_base(
    tmp_path, bases, base, target, kind
):
    model = saved_without_type(tmp_path, bases / base, target)
    found, _ = load_adapter(str(tmp_path))
    assert type(found.get_base_model()).__name__ == kind
    assert same(model, found)


def test_the_type_of_an_adapter_is_not_overruled(tmp_path, bases):
    model = saved(tmp_path, bases / "decoder", "SEQ_CLS")
    found, _ = load_adapter(str(tmp_path), task_name="causal-lm")
    assert same(model, found)


def test_a_split_base_is_the_same_model(tmp_path, bases):
    saved(tmp_path, bases / "decoder", "CAUSAL_LM")
    whole, _ = load_adapter(str(tmp_path))
    split, _ = load_adapter(str(tmp_path), device_map="balanced")
    assert same(split, whole)


def test_a_base_that_the_gpus_have_no_room_for_is_refused(tmp_path, bases, monkeypatch):
    saved(tmp_path, bases / "decoder", "CAUSAL_LM")
    places = {"model.embed_tokens": 0, "model.layers.1": "cpu", "lm_head": "disk"}
    monkeypatch.setattr(LlamaForCausalLM, "hf_device_map", places, raising=False)
    load_adapter(str(tmp_path))  # without a GPU all of it is where it is to be
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    with pytest.raises(
        AdapterError, match=r"^the GPUs have no room for \d of \d parts"
    ):
        load_adapter(str(tmp_path), device_map="auto")
