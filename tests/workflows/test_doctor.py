"""Doctor: what it finds on a sound run, and on runs broken in many ways."""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from datainf.capture.session import CaptureSession
from datainf.core.run_config import DataConfig, RunConfig
from datainf.integrations.base_models import quiet_loading
from datainf.workflows.doctor import examine
from datainf.workflows.findings import Finding
from tests.tiny_models import (
    tiny_bert_classifier,
    tiny_llama,
    tiny_tokenizer,
    with_lora,
)
from tests.workflows.collecting import Told

PACKAGES = ["python", "torch", "transformers", "peft", "datasets"]
MACHINE = [*PACKAGES, "accelerator", "threads", "memory", "disk"]
PROMPTS = [{"prompt": "a" * n, "completion": "bc"} for n in (5, 2, 41, 3)]
TEXTS = [{"text": "ab" * n, "label": c} for n, c in ((5, 2), (2, 0), (7, 1))]
BERT_TASK = {"name": "sequence-classification"}


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    """A folder with bases, adapters and data."""
    folder = tmp_path_factory.mktemp("doctor")
    for name, model in (("llama", tiny_llama()), ("bert", tiny_bert_classifier())):
        model.save_pretrained(folder / name)
        tiny_tokenizer().save_pretrained(folder / name)
    save_adapter(folder / "llama", folder / "llama-adapter", "CAUSAL_LM")
    save_adapter(folder / "bert", folder / "bert-adapter", "SEQ_CLS")
    write(folder / "prompts.jsonl", PROMPTS)
    write(folder / "texts.jsonl", TEXTS)
    return folder


def save_adapter(base: Path, folder: Path, kind: str, **options: Any) -> str:
    """Put an adapter that knows its base's folder into another."""
    auto = AutoModelForCausalLM
    if kind == "SEQ_CLS":
        auto = AutoModelForSequenceClassification
    with quiet_loading():
        model = auto.from_pretrained(base)
    with_lora(model, kind, **options).save_pretrained(folder)
    return str(folder)


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return str(path)


def examined(**run: Any) -> list[Finding]:
    """What is found besides the machine, which always comes first."""
    found = examine(RunConfig(**run), Told())
    assert [one.check for one in found[: len(MACHINE)]] == MACHINE
    return found[len(MACHINE) :]


def told(findings: list[Finding]) -> dict[str, tuple[str, str]]:
    assert len({one.check for one in findings}) == len(findings)
    return {one.check: (one.state, one.found) for one in findings}


def test_a_sound_run_of_a_language_model(there):
    found = told(
        examined(
            adapter=str(there / "llama-adapter"),
            train=DataConfig(data=str(there / "prompts.jsonl")),
        )
    )
    assert found == {
        "adapter": ("ok", "Lora, made for CAUSAL_LM"),
        "task": (
            "ok",
            "causal-lm (max_length=256, truncation='right', append_eos=True, "
            "add_special_tokens=True, border='separate', mask_prompt=True, "
            "turns='all', reduction='mean', padding_side='right')",
        ),
        "coverage": (
            "ok",
            "adapter 'default' (CAUSAL_LM): 8 blocks, 224 parameters, all collected\n"
            "  rule Linear: 8 blocks, 224 parameters",
        ),
        "columns": ("ok", "prompt, completion"),
        "examples": ("ok", "4, of 6 to 45 tokens"),
        "first example": ("ok", "aaaaa → bc"),
        "as tokens": (
            "ok",
            "<s> a a a a a [b] [c] [</s>] (3 tokens in the loss)",
        ),
        "gradients": ("ok", "two examples agree with autograd"),
        # 4 rows of 224 numbers and 8 norms, and the texts.
        "store": ("ok", "gradients take 3.9 KiB on disk"),
    }


def test_a_sound_run_of_a_classifier(there):
    found = told(
        examined(
            adapter=str(there / "bert-adapter"),
            task=BERT_TASK,
            train=DataConfig(data=str(there / "texts.jsonl")),
        )
    )
    assert found["task"][1].startswith(
        "sequence-classification (label_column='label', num_labels=3,"
    )
    assert found["first example"] == ("ok", "ababababab → 2")
    assert found["as tokens"] == ("ok", "<s> a b a b a b a b a b -> class 2")
    assert {state for state, _ in found.values()} == {"ok"}


def test_long_examples_are_shown_by_their_beginning(there, tmp_path):
    rows = [{"prompt": "a" * 53, "completion": "b"}, {"prompt": "c", "completion": "d"}]
    found = told(
        examined(
            adapter=str(there / "llama-adapter"),
            train=DataConfig(data=write(tmp_path / "rows.jsonl", rows)),
        )
    )
    assert found["as tokens"][1] == f"<s> {'a ' * 39}... (2 tokens in the loss)"
    data = write(tmp_path / "texts.jsonl", [{"text": "a" * 53, "label": 1}])
    adapter = str(there / "bert-adapter")
    found = told(examined(adapter=adapter, train=DataConfig(data=data)))
    assert found["as tokens"][1] == f"<s> {'a ' * 39}... -> class 1"


def test_examples_that_are_cut_are_noted(there):
    found = told(
        examined(
            adapter=str(there / "bert-adapter"),
            task={**BERT_TASK, "max_length": 11},
            train=DataConfig(data=str(there / "texts.jsonl")),
        )
    )
    assert found["examples"] == (
        "note",
        "3, of 5 to 11 tokens; 1 are cut at max_length: raise it if training did",
    )


def test_queries_are_looked_at_with_the_same_eyes(there, tmp_path):
    run = {
        "adapter": str(there / "llama-adapter"),
        "queries": DataConfig(data=str(there / "prompts.jsonl")),
    }
    found = told(examined(**run))
    assert list(found) == ["adapter", "task", "coverage", "queries"]
    assert found["queries"] == ("ok", "4, of 6 to 45 tokens")
    broken = write(tmp_path / "rows.jsonl", [{"prompt": "a", "completion": None}])
    run["queries"] = DataConfig(data=broken)
    assert fault(examined(**run), "queries").startswith(
        "example 0: column 'completion'"
    )


def test_a_store_that_will_not_fit_is_to_be_made_smaller(there, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=2**11))
    run = {
        "adapter": str(there / "llama-adapter"),
        "train": DataConfig(data=str(there / "prompts.jsonl")),
    }
    assert told(examined(**run))["store"] == (
        "fix",
        "gradients take 3.9 KiB on disk, and 2.0 KiB are free for runs/datainf; give "
        "--out on another disk, or --dtype bf16 for half",
    )


def test_data_without_an_adapter_cannot_be_read():
    said = "not looked at: only with --adapter is it known how to read them"
    expected = [Finding("data", "note", said)]
    assert examined(train=DataConfig(data="rows.jsonl")) == expected
    assert examined(queries=DataConfig(data="rows.jsonl")) == expected


def test_without_data_the_adapter_is_looked_at_and_without_one_the_machine_alone(there):
    found = told(examined(adapter=str(there / "llama-adapter")))
    assert list(found) == ["adapter", "task", "coverage"]
    assert examined() == []


def test_nothing_is_written(there, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    examined(
        adapter=str(there / "llama-adapter"),
        train=DataConfig(data=str(there / "prompts.jsonl")),
    )
    assert list(tmp_path.iterdir()) == []


# --- faults -------------------------------------------------------------------------


def fault(found: list[Finding], check: str) -> str:
    """The one finding that must be fixed, and is the last."""
    (wrong,) = [one for one in found if one.state != "ok"]
    assert (wrong.check, wrong.state) == (check, "fix")
    assert found[-1] is wrong
    return wrong.found


FAULTY_ADAPTERS: dict[str, tuple[dict[str, Any], str]] = {
    "not there": (
        {"adapter": "{}/none"},
        r"{}/none holds no PEFT adapter that can be read: .+ Give the folder or hub "
        r"name that `save_pretrained` of the PEFT model wrote\.",
    ),
    "base not there": (
        {"adapter": "{}/llama-adapter", "model": "{}/none"},
        r"the (model|tokenizer) {}/none cannot be loaded: .+",
    ),
    "another base": (
        {"adapter": "{}/llama-adapter", "model": "{}/bert"},
        r"{}/bert lacks weights that BertLMHeadModel needs: .+",
    ),
    "another task": (
        {"adapter": "{}/bert-adapter", "task": {"name": "causal-lm"}},
        r"the adapter was trained for SEQ_CLS, the task causal-lm needs CAUSAL_LM; "
        r"use the task sequence-classification\.",
    ),
    "unknown task": (
        {"adapter": "{}/bert-adapter", "task": {"name": "sequence"}},
        r"task\.name='sequence' is unknown: expected one of: "
        r"sequence-classification, causal-lm.*",
    ),
    "setting of another kind": (
        {"adapter": "{}/llama-adapter", "task": {"columns": 3}},
        r"task\.columns must be a mapping, got 3\.",
    ),
}


def test_what_nobody_foresaw_is_a_finding_too(there, monkeypatch):
    def broken(_):
        raise TypeError("of another library")

    monkeypatch.setattr("datainf.workflows.doctor.load_subject", broken)
    found = told(examined(adapter=str(there / "llama-adapter")))
    assert found["adapter"] == ("fix", "TypeError: of another library")


@pytest.mark.parametrize(
    ("run", "pattern"), FAULTY_ADAPTERS.values(), ids=FAULTY_ADAPTERS
)
def test_a_fault_of_the_adapter_is_the_finding(there, run, pattern):
    given = {
        key: value.format(there) if isinstance(value, str) else value
        for key, value in run.items()
    }
    # Data are named too, but there is no model to look at them with.
    train = DataConfig(data=str(there / "prompts.jsonl"))
    found = examined(**given, train=train)
    assert len(found) == 1
    assert re.fullmatch(
        pattern.replace("{}", re.escape(str(there))), fault(found, "adapter")
    )


FAULTY_ROWS: dict[str, tuple[list[dict[str, Any]], str]] = {
    "columns": (
        [{"question": "a", "answer": "b"}],
        "no example can be read from the columns question, answer: expected text, "
        "prompt and completion, messages, or input_ids. Map other names with columns=, "
        "such as columns={'prompt': 'question', 'completion': 'answer'} "
        "(--column prompt=question --column completion=answer).",
    ),
    "an empty cell": (
        [*PROMPTS, {"prompt": None, "completion": "b"}],
        "example 4: column 'prompt' is empty in the row {'prompt': None, 'completion': "
        "'b'}; fill it or take the row out.",
    ),
    "nothing to learn": (
        [*PROMPTS, {"prompt": "a" * 300, "completion": "b"}],
        "example 4: no token to learn from in the row {'prompt': "
        f"'{'a' * 66} … {'a' * 18}', 'completion': 'b'}}: all are masked after "
        "cutting it to max_length=256; give it a completion, raise max_length, or take "
        "the row out.",
    ),
    "tokens of another model": (
        [{"input_ids": [5, 6, 7]}, {"input_ids": [5, 1009, 7, 8]}],
        "example 1: token 1009 of input_ids is none of the model's 61 (0 to 60); give "
        "the base and the tokenizer that the adapter was trained with.",
    ),
}


@pytest.mark.parametrize(("rows", "message"), FAULTY_ROWS.values(), ids=FAULTY_ROWS)
def test_a_fault_of_the_data_comes_after_what_is_sound(there, tmp_path, rows, message):
    data = DataConfig(data=write(tmp_path / "rows.jsonl", rows))
    found = examined(adapter=str(there / "llama-adapter"), train=data)
    assert [one.check for one in found] == ["adapter", "task", "coverage", "data"]
    assert fault(found, "data") == message


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "no data given: expected a file, a folder or a hub name."),
        (
            {"data": "{}/prompt.jsonl"},
            "{}/prompt.jsonl does not exist; did you mean {}/prompts.jsonl?",
        ),
        (
            {"data": "{}/prompts.jsonl", "truth": "complete"},
            "column 'complete' is missing: expected one of: prompt, completion; did "
            "you mean 'completion'?.",
        ),
    ],
)
def test_data_that_cannot_be_read_are_the_finding(there, data, message):
    given = {key: value.format(there, there) for key, value in data.items()}
    found = examined(adapter=str(there / "llama-adapter"), train=DataConfig(**given))
    assert fault(found, "data") == message.format(there, there)


def test_an_adapter_that_says_no_task_type_fits_any(there, tmp_path):
    for file in (there / "llama-adapter").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    config["task_type"] = None
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    found = told(examined(adapter=str(tmp_path), task={"name": "causal-lm"}))
    assert found["adapter"] == ("ok", "Lora, made for any task")


def test_an_adapter_that_cannot_be_captured_is_the_finding(there, monkeypatch):
    def refuse(*_arguments):
        raise RuntimeError("the device is gone")

    monkeypatch.setattr(CaptureSession, "__init__", refuse)
    found = examined(
        adapter=str(there / "llama-adapter"),
        train=DataConfig(data=str(there / "prompts.jsonl")),
    )
    assert found == [
        Finding("adapter", "fix", "RuntimeError: the device is gone"),
        Finding("data", "fix", "RuntimeError: the device is gone"),
    ]


def test_how_each_layer_is_collected_is_shown(there, tmp_path):
    adapter = save_adapter(
        there / "llama", tmp_path, "CAUSAL_LM", modules_to_save=["model.norm"]
    )
    train = DataConfig(data=str(there / "prompts.jsonl"))
    found = told(examined(adapter=adapter, train=train))
    assert "  replay LlamaRMSNorm: 1 blocks, 16 parameters" in found["coverage"][1]
    assert found["gradients"][0] == "ok"
