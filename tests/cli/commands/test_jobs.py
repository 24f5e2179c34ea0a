"""The commands that work, from what is typed to what lies in the folder."""

import io
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import yaml

from datainf.core.records import Scores
from datainf.workflows import runs
from tests.cli.command import datainf, worked
from tests.cli.conftest import ANSWERS, NASTY
from tests.reports.unpacked import page_data

# How a table shows the row `NASTY`.
SHOWN = "[bold]x[/bold] :smile: → [31mred"


def values(folder):
    return Scores.load(folder / "scores").values


def files(folder):
    return sorted(path.relative_to(folder) for path in folder.rglob("*"))


def told(text):
    """Read `name  value` lines."""
    return dict(line.split(maxsplit=1) for line in text.splitlines() if line)


# --- train --------------------------------------------------------------------------


def test_train_leaves_an_adapter_and_the_run_that_says_all(lm):
    assert told(lm.said) == {
        "adapter": str(lm.adapter),
        "run": str(lm.adapter / "run.yaml"),
    }
    assert {"adapter_config.json", "adapter_model.safetensors", "tokenizer.json"} <= {
        path.name for path in lm.adapter.iterdir()
    }
    run = yaml.safe_load((lm.adapter / "run.yaml").read_text(encoding="utf-8"))
    assert (run["model"], run["adapter"]) == (str(lm.base), str(lm.adapter))
    assert run["train"]["data"] == str(lm.train)
    assert (run["task"]["name"], run["task"]["append_eos"]) == ("causal-lm", True)
    assert run["recipe"]["seed"] == 3
    assert run["recipe"]["peft"]["r"] == 2
    assert run["recipe"]["training"] == {
        "num_train_epochs": 2.0,
        "per_device_train_batch_size": 5,
        "learning_rate": 0.01,
    }


def test_train_says_how_many_labels_it_made_wrong(films):
    assert "3 of 17 labels are wrong\n" in films.said
    run = yaml.safe_load((films.adapter / "run.yaml").read_text(encoding="utf-8"))
    assert (run["train"]["flip_labels"], run["train"]["flip_seed"]) == (0.2, 1)
    assert (run["task"]["name"], run["task"]["num_labels"]) == (
        "sequence-classification",
        2,
    )


def test_train_replays_its_run_to_the_bit(lm, tmp_path):
    run = lm.adapter / "run.yaml"
    worked("train", run, "--out", tmp_path)
    name = "adapter_model.safetensors"
    assert (tmp_path / name).read_bytes() == (lm.adapter / name).read_bytes()


# --- attribute ----------------------------------------------------------------------


def test_attribute_leaves_stores_scores_report_and_run(attributed):
    names = {path.name.split("-")[0] for path in attributed.iterdir()}
    assert names == {"train", "queries", "scores", "report.html", "run.yaml"}
    assert values(attributed).shape == (3, 13)
    assert "say a" in str(page_data(attributed / "report.html"))


def test_attribute_shows_the_strongest_of_each_query_on_stdout(lm, attributed):
    ran = worked(
        *("attribute", "--adapter", lm.adapter, "--queries", lm.queries),
        *("--out", attributed, "--k", 2, "--format", "csv"),
    )
    found = pd.read_csv(io.StringIO(ran.out))
    expected = Scores.load(attributed / "scores").top(2)
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-6)
    assert ran.err.splitlines()[-1] == f"report: {attributed / 'report.html'}"
    assert f"{attributed / 'train'}: all 13 examples are there already" in ran.err


def test_attribute_replays_its_run_to_the_same_scores(attributed, tmp_path):
    before = values(attributed)
    run = tmp_path / "run.yaml"
    shutil.copy(attributed / "run.yaml", run)
    worked("attribute", run, "--out", tmp_path / "again")
    np.testing.assert_array_equal(values(tmp_path / "again"), before)
    written = yaml.safe_load((tmp_path / "again" / "run.yaml").read_text())
    assert {**written, "out": str(attributed)} == yaml.safe_load(run.read_text())


def test_flags_and_a_file_that_says_the_same_give_the_same_scores(lm, tmp_path):
    flags = {"--method": "exact", "--damping": "0.5", "--blocks": "layer"}
    typed = [word for pair in flags.items() for word in pair]
    common = ("--adapter", lm.adapter, "--queries", lm.queries)
    worked("attribute", *common, *typed, "--out", tmp_path / "flags")
    run = {
        "adapter": str(lm.adapter),
        "queries": {"data": str(lm.queries)},
        "score": {"method": "exact", "damping": 0.5, "blocks": "layer"},
        "out": str(tmp_path / "file"),
    }
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(run), encoding="utf-8")
    worked("attribute", tmp_path / "run.yaml")
    found = [Scores.load(tmp_path / name / "scores") for name in ("flags", "file")]
    np.testing.assert_array_equal(found[0].values, found[1].values)
    assert found[0].provenance.options["damping"] == 0.5
    assert len(found[0].groups) == 2


def test_one_prompt_with_its_completion_is_a_query(lm, attributed, tmp_path):
    out = tmp_path / "one"
    row = ANSWERS[1]
    ran = worked(
        *("attribute", "--adapter", lm.adapter, "--out", out, "--k", 1),
        *("--prompt", row["prompt"], "--completion", row["completion"]),
        *("--order", "opponents", "--format", "json"),
    )
    np.testing.assert_allclose(values(out)[0], values(attributed)[1], rtol=1e-4)
    (first,) = json.loads(ran.out)
    assert first["train"] == int(values(out)[0].argmax())
    # The query lies in the run's folder, so the run can be replayed.
    worked("attribute", out / "run.yaml", "--out", tmp_path / "again")
    np.testing.assert_array_equal(values(tmp_path / "again"), values(out))


def test_a_prompt_goes_into_the_columns_of_the_data(lm, tmp_path):
    data = tmp_path / "asked.jsonl"
    rows = [{"yes": row["prompt"], "no": row["completion"]} for row in ANSWERS[:5]]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    worked(
        *("attribute", "--adapter", lm.adapter, "--train", data, "--out", tmp_path),
        *("--column", "prompt=yes", "--column", "completion=no"),
        *("--prompt", "say c", "--completion", " no"),
    )
    assert values(tmp_path)[0].argmin() == 2


def test_a_classifier_is_attributed_with_its_flipped_labels(films, tmp_path):
    ran = worked(
        *("attribute", "--adapter", films.adapter, "--queries", films.queries),
        *("--out", tmp_path, "--k", 17, "--format", "json", "--queries-limit", 2),
    )
    rows = pd.DataFrame(json.loads(ran.out))
    assert values(tmp_path).shape == (2, 17)
    # A film's text ends in its number and label: three labels are not the data's.
    first = rows[rows["query"] == 0]
    labels = first["text"].str.extract(r"(\d+) → (\d)").astype(int)
    assert (labels[0] % 2 != labels[1]).sum() == 3


def test_notes_of_a_method_are_told(stores, tmp_path):
    train, queries = stores
    ran = worked(
        *("score", "--train", train, "--queries", queries, "--out", tmp_path),
        *("--method", "lissa", "--option", "steps=2"),
    )
    assert ran.err.startswith("note: not converged: 8 of 8 curvature groups")
    assert ran.err.splitlines()[-1] == f"scores: {tmp_path}"


def test_what_auto_chose_and_how_it_agrees_with_exact_is_told(stores, tmp_path):
    train, queries = stores
    command = ("score", "--train", train, "--queries", queries, "--out", tmp_path)
    ran = worked(*command, "--method", "auto", "--option", "max_memory=4GiB")
    assert ran.err.startswith("note: auto chose exact, the most exact method within 60")
    ran = worked(*command, "--agreement", "--option", "tolerance=1e-9", "--method=cg")
    assert "\nAgreement with exact (Spearman's rank corr" in ran.err
    assert (Scores.load(tmp_path).agreement > 0.99).all()
    assert "agreement: true" in (tmp_path / "run.yaml").read_text(encoding="utf-8")


def test_results_alone_go_to_stdout_in_a_process_of_its_own(lm, tmp_path):
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "datainf", "attribute", "--adapter", lm.adapter),
            *("--queries", lm.queries, "--out", tmp_path, "--format", "json"),
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONWARNINGS": "default"},
    )
    assert ran.returncode == 0, ran.stderr
    assert len(json.loads(ran.stdout)) == 3 * 10
    lines = ran.stderr.splitlines()
    assert lines[0] == "queries:"
    assert lines[-1] == f"report: {tmp_path / 'report.html'}"
    assert not any("arning" in line for line in lines)


# --- collect and score --------------------------------------------------------------


def test_collect_tells_of_the_store_and_writes_its_run_beside_it(lm, stores):
    train, _ = stores
    ran = worked("collect", "--adapter", lm.adapter, "--out", train)
    said = told(ran.out)
    assert said["path"] == str(train)
    assert (said["rows"], said["blocks"], said["shards"]) == ("13", "8", "1 of 1")
    assert "all 13 examples are there already" in ran.err
    assert "run.yaml" not in {path.name for path in train.iterdir()}
    run = yaml.safe_load((train.parent / "train.run.yaml").read_text(encoding="utf-8"))
    assert run["train"]["data"] == str(lm.train)


@pytest.mark.parametrize("style", ["json", "csv"])
def test_collect_tells_programs_too(lm, tmp_path, style):
    ran = worked(
        *("collect", "--adapter", lm.adapter, "--data", lm.queries, "--dtype", "bf16"),
        *("--out", tmp_path / "store", "--shard-rows", 2, "--format", style),
    )
    if style == "json":
        facts = json.loads(ran.out)
    else:
        (facts,) = pd.read_csv(io.StringIO(ran.out)).to_dict("records")
    assert (facts["rows"], facts["dtype"], facts["shards"]) == (3, "bf16", "2 of 2")


def test_collect_and_score_give_what_attribute_gives(stores, attributed, tmp_path):
    train, queries = stores
    ran = worked("score", "--train", train, "--queries", queries, "--out", tmp_path)
    scores = Scores.load(tmp_path)
    np.testing.assert_array_equal(scores.values, values(attributed))
    assert SHOWN in ran.out
    worked("score", tmp_path / "run.yaml", "--out", tmp_path / "again")
    np.testing.assert_array_equal(Scores.load(tmp_path / "again").values, scores.values)


# --- mislabeled ---------------------------------------------------------------------


def test_mislabeled_measures_how_well_flipped_labels_are_found(films, tmp_path):
    ran = worked(
        *("mislabeled", "--adapter", films.adapter, "--validation", films.queries),
        *("--out", tmp_path, "--k", 5),
    )
    table, _, measured = ran.out.partition("\n\n")
    assert table.splitlines()[0].split() == [
        *("rank", "index", "suspicion", "label", "wrong", "text")
    ]
    assert len(table.splitlines()) == 1 + 5
    facts = told(measured)
    assert float(facts["share_wrong"]) == pytest.approx(3 / 17, abs=1e-4)
    assert 0 <= float(facts["auc_low"]) <= float(facts["auc"]) <= 1
    assert ran.err.splitlines()[-1] == (
        f"all rows: {tmp_path}/mislabeled.csv; report: {tmp_path}/report.html"
    )
    ranking = pd.read_csv(tmp_path / "mislabeled.csv")
    assert sorted(ranking["index"]) == list(range(17))
    assert ranking["suspicion"].is_monotonic_decreasing
    wrong = ranking["text"].str.extract(r"(\d+) → (\d)").astype(int)
    assert (ranking["wrong"] == (wrong[0] % 2 != wrong[1])).all()
    assert {"run.yaml", "scores", "report.html"} <= {p.name for p in tmp_path.iterdir()}


def test_mislabeled_compares_with_a_column_of_right_labels(
    films, known_wrong, tmp_path
):
    ran = worked(
        *("mislabeled", "--adapter", films.adapter, "--validation", films.queries),
        *("--train", known_wrong, "--truth", "gold", "--flip-labels", 0),
        *("--out", tmp_path, "--k", 2, "--format", "json"),
    )
    found = json.loads(ran.out)
    assert len(found["ranking"]) == 2
    assert found["measured"]["share_wrong"] == pytest.approx(2 / 11)
    ranking = pd.read_csv(tmp_path / "mislabeled.csv")
    assert set(ranking[ranking["wrong"]]["index"]) == {2, 5}


def test_mislabeled_as_csv_is_the_ranking_alone(films, tmp_path):
    ran = worked(
        *("mislabeled", "--adapter", films.adapter, "--validation", films.queries),
        *("--out", tmp_path, "--k", 3, "--format", "csv"),
    )
    expected = pd.read_csv(tmp_path / "mislabeled.csv").head(3)
    pd.testing.assert_frame_equal(pd.read_csv(io.StringIO(ran.out)), expected)


def test_a_language_models_rows_are_labelled_by_their_completion(lm, tmp_path):
    worked(
        *("mislabeled", "--adapter", lm.adapter, "--validation", lm.queries),
        *("--out", tmp_path),
    )
    found = pd.read_csv(tmp_path / "mislabeled.csv")
    assert list(found.columns) == ["rank", "index", "suspicion", "label", "text"]
    expected = [row["completion"] for row in [*ANSWERS, NASTY]]
    assert list(found.sort_values("index")["label"]) == expected


# --- a dry run ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "flag"),
    [("attribute", "--queries"), ("mislabeled", "--validation"), ("collect", None)],
)
def test_a_dry_run_tells_memory_disk_and_time_and_writes_nothing(
    lm, tmp_path, command, flag
):
    out = tmp_path / "out"
    before = files(lm.adapter.parent)
    asked = () if flag is None else (flag, lm.queries)
    common = (command, "--adapter", lm.adapter, *asked, "--out", out, "--dry-run")
    parts = {"train": 13} if flag is None else {"train": 13, "queries": 3}
    ran = worked(*common)
    for part, text in zip(parts, ran.out.strip().split("\n\n"), strict=True):
        title, _, body = text.partition("\n")
        facts = told(body)
        assert title == part
        assert facts["rows"] == f"{parts[part]} (0 cut at the length limit)"
        assert list(facts) == ["rows", "blocks", "disk", "memory", "time"]
        assert facts["memory"].endswith("iB at most")
        assert facts["time"].endswith(" s")
    found = json.loads(worked(*common, "--format", "json").out)
    assert {part: numbers["rows"] for part, numbers in found.items()} == parts
    assert all(numbers["disk_bytes"] > 0 for numbers in found.values())
    table = pd.read_csv(io.StringIO(worked(*common, "--format", "csv").out))
    assert dict(zip(table["data"], table["rows"], strict=True)) == parts
    assert table["seconds"].gt(0).all()
    assert not out.exists()
    assert files(lm.adapter.parent) == before


def test_a_dry_run_takes_the_estimate_for_a_prompt_from_the_training_rows(lm, tmp_path):
    out = tmp_path / "out"
    ran = worked(
        *("attribute", "--adapter", lm.adapter, "--out", out, "--dry-run"),
        *("--prompt", "say a", "--completion", " no", "--format", "json"),
    )
    assert list(json.loads(ran.out)) == ["train"]
    assert not out.exists()


# --- what a terminal would obey -----------------------------------------------------


@pytest.mark.parametrize("command", ["attribute", "mislabeled"])
def test_data_is_shown_as_it_is_and_steers_no_terminal(lm, tmp_path, command):
    flag = "--queries" if command == "attribute" else "--validation"
    ran = worked(
        *(command, "--adapter", lm.adapter, flag, lm.queries, "--out", tmp_path),
        *("--k", 13),
    )
    assert SHOWN in ran.out
    for text in (ran.out, ran.err):
        assert all(c.isprintable() or c == "\n" for c in text)


def test_cut_examples_are_one_warning(lm, tmp_path):
    ran = datainf(
        *("collect", "--adapter", lm.adapter, "--out", tmp_path / "s"),
        *("--max-length", 28),
    )
    assert ran.code == 0
    warned = [line for line in ran.err.splitlines() if line.startswith("datainf:")]
    assert warned == [
        "datainf: warning: 1 of 13 examples are longer than max_length=28 and were "
        "cut; their gradients are those of what is left."
    ]


def test_an_interrupted_run_ends_with_130_and_goes_on(lm, tmp_path, monkeypatch):
    out = tmp_path / "out"
    typed = (
        *("attribute", "--adapter", lm.adapter, "--queries", lm.queries),
        *("--out", out, "--format", "json"),
    )

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(runs, "report", interrupted)
        ran = datainf(*typed)
    assert (ran.code, ran.out) == (130, "")
    assert ran.err.splitlines()[-1].startswith("datainf: error: interrupted;")
    again = worked(*typed)
    assert again.err.count("examples are there already") == 2
    assert len(json.loads(again.out)) == 3 * 10
