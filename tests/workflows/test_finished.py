"""A finished run opened again: the same scores, of the very rows."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from datainf.core.errors import OptionError, StoreError
from datainf.core.records import Scores
from datainf.core.run_config import DataConfig
from datainf.workflows.finished import open_finished
from datainf.workflows.progress import Logged
from datainf.workflows.run_file import read_run, write_run
from tests.workflows.run_folders import REVIEWS


@pytest.fixture
def copied(labels, tmp_path):
    """The run over data of its own, which a test may change."""
    folder = tmp_path / "run"
    shutil.copytree(labels.folder / "scores", folder / "scores")
    shutil.copy(labels.folders.train, tmp_path / "train.jsonl")
    config = read_run(labels.folder)
    assert config.train is not None
    write_run(
        replace(
            config, train=replace(config.train, data=str(tmp_path / "train.jsonl"))
        ),
        folder,
    )
    return folder


def test_it_ranks_as_the_run_did(labels):
    found = open_finished(labels.folder, Logged())
    ranking = pd.read_csv(labels.folder / "mislabeled.csv")
    order = found.index[found.most_suspicious(len(found.index))]
    assert order.tolist() == ranking["index"].tolist()
    places = found.most_suspicious(4)
    np.testing.assert_allclose(found.suspicion[places], ranking["suspicion"][:4])
    assert found.wrong is not None
    assert found.wrong.sum() == 2
    wrong = ranking.set_index("index")["wrong"].sort_index()
    assert found.wrong.tolist() == wrong.tolist()


def test_labels_are_those_that_the_run_used(labels):
    found = open_finished(labels.folder, Logged())
    original = [row["label"] for row in REVIEWS[: len(found.index)]]
    used = [row["label"] for row in found.dataset]
    differ = [a != b for a, b in zip(original, used, strict=True)]
    assert found.wrong is not None
    assert differ == found.wrong.tolist()


def test_without_queries_suspicion_is_self_influence(copied):
    scores = Scores.load(copied / "scores")
    write_run(replace(read_run(copied), queries=None), copied)
    found = open_finished(copied, Logged())
    np.testing.assert_array_equal(found.suspicion, -scores.values[0])


def test_data_that_changed_are_refused(copied):
    train = copied.parent / "train.jsonl"
    first, *rest = train.read_text(encoding="utf-8").splitlines()
    changed = json.dumps({**json.loads(first), "text": "other"})
    train.write_text("\n".join([changed, *rest]), encoding="utf-8")
    message = (
        f"{train} holds other rows than those that {copied} scored, so its numbers of "
        "rows would point at other ones; run it again, or put the data back."
    )
    with pytest.raises(StoreError, match=f"^{re.escape(message)}$"):
        open_finished(copied, Logged())


def test_a_folder_without_scores_is_refused(tmp_path):
    message = (
        f"{tmp_path} is no finished run (no scores/scores.json); give the --out folder "
        "of `datainf mislabeled` or `datainf attribute`."
    )
    with pytest.raises(StoreError, match=f"^{re.escape(message)}$"):
        open_finished(tmp_path, Logged())


def test_a_run_over_stores_is_refused(copied, labels):
    stores = DataConfig(data=str(Path(labels.folder) / "train"))
    write_run(replace(read_run(copied), train=stores), copied)
    message = (
        f"{copied} is a run of `datainf score`, which names stores and not the data; "
        "run `datainf mislabeled` or `datainf attribute`, which name both."
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        open_finished(copied, Logged())
