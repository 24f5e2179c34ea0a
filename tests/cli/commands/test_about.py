"""`methods`, `doctor`, `demo`."""

import importlib.metadata
import io
import json
from pathlib import Path

import pandas as pd
import pytest

import datainf as package
from datainf.experiments import demo as experiment
from datainf.experiments.demo import DemoResult, DemoSettings, run_demo
from tests.cli.command import datainf, refused, worked

# --- methods ------------------------------------------------------------------------


def test_methods_lists_the_table_of_estimators():
    listed = package.methods()
    out = worked("methods").out.splitlines()
    assert out[0].split() == list(listed.columns)
    assert [line.split()[0] for line in out[1:]] == list(listed["name"])
    assert all(paper in line for paper, line in zip(listed.paper, out[1:], strict=True))


def test_methods_can_be_read_by_programs():
    listed = package.methods()
    rows = json.loads(worked("methods", "--format", "json").out)
    assert rows == listed.to_dict(orient="records")
    table = pd.read_csv(io.StringIO(worked("methods", "--format", "csv").out))
    pd.testing.assert_frame_equal(table, listed)


# --- doctor -------------------------------------------------------------------------


def findings(text):
    """Read doctor's lines: check -> state and what was found."""
    found = {}
    for line in text.splitlines():
        if line.startswith(" "):
            found[check] = (state, f"{found[check][1]}\n{line.strip()}")
            continue
        state, rest = line.split(maxsplit=1)
        check, _, said = rest.partition(": ")
        found[check] = (state, said)
    return found


def test_doctor_looks_at_the_machine():
    found = findings(worked("doctor").out)
    for name in ("torch", "transformers", "peft", "datasets"):
        assert found[name] == ("ok", importlib.metadata.version(name))
    assert {"python", "accelerator", "threads", "memory", "disk"} <= set(found)


def test_doctor_looks_at_adapter_and_data(lm):
    ran = worked("doctor", "--adapter", lm.adapter)
    found = findings(ran.out)
    assert found["adapter"] == ("ok", "Lora, made for CAUSAL_LM")
    assert found["task"][1].startswith("causal-lm (max_length=256, ")
    assert (
        found["coverage"][1].splitlines()[1] == "rule Linear: 8 blocks, 224 parameters"
    )
    assert found["columns"] == ("ok", "prompt, completion")
    assert found["first example"] == ("ok", "say a →  no")
    assert found["as tokens"][1].endswith("[ ] [n] [o] [</s>] (4 tokens in the loss)")
    assert found["gradients"][0] == "ok"


def test_doctor_names_the_class_that_a_classifier_should_give(films):
    ran = worked("doctor", "--adapter", films.adapter, "--data", films.queries)
    assert findings(ran.out)["as tokens"][1].endswith(" -> class 0")


@pytest.mark.parametrize("style", ["json", "csv"])
def test_doctor_can_be_read_by_programs(lm, style):
    ran = worked("doctor", "--adapter", lm.adapter, "--format", style)
    if style == "json":
        rows = json.loads(ran.out)
    else:
        rows = pd.read_csv(io.StringIO(ran.out)).to_dict("records")
    assert list(rows[0]) == ["check", "state", "found"]
    assert {row["check"] for row in rows} >= {"torch", "coverage", "as tokens"}
    assert {row["state"] for row in rows} <= {"ok", "note"}


def test_doctor_says_what_to_fix_and_leaves_with_two(lm, films):
    ran = datainf("doctor", "--adapter", films.adapter, "--data", lm.train)
    assert ran.code == 2
    found = findings(ran.out)
    assert found["adapter"][0] == "ok"
    assert found["data"] == (
        "fix",
        "column 'label' is missing: expected one of: prompt, completion.",
    )
    ran = datainf("doctor", "--adapter", "no/where")
    assert ran.code == 2
    assert findings(ran.out)["adapter"][0] == "fix"


def test_doctor_shows_an_example_as_it_is_and_steers_no_terminal(lm, tmp_path):
    data = tmp_path / "nasty.jsonl"
    data.write_text(lm.train.read_text(encoding="utf-8").splitlines()[-1])
    ran = worked("doctor", "--adapter", lm.adapter, "--data", data)
    assert findings(ran.out)["first example"][1].split() == [
        *("[bold]x[/bold]", ":smile:", "→", "[31mred")
    ]
    assert all(c.isprintable() or c == "\n" for c in ran.out + ran.err)


# --- demo ---------------------------------------------------------------------------


@pytest.fixture
def small(monkeypatch):
    """Make the demo small, so that it takes a second; the folders it wrote to."""
    folders: list[object] = []
    settings = DemoSettings(train_per_class=3, test_per_class=1, planted=0.1, epochs=1)

    def run(out: str | Path, progress: object) -> DemoResult:
        folders.append(out)
        return run_demo(out, settings, progress)  # type: ignore[arg-type]

    monkeypatch.setattr(experiment, "run_demo", run)
    return folders


def test_the_demo_shows_what_it_measured(small, tmp_path):
    ran = worked("demo", "--out", tmp_path)
    assert small == [str(tmp_path)]
    parts = ran.out.strip().split("\n\n")
    assert [part.splitlines()[0] for part in parts] == [
        "Held-out answers that are right to the letter",
        "What taught the model these answers (datainf, unit length)",
        "Is the query's own class first? (AUC 0.5 is chance)",
        "Planted wrong answers, among as many most suspicious rows",
        "Report",
    ]
    matches = parts[0].splitlines()[1:]
    assert [line.split()[0] for line in matches] == ["sentences", "math"]
    assert all(line.endswith("% after") for line in matches)
    assert parts[1].count("\n") == 1 + 3 * 4
    # The training loss has no interval: no number, rather than a wrong one.
    assert parts[3].splitlines()[-1].split()[3:5] == ["–", "–"]
    assert parts[4].splitlines()[1] == f"report  {tmp_path / 'report.html'}"
    assert (tmp_path / "report.html").is_file()


def test_the_demo_can_be_read_by_programs(small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    ran = worked("demo", "--format", "json")
    found = json.loads(ran.out, parse_constant=refuse)
    assert set(found) == {"exact_match", "classes", "planted", "report"}
    assert set(found["exact_match"]["after"]) == {"sentences", "math"}
    assert found["planted"][-1]["from"] is None
    assert small == ["runs/demo"]
    assert found["report"] == str(Path("runs/demo/report.html"))


def test_the_demo_refuses_csv_before_it_works(small):
    assert refused("demo", "--format", "csv") == (
        "demo shows several tables; give --format table or json."
    )
    assert small == []
