"""The page of `theorem`: exponents, verdicts and proved facts follow from numbers."""

import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest

from datainf.experiments import theorem
from datainf.experiments import theorem_page as pages
from datainf.experiments.presets import study_of
from datainf.experiments.theorem_page import Curve


def curve(power: float, *, runs: int = 3, wobble: float = 0.0) -> Curve:
    """Errors that grow like d to some power, with runs that differ."""
    return Curve(
        "made up",
        {
            str(run): {
                d: {"0.1": {"error": 3 * d ** (power + wobble * run), "inverse": 10.0}}
                for d in (8, 32, 128)
            }
            for run in range(runs)
        },
    )


@pytest.mark.parametrize("power", [-1.0, 0.0, 0.5, 2.0])
def test_the_exponent_is_that_of_the_errors(power):
    assert curve(power).exponent("0.1") == pytest.approx((power, power, power))


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (
            curve(0.5, wobble=0.01),
            r"grows like d\^0\.51 .* where d² allows a factor 256",
        ),
        (curve(-0.5, wobble=0.01), r"falls like d\^-0\.49"),
        (curve(-0.01, wobble=0.01), r"shows no growth: d\^"),
        (curve(0.5, runs=1), r"changes like d\^0\.50 \(one run\)"),
        (curve(2.5, wobble=0.01), r"more than the factor 256 of d²"),
    ],
)
def test_the_verdict_follows_from_the_numbers(made, words):
    assert re.search(words, pages.verdict(made))


def test_one_size_alone_says_nothing_of_growth():
    made = Curve("one", {"0": {8: {"0.1": {"error": 1.0, "inverse": 2.0}}}})
    assert "says nothing of growth" in pages.verdict(made)


def test_what_can_be_proved_is_met_or_is_said_not_to_be(swapped):
    found = pages.facts(swapped)
    assert found["matrices"] == 4 * (18 + 2 * 9)
    said = pages.proved(found)
    assert said.count("**met**") == 2
    broken = pages.proved({**found, "trace": 1.5, "least_gap": -0.1})
    assert broken.count("**NOT MET**") == 2


def test_real_matrices_are_runs_whose_size_grows_with_the_rank(swapped):
    random, real = pages.curves(swapped)
    assert [one.name for one in random] == ["flat", "power law", "shared direction"]
    assert [one.name for one in real] == ["sst2 lora_A", "sst2 lora_B"]
    assert all(one.sizes == [16, 48] for one in real)
    assert all(len(one.runs) == 4 for one in real)


def test_page_figure_and_summary_are_of_the_records(swapped):
    text = pages.page(swapped, "datainf reproduce theorem --seeds 2")
    assert "```\ndatainf reproduce theorem --seeds 2\n```" in text
    assert "N = 13, 2 seeds" in text
    svg = pages.drawing(swapped)
    ElementTree.fromstring(svg)
    assert svg.count('class="panel"') == 4
    table = pages.summary(swapped)
    assert len(table) == 5 * 4
    assert table["relative error"].between(0, 1).all()


def test_the_published_page_and_figure_are_those_of_the_published_records(
    tmp_path, monkeypatch
):
    def never(*given, **rest):
        message = "not in the records: run the page's command again"
        raise AssertionError(message, given, rest)

    docs = Path(__file__).resolve().parents[2] / "docs" / "results"
    shutil.copyfile(docs / "theorem.jsonl", tmp_path / "theorem.jsonl")
    for name in ("opened", "measure"):
        monkeypatch.setattr(theorem, name, never)
    study = study_of("small", datasets=("demo-lm",), ranks=(1, 2, 4, 8, 16))
    found = theorem.run(study, tmp_path)
    command = "datainf reproduce theorem --preset small --publish docs/results"
    assert pages.page(found, command) == (docs / "theorem.md").read_text()
    assert pages.drawing(found) == (docs / "theorem.svg").read_text()
