"""Adapters that cannot be loaded as they were trained: each is one clear error."""

import re
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import LlamaForCausalLM

from datainf.core.errors import AdapterError, OptionError
from datainf.integrations.adapters import load_adapter
from datainf.integrations.tasks.table import TASKS
from tests.integrations.saved_adapters import (
    HEAD,
    WEIGHTS,
    Q,
    change,
    change_weights,
    put,
    put_bases,
    same,
    saved,
    saved_without_type,
)
from tests.tiny_models import tiny_llama, tiny_tokenizer

CONFIG = "adapter_config.json"
HUB = (
    "Give a folder that holds it (--model), or a hub name while the hub can be reached."
)
AGAIN = "Give the folder or hub name that `save_pretrained` of the PEFT model wrote."


def refused(message, kind=AdapterError):
    return pytest.raises(kind, match=f"^{re.escape(message)}$")


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    return put_bases(tmp_path_factory.mktemp("bases"))


# --- no adapter, no base, no such task ----------------------------------------------


def test_what_the_hub_does_not_have_is_no_adapter():
    name = "no-owner/no-name"
    message = f"Can't find 'adapter_config.json' at '{name}'. {AGAIN}"
    with refused(f"{name} holds no PEFT adapter that can be read: {message}"):
        load_adapter(name)


def test_a_base_model_is_no_adapter(bases):
    message = f"Can't find 'adapter_config.json' at '{bases}/decoder'. {AGAIN}"
    with refused(f"{bases}/decoder holds no PEFT adapter that can be read: {message}"):
        load_adapter(str(bases / "decoder"))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "Expecting property name enclosed in double quotes: line 1 column 2 "),
        ("[]", "'list' object is not a mapping"),
        ('{"peft_type": "LORO"}', "'LORO'"),
    ],
    ids=["broken", "list", "type"],
)
def test_a_configuration_that_cannot_be_read_is_refused(tmp_path, text, why):
    (tmp_path / CONFIG).write_text(text)
    pattern = f"{tmp_path} holds no PEFT adapter that can be read: {re.escape(why)}"
    with pytest.raises(AdapterError, match=rf"^{pattern}.*\. {re.escape(AGAIN)}$"):
        load_adapter(str(tmp_path))


@pytest.mark.parametrize("base", [None, ""])
def test_an_adapter_that_names_no_base_needs_one(tmp_path, bases, base):
    model = saved(tmp_path, bases / "decoder")
    change(tmp_path, CONFIG, {"base_model_name_or_path": base})
    with refused(
        f"the adapter {tmp_path} does not name its base model; give its folder or hub "
        "name with --model, or as `model:` in run.yaml.",
        OptionError,
    ):
        load_adapter(str(tmp_path))
    assert same(model, load_adapter(str(tmp_path), base=str(bases / "decoder"))[0])


@pytest.mark.parametrize(
    ("task_type", "own_tokenizer", "what"),
    [
        ("CAUSAL_LM", False, "tokenizer"),
        ("CAUSAL_LM", True, "model"),
        (None, True, "model"),
    ],
)
def test_a_base_that_is_not_there_is_refused(
    tmp_path, bases, task_type, own_tokenizer, what
):
    saved(tmp_path, bases / "decoder")
    changes = {"task_type": task_type, "base_model_name_or_path": "no-owner/no-name"}
    change(tmp_path, CONFIG, changes)
    if own_tokenizer:
        tiny_tokenizer().save_pretrained(tmp_path)
    pattern = rf"the {what} no-owner/no-name cannot be loaded: .+\. {re.escape(HUB)}"
    with pytest.raises(AdapterError, match=f"^{pattern}$"):
        load_adapter(str(tmp_path))


@pytest.mark.parametrize(
    ("changes", "known"),
    [({}, "BertModel"), ({"architectures": None}, "a base of no kind")],
)
def test_a_base_of_no_known_task_is_refused(tmp_path, bases, changes, known):
    saved_without_type(tmp_path / "adapter", bases / "decoder", "q_proj")
    shutil.copytree(bases / "encoder", tmp_path / "base")
    change(tmp_path / "base", "config.json", changes)
    with refused(
        f"no task is known for {known}; give the task by name: {', '.join(TASKS)}.",
        OptionError,
    ):
        load_adapter(str(tmp_path / "adapter"), base=str(tmp_path / "base"))


def test_an_unknown_task_is_refused(tmp_path, bases):
    saved_without_type(tmp_path, bases / "decoder", "q_proj")
    with refused(
        f"task.name='causal-ml' is unknown: expected one of: {', '.join(TASKS)}; did "
        "you mean 'causal-lm'?.",
        OptionError,
    ):
        load_adapter(str(tmp_path), task_name="causal-ml")


def test_an_adapter_for_another_kind_of_task_is_refused(tmp_path, bases):
    saved(tmp_path, bases / "decoder")
    change(tmp_path, CONFIG, {"task_type": "QUESTION_ANS"})
    known = ", ".join(kind.task_type for kind in TASKS.values() if kind.task_type)
    with refused(
        "the adapter was trained for QUESTION_ANS; this version loads those for "
        f"{known}. Load it yourself and give its model to `datainf.attribute`, with a "
        "loss of your own."
    ):
        load_adapter(str(tmp_path))


def test_an_unknown_precision_is_refused():
    with refused(
        "precision='fp8' is unknown: expected one of: float32, bfloat16, float16, "
        "auto, int8, int4.",
        OptionError,
    ):
        load_adapter("anything", precision="fp8")


# --- damaged files ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda whole: whole[:-7], "incomplete metadata, file not fully covered"),
        (lambda whole: b"garbage " * 5, "header too large"),  # noqa: ARG005
        (lambda whole: whole[:0], "header too small"),
    ],
    ids=["truncated", "garbage", "empty"],
)
def test_damaged_weights_are_refused(tmp_path, bases, damage, why):
    saved(tmp_path, bases / "decoder")
    (tmp_path / WEIGHTS).write_bytes(damage((tmp_path / WEIGHTS).read_bytes()))
    with refused(
        f"the weights of the adapter {tmp_path} cannot be read: Error while "
        f"deserializing header: {why}; save or copy the adapter again."
    ):
        load_adapter(str(tmp_path))


def test_an_adapter_without_weights_is_refused(tmp_path, bases):
    saved(tmp_path, bases / "decoder")
    (tmp_path / WEIGHTS).unlink()
    with refused(
        f"{tmp_path} holds the configuration of an adapter, but no weights: expected "
        "adapter_model.safetensors or adapter_model.bin; save or copy the adapter "
        "again."
    ):
        load_adapter(str(tmp_path))


def test_a_damaged_base_is_refused(tmp_path, bases):
    put(tmp_path / "base", tiny_llama())
    saved(tmp_path / "adapter", bases / "decoder")
    (tmp_path / "base" / "model.safetensors").write_bytes(b"garbage " * 5)
    with refused(
        f"the model {tmp_path}/base cannot be loaded: Error while deserializing "
        f"header: header too large. {HUB}"
    ):
        load_adapter(str(tmp_path / "adapter"), base=str(tmp_path / "base"))


@pytest.mark.parametrize("file", ["tokenizer_config.json", "tokenizer.json"])
def test_a_damaged_tokenizer_is_not_replaced_by_the_bases(tmp_path, bases, file):
    saved(tmp_path, bases / "decoder")
    tiny_tokenizer().save_pretrained(tmp_path)
    (tmp_path / file).write_text("{")
    pattern = rf"the tokenizer {tmp_path} cannot be loaded: [^\n]+\. {re.escape(HUB)}"
    with pytest.raises(AdapterError, match=f"^{pattern}$"):
        load_adapter(str(tmp_path))


class Trap:
    """Runs when it is unpickled: it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_pickled_tensors_are_read_and_pickled_code_is_never_run(tmp_path, bases):
    model = saved(tmp_path, bases / "decoder")
    weights = load_file(tmp_path / WEIGHTS)
    (tmp_path / WEIGHTS).unlink()
    torch.save(weights, tmp_path / "adapter_model.bin")
    assert same(model, load_adapter(str(tmp_path))[0])
    trap = Trap(tmp_path / "code-was-run")
    torch.save({**weights, "more": trap}, tmp_path / "adapter_model.bin")
    with refused(
        f"the weights of the adapter {tmp_path} are a pickled file of more than "
        "tensors, which may run code and is not loaded; save the adapter again, with "
        "safetensors."
    ):
        load_adapter(str(tmp_path))
    assert not trap.path.exists()


# --- adapter and base do not fit ----------------------------------------------------


def unfit(adapter, what, base):
    return refused(
        f"the adapter {adapter} {what}; is {base} the base that it was trained on?"
    )


def llama(**changes):
    config = tiny_llama().config
    config.update(changes)
    return LlamaForCausalLM(config)


@pytest.mark.parametrize(
    ("layers", "what"),
    [
        (1, f"holds, and its base has no place for, {Q.format(1, 'A')} and 3 more"),
        (3, f"lacks {Q.format(2, 'A')} and 3 more"),
    ],
)
def test_a_base_of_another_depth_is_refused(tmp_path, bases, layers, what):
    saved(tmp_path / "adapter", bases / "decoder")
    put(tmp_path / "base", llama(num_hidden_layers=layers, layer_types=None))
    with unfit(tmp_path / "adapter", what, tmp_path / "base"):
        load_adapter(str(tmp_path / "adapter"), base=str(tmp_path / "base"))


def test_a_base_of_another_width_is_refused(tmp_path, bases):
    saved(tmp_path / "adapter", bases / "decoder")
    put(tmp_path / "base", llama(hidden_size=22))
    pattern = (
        rf"^the adapter {tmp_path}/adapter does not fit the base {tmp_path}/base: "
        r"Error\(s\) in loading state_dict for PeftModelForCausalLM: size mismatch for "
        r"\S+: copying a param with shape torch\.Size\(\[2, 16\]\) from checkpoint, "
        r"the shape in current model is torch\.Size\(\[2, 22\]\)\.$"
    )
    with pytest.raises(AdapterError, match=pattern):
        load_adapter(str(tmp_path / "adapter"), base=str(tmp_path / "base"))


def test_a_base_without_the_adapted_modules_is_refused(tmp_path, bases):
    saved(tmp_path, bases / "decoder")
    change(tmp_path, CONFIG, {"target_modules": ["query"]})
    with refused(
        f"the adapter {tmp_path} does not fit the base {bases}/decoder: Target modules "
        "{'query'} not found in the base model. Please check the target modules and "
        "try again."
    ):
        load_adapter(str(tmp_path))


@pytest.mark.parametrize(
    ("lack", "extra", "what"),
    [
        ([Q.format(1, "B")], [], f"lacks {Q.format(1, 'B')}"),
        ([Q.format(0, "A"), Q.format(1, "B")], [], f"lacks {Q.format(0, 'A')} and 1 "),
        (
            [],
            [Q.format(7, "A")],
            f"holds, and its base has no place for, {Q.format(7, 'A')}",
        ),
    ],
)
def test_weights_that_lack_or_have_too_many_tensors_are_refused(
    tmp_path, bases, lack, extra, what
):
    saved(tmp_path, bases / "decoder")
    change_weights(tmp_path, lack=lack, extra=extra)
    with unfit(tmp_path, what + "more" * what.endswith(" "), bases / "decoder"):
        load_adapter(str(tmp_path))


@pytest.mark.parametrize("base", ["encoder", "classifier"])
def test_half_a_saved_head_is_refused(tmp_path, bases, base):
    saved(tmp_path, bases / base, "SEQ_CLS")
    change_weights(tmp_path, lack=[HEAD.format("bias")])
    with unfit(tmp_path, f"lacks {HEAD.format('bias')}", bases / base):
        load_adapter(str(tmp_path))


def random_head(base):
    return refused(
        f"{base} lacks weights that BertForSequenceClassification needs: "
        "classifier.bias, classifier.weight; they would be random at every loading. "
        "Train and save their modules with the adapter (modules_to_save in "
        "recipe.peft), or use a checkpoint that has them."
    )


def test_a_head_that_neither_adapter_nor_base_has_is_refused(tmp_path, bases):
    saved(tmp_path, bases / "encoder", "SEQ_CLS")
    change_weights(tmp_path, lack=[HEAD.format("weight"), HEAD.format("bias")])
    with random_head(bases / "encoder"):
        load_adapter(str(tmp_path))


def test_an_adapted_head_whose_own_weights_nobody_saved_is_refused(tmp_path, bases):
    saved_without_type(tmp_path, bases / "encoder", "query", "classifier")
    assert HEAD.format("lora_A.weight") in load_file(tmp_path / WEIGHTS)
    with random_head(bases / "encoder"):
        load_adapter(str(tmp_path), task_name="sequence-classification")


@pytest.mark.parametrize("name", ["adaptr", "other", "/no/such/folder"])
def test_a_path_where_nothing_lies_is_refused_without_asking_the_hub(
    name, tmp_path, monkeypatch
):
    (tmp_path / "adapter").mkdir()
    monkeypatch.chdir(tmp_path)
    advice = "; did you mean adapter? " if name == "adaptr" else ". "
    with refused(
        f"{name} holds no PEFT adapter that can be read: there is no such folder"
        f"{advice}{AGAIN}"
    ):
        load_adapter(name)


def test_a_base_named_from_another_working_directory_is_pointed_to(
    tmp_path, monkeypatch
):
    (tmp_path / "here").mkdir()
    (tmp_path / "base").mkdir()
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / CONFIG).write_text(
        '{"peft_type": "LORA", "base_model_name_or_path": "base"}'
    )
    monkeypatch.chdir(tmp_path / "here")
    with refused(
        "the adapter ../adapter names its base base, which is no folder here; if "
        "../base is meant, give it with --model, or as `model:` in run.yaml."
    ):
        load_adapter("../adapter")
