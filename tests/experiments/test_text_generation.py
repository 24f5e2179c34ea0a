"""`reproduce text-generation` at a toy size: every cell once, on both sides."""

import numpy as np
import pytest

from datainf.core.errors import DatainfError
from datainf.core.options import Output
from datainf.estimators.table import METHODS
from datainf.evaluation.retrieval import class_detection
from datainf.experiments import cells, text_generation
from datainf.experiments.data.text_tasks import prompts_of
from datainf.experiments.text_generation import (
    ADAPTER,
    BASELINES,
    COMPLETION,
    PROMPT,
    keys_of,
    run,
    variants_of,
)
from datainf.experiments.units import opened
from datainf.experiments.variants import Variant
from datainf.workflows.collect import collect
from datainf.workflows.score import score


def test_every_unit_has_every_cell(texts):
    measured, _ = texts
    assert len(measured.units) == 2
    wanted = [
        key
        for key in keys_of()
        if Variant(key["method"], key["options"]).label not in measured.refused
    ]
    for unit in measured.units:
        for key in wanted:
            assert {**unit.key(measured.study), **key} in measured.records
    assert len(measured.records) == len(measured.units) * len(wanted)


def test_both_sides_are_the_methods_own_scores(texts):
    measured, out = texts
    unit = measured.units[0]
    with opened(unit, measured.study, out) as subject:
        classes = [
            [row["class"] for row in part]
            for part in (subject.rows.train, subject.rows.validation)
        ]
        model, task = subject.subject.model, subject.subject.task
        sides = {
            COMPLETION: (subject.rows.train, subject.rows.validation),
            PROMPT: [
                prompts_of(p) for p in (subject.rows.train, subject.rows.validation)
            ],
        }
        for side, parts in sides.items():
            train, asked = (
                collect(model, part, task, out=out / f"{side}-{i}", parameters="paper")
                for i, part in enumerate(parts)
            )
            values = score(train, asked, method="datainf").values
            expected = class_detection(values, *classes)
            key = {**Variant("datainf").key, "side": side}
            found = measured.records[{**unit.key(measured.study), **key}]
            assert found["auc"] == pytest.approx(expected.auc)
            assert found["recall"] == pytest.approx(expected.recall)


def test_the_sides_differ(texts):
    measured, _ = texts
    own = measured.units[0].key(measured.study)
    first, second = (
        measured.records[{**own, **Variant("dot").key, "side": side}]["auc"]
        for side in (COMPLETION, PROMPT)
    )
    assert first != second


def test_prompts_are_not_asked_for_margins():
    kinds = {METHODS[v.method].cls.output for v in variants_of(PROMPT)}
    assert Output.MARGIN not in kinds
    assert "trak" in {v.method for v in variants_of(COMPLETION)}


def test_a_loss_of_its_own_says_nothing_of_the_query(texts):
    measured, _ = texts
    for unit in measured.units:
        key = {"method": "loss", "options": {}}
        found = measured.records[{**unit.key(measured.study), **key}]
        assert found["auc"] == pytest.approx(0.5)  # classes of equal size


def test_the_adapter_is_told_by_what_it_answers(texts):
    measured, _ = texts
    facts = measured.records[{**measured.units[0].key(measured.study), **ADAPTER}]
    assert 0 <= facts["before"] <= 1
    assert 0 <= facts["after"] <= 1
    assert facts["rows"] == 30


def test_nothing_is_measured_twice(texts, monkeypatch):
    measured, out = texts

    def opened_again(*_):
        raise AssertionError("everything is measured")

    monkeypatch.setattr(cells, "opened", opened_again)
    again = run(measured.study, out)
    assert len(again.records) == len(measured.records)


def test_a_method_that_refuses_is_said_and_the_others_go_on(texts, monkeypatch):
    measured, out = texts
    path = out / "text-generation.jsonl"
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    path.write_bytes(b"".join(x for x in lines if b'"method": "exact"' not in x))

    def refusing(*_, method, **__):
        raise DatainfError(f"{method} does not like it")

    monkeypatch.setattr(text_generation, "score", refusing)
    again = run(measured.study, out)
    path.write_bytes(whole)
    assert again.refused["exact"] == "exact does not like it"


def test_baselines_rank_all_rows(texts):
    measured, _ = texts
    own = measured.units[0].key(measured.study)
    values = [
        measured.records[{**own, "method": name, "options": {}}]["auc"]
        for name in BASELINES
    ]
    assert np.isfinite(values).all()
