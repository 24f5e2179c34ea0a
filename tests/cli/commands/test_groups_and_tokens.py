"""`--group-by` and `--tokens`: groups of training rows, and pairs token by token."""

import io
import json

import pandas as pd
import pytest

from datainf.core.records import Scores
from datainf.core.token_scores import TokenScores
from tests.cli.command import refused, worked
from tests.reports.unpacked import packed_part


@pytest.fixture(scope="module")
def sourced(lm, tmp_path_factory):
    """The language model's training rows, each with its source."""
    rows = [json.loads(line) for line in lm.train.read_text("utf-8").splitlines()]
    file = tmp_path_factory.mktemp("sourced") / "rows.jsonl"
    lines = (
        json.dumps({**row, "source": "book" if i % 3 else "web"}) + "\n"
        for i, row in enumerate(rows)
    )
    file.write_text("".join(lines), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def run(lm, sourced, tmp_path_factory):
    """The folder of one `attribute` with groups and tokens."""
    out = tmp_path_factory.mktemp("run") / "run"
    said = worked(
        *("attribute", "--adapter", lm.adapter, "--train", sourced),
        *("--queries", lm.queries, "--group-by", "source", "--tokens", 1),
        *("--out", out),
    )
    assert f"groups: datainf top {out} --group-by source" in said.err
    return out


def table_of(*arguments):
    ran = worked(*arguments, "--format", "csv")
    return pd.read_csv(io.StringIO(ran.out))


def test_top_lists_the_groups_of_a_column_that_the_scores_carry(run):
    scores = Scores.load(run / "scores")
    expected = scores.by_group("source", "mean")
    found = table_of("top", run, "--group-by", "source", "--reduce", "mean")
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-6)
    assert sorted(set(found["group"])) == ["book", "web"]


def test_top_takes_the_column_from_the_data(attributed, sourced):
    how = ("--group-by", "source", "--rows", sourced, "--query", 1)
    found = table_of("top", attributed, *how)
    assert len(found) == 2
    assert set(found["query"]) == {1}


def test_the_report_shows_groups_and_tokens_and_so_does_a_later_one(run, tmp_path):
    later = tmp_path / "later.html"
    worked("report", run, "--out", later)
    for file in (run / "report.html", later):
        data = packed_part(file.read_text("utf-8"), "data").decode()
        assert "By token of the training example" in data
    assert "Mean influence by source" in (run / "report.html").read_text("utf-8")


def test_token_scores_of_a_run_sum_to_its_scores(run):
    scores = Scores.load(run / "scores")
    rows = list(TokenScores.load(run / "tokens.parquet"))
    assert len(rows) in range(6, 13)  # one at either end, where there is one
    for row in rows:
        wanted = scores.values[row.query, row.train]
        assert row.total == pytest.approx(wanted, rel=1e-3)


def test_a_run_replays_with_groups_and_without_tokens_leaves_none(run, tmp_path):
    again = tmp_path / "again"
    worked("attribute", run / "run.yaml", "--out", again)
    assert (again / "tokens.parquet").is_file()
    assert "source" in Scores.load(again / "scores").train


def test_mislabeled_rows_are_grouped_too(films, tmp_path):
    out = tmp_path / "run"
    how = ("--train", films.train, "--validation", films.queries)
    worked(
        "mislabeled",
        "--adapter",
        films.adapter,
        *how,
        "--group-by",
        "gold",
        "--out",
        out,
    )
    found = table_of("top", out, "--group-by", "gold")
    assert sorted(found["group"]) == [0, 1]


def test_tokens_of_a_classifier_are_refused_before_any_work(films, tmp_path):
    said = refused(
        *("attribute", "--adapter", films.adapter, "--queries", films.queries),
        *("--tokens", 2, "--out", tmp_path / "run"),
    )
    assert said.startswith("token scores need a loss for each token, and the task ")
    assert not (tmp_path / "run" / "train").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ("--group-by", "sourc"),
            "column 'sourc' is not among those of the training examples: expected one "
            "of: text, completion, source; did you mean 'source'?; attribute with "
            "--group-by sourc, or give one label an example.",
        ),
        (
            ("--reduce", "mean"),
            "--rows and --reduce belong to --group-by; give it too.",
        ),
        (
            ("--group-by", "source", "--k", 3),
            "--group-by lists every group; leave --k and --order out.",
        ),
    ],
)
def test_top_refuses_what_does_not_go_together(run, flags, message):
    assert refused("top", run, *flags) == message


def test_score_refuses_groups_by_name(stores, tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("group_by: source\n", encoding="utf-8")
    train, queries = stores
    said = refused(
        *("score", file, "--train", train, "--queries", queries),
        *("--out", tmp_path / "scores"),
    )
    assert said.startswith("stores hold neither the data's columns nor the model")
