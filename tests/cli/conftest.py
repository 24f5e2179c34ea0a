"""Tiny adapters on disk, trained by `datainf train` itself, and runs on them."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.command import worked
from tests.tiny_models import tiny_bert_classifier, tiny_llama, tiny_tokenizer

# What a terminal, rich and a shell would each take for something else.
NASTY = {"prompt": "[bold]x[/bold] :smile:", "completion": " \x1b[31mred\x07"}
ANSWERS = [
    {"prompt": f"say {letter}", "completion": " yes" if i % 2 else " no"}
    for i, letter in enumerate("abcdefghijkl")
]


@dataclass(frozen=True)
class Place:
    """An adapter with all that belongs to it."""

    base: Path
    adapter: Path
    train: Path
    queries: Path
    said: str


def _lines(path: Path, rows: list[dict[str, str]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def _films(path: Path, noun: str, count: int, wrong: tuple[int, ...] = ()) -> Path:
    """Write films whose first word is their class; `gold` is the right label."""
    rows = [
        (f"{'good' if i % 2 else 'bad'} {noun} {i}", (i + (i in wrong)) % 2, i % 2)
        for i in range(count)
    ]
    body = "".join(f"{text}\t{label}\t{gold}\n" for text, label, gold in rows)
    path.write_text(f"text\tlabel\tgold\n{body}", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def lm(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A language model, trained on 13 prompts with completions; 3 queries."""
    folder = tmp_path_factory.mktemp("lm")
    base, adapter = folder / "base", folder / "adapter"
    tiny_llama().save_pretrained(base)
    tiny_tokenizer().save_pretrained(base)
    train = _lines(folder / "train.jsonl", [*ANSWERS, NASTY])
    queries = _lines(folder / "queries.jsonl", ANSWERS[:3])
    said = worked(
        *("train", "--model", base, "--train", train, "--out", adapter),
        *("--rank", 2, "--epochs", 2, "--batch-size", 5, "--lr", 0.01, "--seed", 3),
    )
    return Place(base, adapter, train, queries, said.out)


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A classifier, trained on 17 films of which 3 labels were flipped; 7 to trust."""
    folder = tmp_path_factory.mktemp("films")
    base, adapter = folder / "base", folder / "adapter"
    tiny_bert_classifier(2).save_pretrained(base)
    tiny_tokenizer().save_pretrained(base)
    train = _films(folder / "train.tsv", "film", 17)
    said = worked(
        *("train", "--model", base, "--data", train, "--out", adapter),
        *("--flip-labels", 0.2, "--flip-seed", 1, "--rank", 2, "--epochs", 2),
    )
    return Place(base, adapter, train, _films(folder / "val.tsv", "show", 7), said.err)


@pytest.fixture(scope="session")
def known_wrong(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """11 films, two of them with a wrong label, as the column `gold` tells."""
    return _films(tmp_path_factory.mktemp("gold") / "t.tsv", "film", 11, wrong=(2, 5))


@pytest.fixture(scope="session")
def attributed(lm: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one `attribute`."""
    out = tmp_path_factory.mktemp("attributed") / "run"
    worked("attribute", "--adapter", lm.adapter, "--queries", lm.queries, "--out", out)
    return out


@pytest.fixture(scope="session")
def stores(lm: Place, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Stores of the training rows and of the queries, each by one `collect`."""
    folder = tmp_path_factory.mktemp("stores")
    train, queries = folder / "train", folder / "queries"
    worked("collect", "--adapter", lm.adapter, "--out", train)
    worked("collect", "--adapter", lm.adapter, "--data", lm.queries, "--out", queries)
    return train, queries
