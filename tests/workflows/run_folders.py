"""Folders for tests of whole runs: tiny bases, data files, adapters trained on them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from datainf.core.options import CollectOptions
from datainf.core.recipe import Recipe
from datainf.core.run_config import DataConfig, RunConfig
from datainf.workflows.training import train_run
from tests.tiny_models import tiny_bert_classifier, tiny_llama, tiny_tokenizer

N, Q = 11, 5
REVIEWS = [
    {"text": word * (i % 4 + 1), "label": label}
    for i in range(N + Q)
    for word, label in [("fine ", "good") if i % 3 else ("bad ", "awful")]
]
SUMS = [
    {"prompt": f"{i} + {i % 4} = ", "completion": str(i + i % 4)} for i in range(N + Q)
]
QUICK = {"num_train_epochs": 1, "per_device_train_batch_size": 4}
COLLECT = CollectOptions(batch_tokens=64, shard_rows=7)


def recipe(*targets: str, seed: int = 3, **peft: Any) -> Recipe:
    """Make a recipe of one quick epoch for LoRA on some modules."""
    made = {"r": 2, "target_modules": list(targets), **peft}
    return Recipe(peft=made, training=QUICK, seed=seed)


def put_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> str:
    """Write a jsonl file."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


@dataclass(frozen=True)
class Folders:
    """Paths that runs are made of.

    Attributes:
        base: The base model.
        train: Training data, N rows.
        queries: Queries or validation data, Q rows.
        adapter: An adapter that `train_run` made of them.
        config: The run that made it.
    """

    base: str
    train: str
    queries: str
    adapter: str
    config: RunConfig

    def run(self, out: Path, **changes: Any) -> RunConfig:
        """Make a run on the adapter, with everything said."""
        made = RunConfig(
            adapter=self.adapter,
            train=DataConfig(data=self.train),
            queries=DataConfig(data=self.queries),
            collect=COLLECT,
            out=str(out),
        )
        return replace(made, **changes)


def _folders(
    folder: Path, rows: Sequence[Mapping[str, Any]], asked: Recipe, **train: Any
) -> Folders:
    tiny_tokenizer().save_pretrained(folder / "base")
    file = put_rows(folder / "train.jsonl", rows[:N])
    config = RunConfig(
        model=str(folder / "base"),
        train=DataConfig(data=file, **train),
        recipe=asked,
        out=str(folder / "adapter"),
    )
    return Folders(
        base=str(folder / "base"),
        train=file,
        queries=put_rows(folder / "queries.jsonl", rows[N:]),
        adapter=str(train_run(config)),
        config=config,
    )


def language_folders(folder: Path) -> Folders:
    """A Llama that learned sums."""
    tiny_llama().save_pretrained(folder / "base")
    return _folders(folder, SUMS, recipe("q_proj", "v_proj"))


def review_folders(folder: Path, *, flipped: float = 0.0) -> Folders:
    """A BERT encoder that learned to judge, perhaps from partly flipped labels."""
    tiny_bert_classifier().bert.save_pretrained(folder / "base")
    return _folders(folder, REVIEWS, recipe("query", "value"), flip_labels=flipped)
