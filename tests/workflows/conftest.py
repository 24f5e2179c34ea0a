"""Finished runs, made once: a classifier with flipped labels, and a language model."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from datainf.core.options import ScoreOptions
from datainf.workflows.runs import attribute_run, mislabeled_run
from tests.workflows.judging import judged
from tests.workflows.run_folders import (
    COLLECT,
    Folders,
    language_folders,
    put_rows,
    review_folders,
)

DOT = ScoreOptions(method="dot", agreement=False)
FRESH = [
    {"text": "fine bad " * n, "label": "good" if n % 2 else "awful"}
    for n in (1, 2, 3, 5, 7)
]
"""Test rows that no run has seen."""


@dataclass(frozen=True)
class Ran:
    """A finished run with all that belongs to it."""

    folders: Folders
    folder: Path
    test: str


@pytest.fixture(scope="session")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """`mislabeled` on 11 reviews, 2 of their labels flipped; 5 others to trust."""
    place = tmp_path_factory.mktemp("labels")
    folders = review_folders(place, flipped=0.2)
    asked = judged(folders, place / "run")
    mislabeled_run(replace(asked, evaluate=None, collect=COLLECT, score=DOT))
    return Ran(folders, place / "run", put_rows(place / "fresh.jsonl", FRESH))


@pytest.fixture(scope="session")
def sums(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """`attribute` of a language model's sums."""
    place = tmp_path_factory.mktemp("sums")
    folders = language_folders(place)
    attribute_run(folders.run(place / "run", score=DOT))
    return Ran(folders, place / "run", folders.queries)
