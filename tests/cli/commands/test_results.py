"""`top`, `report`, `inspect`, `verify`: commands that look at what is there."""

import io
import json
import shutil

import numpy as np
import pandas as pd
import pytest

from datainf.core.records import Provenance, Scores
from tests.cli.command import datainf, refused, worked


@pytest.fixture
def store(stores, tmp_path):
    """A store to damage."""
    return shutil.copytree(stores[0], tmp_path / "store")


# --- top ----------------------------------------------------------------------------


@pytest.mark.parametrize("inner", ["", "scores"])
def test_top_takes_a_run_or_its_scores(attributed, inner):
    ran = worked("top", attributed / inner)
    out = ran.out.splitlines()
    assert out[0].split() == [
        *("query", "rank", "train", "score", "text", "completion")
    ]
    assert len(out) == 1 + 3 * 10
    queries = Scores.load(attributed / "scores").queries["text"]
    assert ran.err.splitlines() == [
        *(f"query {i}: {text}" for i, text in enumerate(queries)),
        "negative: training on the row made the query's output likelier (a proponent); "
        "positive: less likely. Numbers compare within one query.",
    ]
    assert worked("top", attributed / inner, "--format", "csv").err == ""


@pytest.mark.parametrize("order", ["proponents", "opponents", "magnitude"])
def test_top_lists_either_end_of_one_query(attributed, order):
    ran = worked(
        *("top", attributed, "--order", order, "--query", 1, "-k", 4),
        *("--format", "csv"),
    )
    expected = Scores.load(attributed / "scores").top(4, order, query=1)
    found = pd.read_csv(io.StringIO(ran.out))
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-6)


def test_top_tells_of_a_query_on_one_line(tmp_path):
    values, solved = np.array([[-1.0, 2.0]], dtype=np.float32), np.zeros((1, 1))
    queries = pd.DataFrame({"index": [0], "text": ["a\n\nb \x1b[31m →  c"]})
    texts = pd.DataFrame({"index": range(2), "text": ["a", "b"]})
    made = Scores(values, ("all",), solved, solved, Provenance("dot"), texts, queries)
    made.save(tmp_path)
    assert worked("top", tmp_path).err.splitlines()[0] == "query 0: a  b  [31m →  c"


def test_top_gives_programs_every_digit(tmp_path):
    values = np.array([[-3e-13, 2e-14, 5e-15]], dtype=np.float32)
    texts = pd.DataFrame({"index": range(3), "text": ["a", "b\x9b", "c"]})
    solved = np.zeros((1, 1))
    Scores(values, ("all",), solved, solved, Provenance("dot"), texts).save(tmp_path)
    rows = json.loads(worked("top", tmp_path, "--format", "json").out)
    assert [row["score"] for row in rows] == [float(v) for v in np.sort(values[0])]
    assert rows[2]["text"] == "b\x9b"


def test_top_on_a_terminal_is_harmless(attributed):
    for style in ("table", "csv", "json"):
        ran = datainf("top", attributed, "-k", 13, "--format", style, terminal=True)
        assert ran.code == 0
        assert "[31mred" in ran.out
        assert "\x1b[31m" not in ran.out
        assert "\x07" not in ran.out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--query", 3), "top: query 3 is not there; scores hold queries 0 to 2."),
        (("--k", 0), "top: k must be at least 1, got 0."),
        (
            ("--order", "oponents"),
            "order='oponents' is unknown: expected one of: proponents, opponents, "
            "magnitude; did you mean 'opponents'?.",
        ),
    ],
)
def test_top_refuses_what_is_not_there(attributed, flags, message):
    assert refused("top", attributed, *flags) == message


@pytest.mark.parametrize("command", ["top", "report"])
def test_a_folder_without_scores_is_refused(command, tmp_path):
    assert refused(command, tmp_path) == (
        f"{tmp_path} holds no scores (no scores.json); make them with `datainf score` "
        "or `datainf attribute`."
    )


def test_a_misspelt_run_is_refused_with_the_near_name(tmp_path):
    (tmp_path / "first").mkdir()
    assert refused("top", tmp_path / "frist") == (
        f"{tmp_path / 'frist'} holds no scores (no scores.json); make them with "
        "`datainf score` or `datainf attribute`; did you mean "
        f"{tmp_path / 'first'}?"
    )


def test_a_folder_of_runs_is_refused_with_their_names(attributed):
    runs = attributed.parent
    assert str(attributed) in refused("top", runs).removeprefix(
        f"{runs} is a folder of runs; give one of: "
    )


# --- report -------------------------------------------------------------------------


def test_report_writes_beside_the_scores_unless_told_otherwise(attributed, tmp_path):
    scores = shutil.copytree(attributed / "scores", tmp_path / "scores")
    ran = worked("report", tmp_path)
    assert (ran.out, ran.err) == (f"report  {scores / 'report.html'}\n", "")
    page = tmp_path / "new" / "page.html"
    ran = worked("report", scores, "--out", page, "--title", "<Who> did it", "--k", 2)
    assert ran.out == f"report  {page}\n"
    text = page.read_text(encoding="utf-8")
    assert "&lt;Who&gt; did it" in text
    assert len(text) < len((scores / "report.html").read_text(encoding="utf-8"))


def test_a_report_that_cannot_be_written_is_refused(attributed, tmp_path):
    assert refused("report", attributed, "--out", tmp_path) == (
        f"the report {tmp_path} could not be written: Is a directory; choose another "
        "path."
    )


# --- inspect ------------------------------------------------------------------------


def test_inspect_says_what_a_store_holds(stores):
    train, _ = stores
    out = worked("inspect", train).out
    facts, _, coverage = out.partition("\n\n")
    told = dict(line.split(maxsplit=1) for line in facts.splitlines())
    assert told["path"] == str(train)
    assert (told["rows"], told["complete"], told["dtype"]) == ("13", "True", "fp32")
    assert told["coverage"] == "8 tensors"
    lines = coverage.splitlines()
    assert lines[0].split() == ["block", "path", "reason", "shape"]
    assert len(lines) == 1 + 8
    assert "rule Linear" in lines[1]


@pytest.mark.parametrize("style", ["json", "csv"])
def test_inspect_of_a_store_can_be_read_by_programs(stores, style):
    out = worked("inspect", stores[0], "--format", style).out
    if style == "json":
        facts = json.loads(out)
        coverage, task = facts["coverage"], facts["task"]
    else:
        (facts,) = pd.read_csv(io.StringIO(out)).to_dict("records")
        coverage, task = json.loads(facts["coverage"]), json.loads(facts["task"])
    assert (facts["rows"], facts["parameters"]) == (13, 224)
    assert len(coverage) == 8
    assert task["name"] == "causal-lm"


def test_inspect_says_what_scores_hold(attributed):
    out = worked("inspect", attributed / "scores").out
    told = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert (told["queries"], told["examples"], told["groups"]) == ("3", "13", "8")
    assert told["method"] == "datainf"
    facts = json.loads(worked("inspect", attributed / "scores", "--format", "json").out)
    assert facts["options"] == {"blocks": "tensor", "damping": 0.1, "normalize": "none"}
    assert set(facts["sources"]) == {"train", "queries", "curvature"}


def test_inspect_of_anything_else_is_refused(tmp_path):
    assert refused("inspect", tmp_path) == (
        f"{tmp_path} is no gradient store: it has no manifest.json; give the folder "
        "that `datainf collect` wrote."
    )


# --- verify -------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["inspect", "verify"])
def test_the_folder_of_a_run_is_answered_by_what_lies_in_it(attributed, verb):
    inside = [
        p.parent
        for p in (
            *attributed.glob("*/manifest.json"),
            *attributed.glob("*/scores.json"),
        )
    ]
    listed = ", ".join(sorted(map(str, inside)))
    assert len(inside) == 3
    refused(
        f"{attributed} is the folder of a run; give one of: {listed}.",
        *(verb, attributed),
    )


def test_verify_reads_every_byte(stores):
    ran = worked("verify", stores[0])
    told = dict(line.split(maxsplit=1) for line in ran.out.splitlines())
    assert told["path"] == str(stores[0])
    assert (told["shards"], told["rows"], told["faults"]) == ("1", "13", "0")
    assert ran.err == "every byte is as it was written\n"


def test_verify_names_each_fault_and_leaves_with_two(store):
    shard = store / "shard-00000.safetensors"
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(data)
    (store / "[red]foreign :smile:").touch()
    ran = datainf("verify", store)
    assert ran.code == 2
    assert ran.out.endswith("\nfaults  3\n")
    *damaged, foreign = ran.err.splitlines()
    start = f"datainf: error: {shard.name}"
    assert [line.startswith(start) for line in damaged] == [True, True]
    said = "[red]foreign :smile: does not belong to the store"
    assert foreign == f"datainf: error: {said}"


@pytest.mark.parametrize("style", ["json", "csv"])
def test_verify_gives_programs_the_faults_or_their_number(store, style):
    (store / "foreign").touch()
    ran = datainf("verify", store, "--format", style)
    assert ran.code == 2
    if style == "json":
        faults = json.loads(ran.out)["faults"]
        assert faults == ["foreign does not belong to the store"]
    else:
        assert pd.read_csv(io.StringIO(ran.out))["faults"].tolist() == [1]
