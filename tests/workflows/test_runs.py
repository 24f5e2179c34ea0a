"""Whole runs from run.yaml: what they leave, and that it replays them."""

import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from datainf.core.errors import DataError, OptionError
from datainf.core.options import CollectOptions, ScoreOptions
from datainf.core.records import Scores
from datainf.core.run_config import DataConfig, RunConfig
from datainf.store.reader import open_store
from datainf.workflows import runs
from datainf.workflows.attribute import attribute
from datainf.workflows.data import load_rows
from datainf.workflows.run_file import read_run, resolve
from datainf.workflows.subject import load_subject
from tests.reports.unpacked import page_data
from tests.workflows.collecting import Told
from tests.workflows.run_folders import (
    COLLECT,
    REVIEWS,
    SUMS,
    N,
    Q,
    language_folders,
    put_rows,
    review_folders,
)

EXACT = ScoreOptions(method="exact", damping=0.3, blocks="layer", keep_blocks=True)


def refused(message, kind=OptionError):
    return pytest.raises(kind, match=f"^{re.escape(message)}$")


@pytest.fixture(scope="module")
def language(tmp_path_factory):
    return language_folders(tmp_path_factory.mktemp("language"))


@pytest.fixture(scope="module")
def reviews(tmp_path_factory):
    return review_folders(tmp_path_factory.mktemp("reviews"), flipped=0.2)


def values(config):
    """A run as plain values."""
    return config.to_dict("")


# --- attribute ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def attributed(language, tmp_path_factory):
    """An attribute run with options that are not the defaults, and what it was told."""
    told = Told()
    config = language.run(tmp_path_factory.mktemp("attributed") / "out", score=EXACT)
    return config, runs.attribute_run(config, told), told


def test_an_attribute_run_leaves_stores_scores_report_and_run(attributed):
    config, found, _ = attributed
    out = Path(config.out)
    names = sorted(path.name for path in out.iterdir())
    (queries,) = [name for name in names if re.fullmatch(r"queries-[0-9a-f]{8}", name)]
    assert names == [queries, "report.html", "run.yaml", "scores", "train"]
    assert len(open_store(out / "train")) == N
    assert len(open_store(out / queries)) == Q
    assert found.report == out / "report.html"
    texts = [row["text"] for row in page_data(found.report)["rows"]]
    assert any(text.startswith(SUMS[0]["prompt"]) for text in texts)
    again = Scores.load(out / "scores")
    assert (again.values == found.scores.values).all()
    assert again.provenance == found.scores.provenance


def test_an_attribute_run_gives_what_its_parts_give(attributed):
    config, found, _ = attributed
    subject = load_subject(config)
    assert config.train is not None
    assert config.queries is not None
    scores = attribute(
        subject.model,
        load_rows(config.train, subject.task).dataset,
        load_rows(config.queries, subject.task).dataset,
        subject.task,
        method="exact",
        damping=0.3,
        blocks="layer",
        keep_blocks=True,
        **asdict(COLLECT),
    )
    assert (scores.values == found.scores.values).all()
    assert scores.per_block is not None
    assert scores.values.shape == (Q, N)


def test_the_options_of_a_run_reach_its_stores_and_scores(attributed):
    config, found, _ = attributed
    manifest = open_store(Path(config.out) / "train").manifest
    assert [shard.rows for shard in manifest.shards] == [7, N - 7]
    used = found.scores.provenance
    assert (used.method, used.options["damping"]) == ("exact", 0.3)


def test_the_reporter_of_an_attribute_run_is_told_of_both_stores(attributed):
    _, _, told = attributed
    assert [text for text in told.of("say") if text.endswith(":")] == [
        "queries:",
        "training examples:",
    ]
    assert ("gradients", N) in told.of("stage")


def test_the_run_that_is_left_replays_the_scores_to_the_bit(attributed, tmp_path):
    config, found, _ = attributed
    left = resolve({"out": str(tmp_path)}, config.out)
    assert values(left) == {**values(config), "out": str(tmp_path)}
    again = runs.attribute_run(left)
    assert (again.scores.values == found.scores.values).all()


def test_a_run_that_is_run_again_uses_what_is_there(attributed):
    config, found, _ = attributed
    told = Told()
    other = replace(config, score=ScoreOptions(method="dot"))
    again = runs.attribute_run(other, told)
    assert ("gradients", N) not in told.of("stage")
    assert again.scores.provenance.method == "dot"
    assert not np.allclose(again.scores.values, found.scores.values)
    assert read_run(config.out).score.method == "dot"
    runs.attribute_run(config)  # as it was, for the tests that follow


# --- mislabeled ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def suspected(reviews, tmp_path_factory):
    """A mislabeled run of which nothing is said but folder and validation data."""
    out = tmp_path_factory.mktemp("suspected")
    flags = {
        "adapter": reviews.adapter,
        "queries": {"data": reviews.queries},
        "out": str(out),
    }
    return out, runs.mislabeled_run(resolve(flags))


def test_a_mislabeled_run_needs_the_adapters_folder_alone(suspected, reviews):
    out, found = suspected
    assert read_run(out).train == DataConfig(data=reviews.train, flip_labels=0.2)
    assert found.measured["share_wrong"] == pytest.approx(round(0.2 * N) / N)
    assert 0 <= found.measured["auc"] <= 1
    assert found.scores.values.shape == (1, N)


def test_a_mislabeled_run_leaves_every_row_most_suspicious_first(suspected):
    out, found = suspected
    table = pd.read_csv(out / "mislabeled.csv")
    assert table["rank"].tolist() == [*range(1, N + 1)]
    assert table["index"].tolist() == found.ranking["index"].tolist()
    assert sorted(table["index"]) == [*range(N)]
    assert table["suspicion"].is_monotonic_decreasing
    assert table["wrong"].sum() == round(0.2 * N)
    flipped = [
        REVIEWS[i]["label"] != label
        for i, label in zip(table["index"], table["label"], strict=True)
    ]
    assert table["wrong"].tolist() == flipped


def test_a_mislabeled_run_leaves_stores_scores_report_and_run(suspected):
    out, found = suspected
    names = {path.name for path in out.iterdir()}
    assert {"train", "scores", "report.html", "mislabeled.csv", "run.yaml"} < names
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Training rows that may be wrong" in page
    assert "share_wrong" in page
    assert (Scores.load(out / "scores").values == found.scores.values).all()


def test_the_run_that_is_left_replays_the_ranking_to_the_bit(suspected, tmp_path):
    out, found = suspected
    again = runs.mislabeled_run(resolve({"out": str(tmp_path)}, out))
    pd.testing.assert_frame_equal(again.ranking, found.ranking)


@pytest.mark.parametrize("queries", [None, {}])
def test_without_validation_data_rows_are_ranked_by_self_influence(
    reviews, tmp_path, queries
):
    flags = {"adapter": reviews.adapter, "queries": queries, "out": str(tmp_path)}
    found = runs.mislabeled_run(resolve(flags))
    assert found.scores.queries["index"].tolist() == ["itself"]
    assert (tmp_path / runs.RANKING).is_file()
    assert not list(tmp_path.glob("queries-*"))


# --- collect, then score ------------------------------------------------------------


@pytest.fixture(scope="module")
def collected(language, tmp_path_factory):
    """Two stores made by two runs, and scores made of them by a third."""
    folder = tmp_path_factory.mktemp("collected")
    stores = {}
    for name, data in (("train", language.train), ("queries", language.queries)):
        # A trailing slash, as a shell completes folders.
        config = language.run(folder / name, train=DataConfig(data=data), queries=None)
        stores[name] = runs.collect_run(replace(config, out=f"{folder / name}/"))
    config = RunConfig(
        train=DataConfig(data=str(folder / "train")),
        queries=DataConfig(data=str(folder / "queries")),
        score=EXACT,
        out=str(folder / "scores"),
    )
    return folder, stores, runs.score_run(config)


def test_a_collect_run_leaves_its_run_beside_the_store(collected, language):
    folder, stores, _ = collected
    assert sorted(path.name for path in folder.iterdir()) == [
        "queries",
        "queries.run.yaml",
        "scores",
        "train",
        "train.run.yaml",
    ]
    assert not [*(folder / "train").glob("*.yaml")]
    assert not [*(folder / "train").glob(".*.yaml")]
    assert len(stores["train"]) == N
    left = read_run(folder / "train.run.yaml")
    assert left.train == DataConfig(data=language.train)
    assert (left.adapter, left.collect) == (language.adapter, COLLECT)


def test_scores_of_two_stores_are_those_of_an_attribute_run(collected, attributed):
    _, found, _ = attributed
    _, _, scores = collected
    assert (scores.values == found.scores.values).all()
    assert scores.train.equals(found.scores.train)


def test_a_score_run_replays_from_what_it_leaves(collected, tmp_path):
    folder, _, scores = collected
    left = resolve({"out": str(tmp_path)}, folder / "scores")
    again = runs.score_run(left)
    assert again is not None
    assert (again.values == scores.values).all()
    assert (Scores.load(tmp_path).values == scores.values).all()


@pytest.mark.parametrize("name", ["adapter_config.json", "manifest.json", "run.yaml"])
def test_scores_are_not_laid_over_something_else(collected, tmp_path, name):
    folder, _, _ = collected
    (tmp_path / name).write_text("kept")
    left = resolve({"out": str(tmp_path)}, folder / "scores")
    with refused(f"{tmp_path} holds {name} of something else; give --out a folder of "
                 "its own."):  # fmt: skip
        runs.score_run(left)
    assert (tmp_path / name).read_text() == "kept"
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("run", [runs.attribute_run, runs.mislabeled_run])
def test_a_run_is_not_laid_over_its_adapter(language, run):
    config = language.run(language.adapter)
    with refused(f"{language.adapter} holds adapter_config.json of something else; "
                 "give --out a folder of its own."):  # fmt: skip
        run(config)


# --- estimate -----------------------------------------------------------------------


def test_an_estimate_tells_of_train_and_queries_and_writes_nothing(language, tmp_path):
    config = language.run(tmp_path / "out")
    found = runs.estimate_run(config, Told())
    assert {name: part.rows for name, part in found.items()} == {
        "train": N,
        "queries": Q,
    }
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("queries", [None, DataConfig()])
def test_an_estimate_may_be_of_training_data_alone(language, tmp_path, queries):
    config = language.run(tmp_path / "out", queries=queries)
    assert list(runs.estimate_run(config)) == ["train"]


def test_an_estimate_follows_the_options_of_collecting(language, tmp_path):
    sizes = [
        runs.estimate_run(
            language.run(tmp_path, queries=None, collect=CollectOptions(dtype=dtype))
        )["train"].disk_bytes
        for dtype in ("fp32", "bf16")
    ]
    assert sizes[0] > 1.5 * sizes[1]


# --- one query from the command line ------------------------------------------------


def test_a_prompt_and_its_output_become_the_runs_one_query(language, tmp_path):
    config = language.run(tmp_path / "out", queries=None)
    asked = runs.with_query(config, "7 + 3 = ", "10")
    assert asked.queries is not None
    file = Path(asked.queries.data)
    assert file.parent == tmp_path / "out"
    assert json.loads(file.read_text()) == [{"prompt": "7 + 3 = ", "completion": "10"}]
    found = runs.attribute_run(asked)
    assert found.scores.values.shape == (1, N)
    assert found.scores.queries["text"].tolist() == ["7 + 3 =  → 10"]
    assert read_run(asked.out).queries == asked.queries


# --- what is refused before the model loads -----------------------------------------


@pytest.mark.parametrize(
    ("run", "part", "what", "flag"),
    [
        (runs.attribute_run, "train", "training data", "--train"),
        (runs.attribute_run, "queries", "queries", "--queries"),
        (runs.mislabeled_run, "train", "training data", "--train"),
        (runs.collect_run, "train", "data", "--data"),
        (runs.score_run, "train", "store of training gradients", "--train"),
        (runs.score_run, "queries", "store of query gradients", "--queries"),
        (runs.estimate_run, "train", "training data", "--train"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_data_that_were_not_given_are_asked_for(run, part, what, flag):
    there = DataConfig(data="x.jsonl")
    full = RunConfig(adapter="/no/such/folder", train=there, queries=there)
    config = RunConfig.from_dict({**values(full), part: None})
    with refused(f"no {what} given; name a file with {flag} FILE, or in run.yaml."):
        run(config)


@pytest.mark.parametrize(
    "run", [runs.attribute_run, runs.mislabeled_run, runs.score_run]
)
def test_wrong_options_of_the_method_are_told_first(run):
    there = DataConfig(data="/no/such/file.jsonl")
    wrong = ScoreOptions(method="dot", damping=0.1)
    with refused("dot does not use damping, got 0.1; leave it out."):
        run(RunConfig(train=there, queries=there, score=wrong, adapter="/no/such"))


def test_data_that_do_not_fit_the_task_are_refused_and_leave_no_run(language, tmp_path):
    data = put_rows(tmp_path / "rows.jsonl", [{"body": "a"}])
    config = language.run(tmp_path / "out", train=DataConfig(data=data))
    with pytest.raises(DataError, match="body"):
        runs.collect_run(config)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]
