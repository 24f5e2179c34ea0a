"""`methods`, `doctor`, `demo`."""

import importlib.metadata
import io
import json
import re
from pathlib import Path
from unittest.mock import create_autospec

import numpy as np
import pandas as pd
import pytest

import datainf as package
from datainf.experiments import demo as experiment
from datainf.experiments.demo import DemoResult, run_demo
from tests.cli.command import datainf, refused, worked
from tests.reports.fakes import bare_scores

# --- methods ------------------------------------------------------------------------


def test_methods_lists_the_table_of_estimators():
    listed = package.methods()
    out = worked("methods").out.splitlines()
    assert out[0].split() == list(listed.columns)
    # A long formula or paper goes on below, under its own column.
    assert [line.split()[0] for line in out[1:] if line[0] != " "] == [*listed["name"]]
    words = " ".join(out[1:]).split()
    assert all(word in words for paper in listed.paper for word in paper.split())


def test_methods_can_be_read_by_programs():
    listed = package.methods()
    rows = json.loads(worked("methods", "--format", "json").out)
    assert rows == listed.to_dict(orient="records")
    table = pd.read_csv(io.StringIO(worked("methods", "--format", "csv").out))
    pd.testing.assert_frame_equal(table, listed)


# --- doctor -------------------------------------------------------------------------


def findings(text):
    """Read doctor's lines: check -> state and what was found."""
    # Further lines of a finding are indented below the first.
    whole = text.replace("\n        ", "|").splitlines()
    parts = [re.fullmatch(r"(\w+) +([\w ]+): (.*)", line) for line in whole]
    return {part[2]: (part[1], part[3]) for part in parts if part is not None}


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
    assert found["coverage"][1].split("|  ") == [
        "adapter 'default' (CAUSAL_LM): 8 blocks, 224 parameters, all collected",
        "rule Linear: 8 blocks, 224 parameters",
    ]
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
def run(monkeypatch):
    """Stand in for the demo, which has tests of its own, with what it would find."""
    found = DemoResult(
        before={"sentences": 0.1, "math": 0.18},
        after={"sentences": 0.96, "math": 0.985},
        classes=pd.DataFrame({"method": ["datainf", "exact"], "AUC": [0.81, 0.79]}),
        planted=pd.DataFrame(
            {"method": ["datainf", "training loss"], "from": [0.69, np.nan]}
        ),
        examples=pd.DataFrame({"asked": ["[b]ka[/b]"], "score": [-9552.0]}),
        report=Path("runs/demo/report.html"),
        scores=bare_scores(np.zeros((3, 5))),
    )
    stand_in = create_autospec(run_demo, return_value=found)
    monkeypatch.setattr(experiment, "run_demo", stand_in)
    return stand_in


def test_the_demo_shows_what_it_measured(run):
    ran = worked("demo", "--out", "elsewhere")
    assert run.call_args.args == ("elsewhere",)
    assert [line.rstrip() for line in ran.out.splitlines()] == [
        "",
        "Held-out answers that are right to the letter",
        "sentences  10% before fine-tuning, 96% after",
        "math       18% before fine-tuning, 98% after",
        "",
        "What taught the model these answers (datainf, unit length)",
        "asked      score",
        "[b]ka[/b]  -9552",
        "",
        "Is the query's own class first? (AUC 0.5 is chance)",
        "method    AUC",
        "datainf  0.81",
        "exact    0.79",
        "",
        "Planted wrong answers, among as many most suspicious rows",
        "method         from",
        "datainf        0.69",
        # The training loss has no interval.
        "training loss     –",
        "",
        "Report",
        "report  runs/demo/report.html",
    ]


def test_the_demo_can_be_read_by_programs(run):
    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    found = json.loads(worked("demo", "--format", "json").out, parse_constant=refuse)
    assert run.call_args.args == ("runs/demo",)
    assert found == {
        "exact_match": {
            "before": {"sentences": 0.1, "math": 0.18},
            "after": {"sentences": 0.96, "math": 0.985},
        },
        "classes": [
            {"method": "datainf", "AUC": 0.81},
            {"method": "exact", "AUC": 0.79},
        ],
        "planted": [
            {"method": "datainf", "from": 0.69},
            {"method": "training loss", "from": None},
        ],
        "report": "runs/demo/report.html",
    }


def test_the_demo_refuses_csv_before_it_works(run):
    assert refused("demo", "--format", "csv") == (
        "demo shows several tables; give --format table or json."
    )
    run.assert_not_called()
