"""The page of `text-generation`: its numbers and sentences are those of the records."""

import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from datainf.experiments import text_generation_page as pages
from datainf.experiments.cells import Measured
from datainf.experiments.records import Records
from datainf.experiments.tables import mean_text
from datainf.experiments.text_generation import COMPLETION, PROMPT
from datainf.experiments.variants import Variant

TASK = "sentences-shared"


def test_a_line_of_the_table_holds_both_sides(texts):
    measured, _ = texts
    lines = pages.page(measured, "the command").splitlines()
    line = next(x for x in lines if x.startswith("| `datainf` |"))
    for side in (COMPLETION, PROMPT):
        results = pages.cells(measured, TASK, pages.key_of(Variant("datainf"), side))
        for measure in pages.MEASURES:
            assert mean_text([one[measure] for one in results]) in line


def test_the_page_ends_with_its_command_and_names_no_place(texts):
    measured, out = texts
    text = pages.page(measured, "datainf reproduce text-generation")
    assert "```\ndatainf reproduce text-generation\n```" in text
    assert str(out.parent) not in text
    assert "Left out:" in text
    assert "before tuning" in text


def test_the_summary_is_best_first(texts):
    measured, _ = texts
    for _, part in pages.summary(measured).groupby("task"):
        assert part["AUC"].is_monotonic_decreasing


def test_the_figure_draws_both_sides(texts):
    measured, _ = texts
    svg = pages.drawing(measured)
    ElementTree.fromstring(svg)
    assert {TASK, "datainf", "loss"} <= set(re.findall(r">([^<]+)<", svg))


def faked(measured, folder, *, better: float, units) -> Measured:
    """Records in which DataInf is better than `dot` by about so much."""
    records = Records(folder / "fake.jsonl", {})
    for unit in units:
        for side in (COMPLETION, PROMPT):
            for method, auc in (("dot", 0.5), ("datainf", 0.5 + better)):
                key = {**unit.key(measured.study), **Variant(method).key, "side": side}
                noise = 0.001 * unit.seed * (method == "dot")
                records.add(key, {"auc": auc + noise, "recall": 0.1})
    return replace(measured, records=records, units=units, refused={})


@pytest.mark.parametrize(
    ("better", "said"), [(0.2, "found again"), (0.0, "not found again")]
)
def test_the_papers_claim_is_found_again_or_not(texts, tmp_path, better, said):
    measured, _ = texts
    fake = faked(measured, tmp_path, better=better, units=measured.units)
    sentences = pages.claims(fake)
    assert len(sentences) == 2
    for sentence, side in zip(sentences, (COMPLETION, PROMPT), strict=True):
        assert f"gradients of the {side}" in sentence
        assert f"DataInf above Hessian-free: {said} (" in sentence
        assert "the paper: 1.000 / .997" in sentence


def test_one_seed_cannot_tell(texts, tmp_path):
    measured, _ = texts
    fake = faked(measured, tmp_path, better=0.2, units=measured.units[:1])
    assert all("one seed cannot tell (+.200)" in line for line in pages.claims(fake))


def test_pairs_are_counted_by_their_intervals(texts, tmp_path):
    measured, _ = texts
    fake = faked(measured, tmp_path, better=0.2, units=measured.units)
    (line,) = pages.verdicts(fake)
    assert line.startswith(
        "`datainf` less `dot`, AUC on the same seeds: clearly better in 1 and clearly "
        "worse in 0 of 1 tasks (sentences-shared +.199"
    )
    gap = pages.paired(fake, TASK, Variant("datainf"), Variant("dot"))
    assert gap is not None
    assert gap.mean == pytest.approx(0.1995)
    assert np.isfinite(gap.low)


def test_a_task_without_records_is_said(texts, tmp_path):
    measured, _ = texts
    none = replace(measured, records=Records(tmp_path / "none.jsonl", {}))
    assert "Nothing is measured yet." in pages.page(none, "the command")
    assert pages.claims(none) == []
    assert pages.verdicts(none) == []
