"""Folders with one thing wrong in each, for `tests/fault_table.py`."""

import json
import pickle
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from peft import LNTuningConfig, get_peft_model
from safetensors.torch import load_file, save_file

from tests.cli.command import worked
from tests.integrations.saved_adapters import WEIGHTS, change, loaded, put, saved
from tests.tiny_models import (
    tiny_bert_classifier,
    tiny_llama,
    tiny_t5,
    with_lora,
)

Rows = Sequence[Mapping[str, Any]]
SAID = [
    {"prompt": f"say {letter}", "completion": " yes" if i % 2 else " no"}
    for i, letter in enumerate("abcdefg")
]
FILMS: list[dict[str, Any]] = [{"text": f"film {i}", "label": i % 2} for i in range(5)]
CONFIG = "adapter_config.json"
NASTY = "nul \0, half \ud83d, \u202eeast, <script>, ü, 東"


def lines(path: Path, rows: Rows) -> Path:
    """Write a jsonl file, what UTF-8 cannot hold as an escape."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def with_weights(folder: Path, source: Path, **changed: float) -> None:
    """Copy an adapter, a value in every tensor whose name holds a word."""
    folder.mkdir()
    for file in source.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    held = load_file(source / WEIGHTS)
    for word, value in changed.items():
        for name in held:
            if word in name:
                held[name] = torch.full_like(held[name], value)
    save_file(held, folder / WEIGHTS)


def bases(folder: Path) -> dict[str, Path]:
    """Save base models, each with its tokenizer."""
    made = {
        "base": tiny_llama(),
        "other_base": tiny_llama(seed=1),
        "film_base": tiny_bert_classifier(2),
        "t5_base": tiny_t5(),
    }
    small, padded = tiny_llama(), tiny_llama()
    small.resize_token_embeddings(31)
    padded.resize_token_embeddings(96)
    made |= {"small_base": small, "padded_base": padded}
    for name, model in made.items():
        put(folder / name, model)
    return {name: folder / name for name in made}


def adapters(folder: Path, at: Mapping[str, Path]) -> dict[str, Path]:
    """Save adapters on those bases."""
    saved(folder / "lm", at["base"])
    saved(folder / "other", at["base"], seed=1)
    saved(folder / "rank3", at["base"], r=3)
    saved(folder / "small", at["small_base"])
    saved(folder / "padded", at["padded_base"])
    made = {
        "films": (tiny_bert_classifier(2), "film_base", "SEQ_CLS"),
        "t5": (tiny_t5(), "t5_base", "SEQ_2_SEQ_LM"),
    }
    for name, (model, base, kind) in made.items():
        with_lora(model, kind).save_pretrained(folder / name)
        change(folder / name, CONFIG, {"base_model_name_or_path": str(at[base])})
    kind = LNTuningConfig(task_type="CAUSAL_LM", target_modules=["input_layernorm"])
    get_peft_model(loaded(at["base"], head=False), kind).save_pretrained(
        folder / "norms"
    )
    with_weights(folder / "nan", folder / "lm", lora_B=float("nan"))
    with_weights(folder / "inf", folder / "lm", lora_A=float("inf"))
    with_weights(folder / "zero", folder / "lm", lora_A=0.0, lora_B=0.0)
    return {path.parent.name: path.parent for path in folder.glob(f"*/{CONFIG}")}


def data(folder: Path) -> dict[str, Path]:
    """Write data files, all but the first three with something wrong."""
    rows: dict[str, Rows] = {
        "rows": SAID,
        "queries": SAID[:3],
        "film_rows": FILMS,
        "one": SAID[:1],
        "two": SAID[:2],
        "twice": [*SAID, *SAID[:2]],
        "prompts": [{"prompt": "say a"}],
        "misspelt": [{"prompt": "say a", "completoin": " yes"}],
        "seven": [*FILMS, {"text": "film", "label": 7}],
        "words": [{**row, "label": ("bad", "good")[row["label"]]} for row in FILMS],
        "mixed": [*FILMS, {"text": "film", "label": "good"}],
        "masked": [{"input_ids": [2, 5, 7], "labels": [-100, -100, -100]}],
        "long_film": [{"text": "a" * 300, "label": 0}],
        "long_prompt": [{"prompt": "a" * 12, "completion": "b"}],
        "packed": [{"input_ids": [2, 5, 7, 2, 5], "position_ids": [0, 1, 2, 0, 1]}],
        "ids": [{"input_ids": [2, 5, 7]}, {"input_ids": [2, 5, 999]}],
        "nasty": [*SAID, {"prompt": NASTY, "completion": f" {NASTY}"}],
    }
    made = {
        name: lines(folder / f"{name}.jsonl", found) for name, found in rows.items()
    }
    texts = {
        "empty.jsonl": "",
        "nothing.json": "[]",
        "header.csv": "prompt,completion\n",
        "cut.jsonl": '{"prompt": "a", "completion": "b"}\n{"prompt": "c", "compl',
        "cut.json": '[{"prompt": "a", "completion": "b"}, {"prompt": "c"',
        "cut.csv": 'prompt,completion\na,b\n"c,d\n',
        "cut.tsv": "prompt\tcompletion\na\tb\nc\n",
        "rows.xlsx": "PK",
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
        made[name.replace(".", "_")] = folder / name
    table = folder / "whole.parquet"
    pq.write_table(pa.Table.from_pylist(SAID), table)
    (folder / "cut.parquet").write_bytes(table.read_bytes()[:-20])
    (folder / "latin.csv").write_bytes("prompt,completion\na,é\n".encode("latin-1"))
    for name, values in {
        "run_yaml": {"scor": {}},
        "section_yaml": {"score": {"metod": "dot"}},
    }.items():
        made[name] = folder / f"{name}.yaml"
        made[name].write_text(json.dumps(values), encoding="utf-8")
    return {
        **made,
        "cut_parquet": folder / "cut.parquet",
        "latin": folder / "latin.csv",
    }


class Marker:
    """Leaves a file behind where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def hostile(folder: Path, at: Mapping[str, Path]) -> dict[str, Path]:
    """Save an adapter and bases that leave `marker` behind where their code runs."""
    marker = folder / "marker"
    names = ("pickled", "pickled_base", "coded_base", "coded_tokenizer_base")
    made = {name: folder / name for name in names}
    shutil.copytree(at["lm"], made["pickled"])
    (made["pickled"] / WEIGHTS).unlink()
    (made["pickled"] / "adapter_model.bin").write_bytes(pickle.dumps(Marker(marker)))
    for name in names[1:]:
        shutil.copytree(at["base"], made[name])
    (made["pickled_base"] / "model.safetensors").unlink()
    torch.save({"x": Marker(marker)}, made["pickled_base"] / "pytorch_model.bin")
    own = (
        f"from pathlib import Path\n\nPath({str(marker)!r}).touch()\n"
        "from transformers import LlamaConfig, LlamaForCausalLM\n"
        "from transformers import PreTrainedTokenizerFast\n\n\n"
        "class Tokenizer(PreTrainedTokenizerFast):\n    pass\n\n\n"
        "class Config(LlamaConfig):\n    model_type = 'own'\n\n\n"
        "class Model(LlamaForCausalLM):\n    config_class = Config\n"
    )
    for name in names[2:]:
        (made[name] / "own.py").write_text(own, encoding="utf-8")
    change(
        made["coded_base"],
        "config.json",
        {
            "model_type": "own",
            "auto_map": {
                "AutoConfig": "own.Config",
                "AutoModelForCausalLM": "own.Model",
            },
        },
    )
    change(
        made["coded_tokenizer_base"],
        "tokenizer_config.json",
        {
            "tokenizer_class": "Own",
            "auto_map": {"AutoTokenizer": [None, "own.Tokenizer"]},
        },
    )
    return {**made, "marker": marker}


def stores(folder: Path, at: Mapping[str, Path]) -> dict[str, Path]:
    """Collect stores that do not go together."""
    for name, adapter, data_file, *more in (
        ("s_lm", "lm", "rows"),
        ("s_other", "other", "queries"),
        ("s_base", "lm", "queries", "--model", at["other_base"]),
        ("s_short", "lm", "queries", "--max-length", 101),
        ("s_films", "films", "film_rows"),
        ("s_paper", "films", "film_rows", "--parameters", "paper"),
    ):
        worked(
            *("collect", "--adapter", at[adapter], "--data", at[data_file]),
            *("--out", folder / name, *more),
        )
    return {path.name: path for path in folder.glob("s_*") if path.is_dir()}


def places(folder: Path) -> dict[str, Path]:
    """Make them all."""
    at = bases(folder)
    at |= adapters(folder, at)
    at |= data(folder)
    at |= hostile(folder, at)
    return {**at, **stores(folder, at)}
