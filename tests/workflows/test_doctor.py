"""Doctor: what it finds on a sound run, and on runs broken in many ways."""

import json
import os
import re
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from datainf.capture.session import CaptureSession
from datainf.core.run_config import DataConfig, RunConfig
from datainf.integrations.base_models import quiet_loading
from datainf.workflows.doctor import Finding, examine, machine
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
TEXTS = [{"text": "ab" * n, "label": n % 3} for n in (5, 2, 7)]
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
        "3, of 5 to 11 tokens; 1 are cut at max_length",
    )


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
        "such as columns={'prompt': 'question', 'completion': 'answer'}.",
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


# --- the machine --------------------------------------------------------------------


def on_this_machine(out: str | Path = ".") -> dict[str, tuple[str, str]]:
    return told(list(machine(Path(out))))


def test_the_machine_is_told_by_its_versions_threads_memory_and_disk(tmp_path):
    found = on_this_machine(tmp_path / "not" / "there" / "yet")
    assert found["torch"] == ("ok", torch.__version__)
    assert re.fullmatch(r"3\.\d+\.\d+", found["python"][1])
    assert re.fullmatch(r"1 of \d+ cores", found["threads"][1])
    assert re.fullmatch(r"[\d.]+ [GT]iB", found["memory"][1])
    assert re.fullmatch(
        rf"[\d.]+ \wiB free for {tmp_path}/not/there/yet(; .+)?", found["disk"][1]
    )


def test_a_missing_package_is_to_be_installed(monkeypatch):
    def version(name):
        if name == "peft":
            raise PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr("datainf.workflows.doctor.version", version)
    found = on_this_machine()
    assert found["peft"] == ("fix", "not installed; pip install peft")
    assert found["datasets"] == ("ok", "1.0")


@pytest.mark.parametrize(
    ("there", "text"), [(False, "none, the CPU computes"), (True, "cuda:0")]
)
def test_the_accelerator_is_named_where_there_is_one(monkeypatch, there, text):
    # A build for CUDA names its device on machines without one too.
    built_for = torch.device("cuda", 0)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: built_for)
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: there)
    assert on_this_machine()["accelerator"] == ("ok", text)


@pytest.mark.parametrize(
    ("cores", "expected"),
    [
        (7, ("ok", "5 of 7 cores")),
        (5, ("ok", "5 of 5 cores")),
        (3, ("note", "5 of 3 cores; set OMP_NUM_THREADS to the cores you have")),
        (None, ("note", "5 of 1 cores; set OMP_NUM_THREADS to the cores you have")),
    ],
)
def test_more_threads_than_cores_are_noted(monkeypatch, cores, expected):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 5)
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert on_this_machine()["threads"] == expected


@pytest.mark.parametrize(
    ("free", "expected"),
    [
        (5 * 2**30, ("ok", "5.0 GiB free for runs")),
        (2**30, ("note", "1.0 GiB free for runs; --dry-run tells what a run needs")),
    ],
)
def test_a_full_disk_is_noted(monkeypatch, tmp_path, free, expected):
    asked = []

    def usage(path):
        asked.append(Path(path))
        return SimpleNamespace(free=free)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", usage)
    assert on_this_machine("runs")["disk"] == expected
    # The nearest folder that is there: where the run's own would be made.
    assert asked == [tmp_path]


def test_how_each_layer_is_collected_is_shown(there, tmp_path):
    adapter = save_adapter(
        there / "llama", tmp_path, "CAUSAL_LM", modules_to_save=["model.norm"]
    )
    train = DataConfig(data=str(there / "prompts.jsonl"))
    found = told(examined(adapter=adapter, train=train))
    assert "  replay LlamaRMSNorm: 1 blocks, 16 parameters" in found["coverage"][1]
    assert found["gradients"][0] == "ok"
