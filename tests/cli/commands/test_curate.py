"""`clean` and `select`, from what is typed to the file that is written."""

import json

import pandas as pd
import pytest

from tests.cli.command import datainf, refused, worked


@pytest.fixture(scope="module")
def ranked(films, tmp_path_factory):
    """The folder of one `mislabeled`."""
    out = tmp_path_factory.mktemp("ranked") / "run"
    worked(
        *("mislabeled", "--adapter", films.adapter, "--validation", films.queries),
        *("--method", "dot", "--out", out),
    )
    return out


def test_clean_drops_the_most_suspicious_rows(films, ranked, tmp_path):
    out = tmp_path / "better.tsv"
    ran = worked("clean", ranked, "--count", 3, "--out", out, "--format", "json")
    told = json.loads(ran.out)
    ranking = pd.read_csv(ranked / "mislabeled.csv")
    gone = [row["index"] for row in told["rows"]]
    assert gone == ranking["index"][:3].tolist()
    before = pd.read_csv(films.train, sep="\t")["text"].tolist()
    left = pd.read_csv(out, sep="\t")["text"].tolist()
    assert left == [text for i, text in enumerate(before) if i not in gone]
    assert f"wrote {out}, and what was done to {out}.clean.json\n" in ran.err


def test_clean_shows_what_it_bought(ranked, tmp_path):
    test = tmp_path / "test.tsv"
    test.write_text("text\tlabel\ngood new 1\t1\nbad new 2\t0\nbad new 3\t0\n")
    ran = worked(
        *("clean", ranked, "--share", 0.2, "--out", tmp_path / "better.tsv"),
        *("--retrain", "--test", test),
    )
    lines = [line.split()[:2] for line in ran.out.splitlines() if line]
    assert ["accuracy", "after"] in lines
    assert ["loss", "oracle"] in lines
    assert "note: one seed: the interval is of the test rows alone" in ran.err


def test_select_writes_rows_with_scores(attributed, tmp_path):
    out = tmp_path / "best.jsonl"
    ran = worked("select", attributed, "--count", 4, "--out", out, "--k", 2)
    assert len(ran.out.splitlines()) == 3
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["datainf_rank"] for row in rows] == [1, 2, 3, 4]


@pytest.mark.parametrize("command", ["clean", "select"])
def test_a_file_is_named_by_the_user(command, tmp_path):
    assert refused(command, tmp_path, "--count", 1) == (
        "no file to write; name one with --out FILE: the original is never changed."
    )


def test_mistakes_show_before_the_model_libraries_load(tmp_path):
    out = tmp_path / "x.tsv"
    assert refused("clean", tmp_path, "--out", out) == (
        "say how many rows: either count (--count 30) or share (--share 0.1)."
    )
    assert refused("select", tmp_path, "--out", out) == (
        "say how many rows with --count 100."
    )
    assert datainf("clean", tmp_path, "--count", 1, "--out", out).code == 2
    assert refused("clean", tmp_path, "--count", 1, "--k", 0, "--out", out) == (
        "--k must be at least 1, got 0."
    )
