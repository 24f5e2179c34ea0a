"""`reproduce text-generation` at a toy size: both gradients, baselines, resumed."""

import json

import numpy as np
import pytest

from datainf.core.errors import OptionError
from datainf.core.options import Normalize, Output
from datainf.estimators.table import METHODS
from datainf.evaluation.baselines import tfidf_scores
from datainf.evaluation.retrieval import class_detection
from datainf.experiments import cells, text_generation
from datainf.experiments.cells import ADAPTER
from datainf.experiments.data.text_tasks import TEXT_TASKS
from datainf.experiments.measuring import BASELINES
from datainf.experiments.text_generation import (
    run,
    tasks_of,
    variants,  # the whole list: a fixture puts a shorter one in its place
)
from datainf.experiments.units import Target, Unit, opened
from datainf.experiments.variants import Variant
from datainf.workflows.score import score
from tests.experiments.places import tiny_text_study

UNIT = Unit("sentences-shared", 2, 0, noisy=False)


@pytest.fixture(scope="module")
def subject(found_classes):
    """One adapter of the run, with its stores; nothing is trained anew."""
    measured, folder = found_classes
    with opened(UNIT, measured.study, folder / "out") as found:
        yield found


def cell(measured, variant):
    return measured.records[{**UNIT.key(measured.study), **variant.key}]


def detected(scores, rows):
    found = class_detection(
        scores, [r["class"] for r in rows.train], [r["class"] for r in rows.validation]
    )
    return {"auc": found.auc, "recall": found.recall}


def test_every_unit_has_every_cell_with_both_gradients(found_classes):
    measured, _ = found_classes
    assert len(measured.units) == 2
    keys = [v.key for v in text_generation.variants()]
    keys = [key for key in keys if Variant(**key).label not in measured.refused]
    keys += [Variant(name).key for name in BASELINES]
    for unit in measured.units:
        own = unit.key(measured.study)
        assert {**own, **ADAPTER} in measured.records
        for key in keys:
            found = measured.records[{**own, **key}]
            assert set(found) == {"task", "prompt"}
            for one in found.values():
                assert 0 <= one["auc"] <= 1
                assert 0 <= one["recall"] <= 1
    assert len(measured.records) == len(measured.units) * (len(keys) + 1)
    assert list(measured.refused) == ["cosine, normalize=relatif"]


@pytest.mark.parametrize("target", Target)
def test_a_cell_is_what_score_and_class_detection_say(found_classes, subject, target):
    measured, _ = found_classes
    scores = score(*subject.gradients(target=target), method="datainf").values
    found = cell(measured, Variant("datainf"))[target]
    expected = detected(scores, subject.rows)
    assert {name: found[name] for name in expected} == expected


def test_the_margins_method_scores_gradients_of_the_margin(found_classes, subject):
    measured, _ = found_classes
    sources = subject.gradients(Output.MARGIN, Target.PROMPT)
    expected = detected(score(*sources, method="trak").values, subject.rows)
    found = cell(measured, Variant("trak"))["prompt"]
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize("target", Target)
def test_tfidf_reads_what_the_gradient_reads(found_classes, subject, target):
    measured, _ = found_classes
    texts = [
        [
            f"{r['prompt']} {r['completion']}" if target is Target.TASK else r["prompt"]
            for r in part
        ]
        for part in (subject.rows.train, subject.rows.validation)
    ]
    expected = detected(tfidf_scores(*texts), subject.rows)
    found = cell(measured, Variant("TF-IDF"))[target]
    assert {name: found[name] for name in expected} == expected


def test_the_loss_puts_the_same_rows_first_for_every_query(found_classes, subject):
    measured, _ = found_classes
    train, queries = subject.gradients(target=Target.PROMPT)
    order = np.tile(-np.asarray(train.losses), (len(queries), 1))
    expected = detected(order, subject.rows)
    found = cell(measured, Variant("loss"))["prompt"]
    assert {name: found[name] for name in expected} == expected


def test_the_adapter_is_measured_with_and_without(found_classes):
    measured, _ = found_classes
    facts = cell(measured, Variant("adapter"))
    assert (facts["rows"], facts["queries"]) == (20, 10)
    assert facts["exact_match_before"] == 0  # a tiny random model
    assert 0 <= facts["exact_match"] <= 1


def test_nothing_is_measured_twice_and_a_lost_cell_alone_again(
    found_classes, monkeypatch
):
    measured, folder = found_classes
    path = folder / "out" / "text-generation.jsonl"
    whole = path.read_bytes()
    used = []

    def counted(*given):
        used.append(given[0])
        return opened(*given)

    monkeypatch.setattr(cells, "opened", counted)
    run(measured.study, folder / "out")
    assert used == []
    path.write_bytes(whole[:-20])  # as after a kill: the last line is half there
    again = run(measured.study, folder / "out")
    assert used == [measured.units[-1]]
    assert len(again.records) == len(measured.records)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[-1]["key"] == json.loads(whole.splitlines()[-1])["key"]


def test_early_seeds_cover_every_task(tmp_path):
    study = tiny_text_study(tmp_path, datasets=tuple(TEXT_TASKS))
    units = tasks_of(study)
    assert [u.seed for u in units] == [0] * 6 + [1] * 6
    assert {u.dataset for u in units[:6]} == set(TEXT_TASKS)
    assert not any(u.noisy for u in units)


def test_every_method_is_compared_by_its_own_damping():
    listed = variants()
    assert not any("damping" in v.options for v in listed)
    assert {v.method for v in listed} == set(METHODS)
    # Three methods are others in disguise: of these no normalisation is tried.
    assert len(listed) == len(Normalize) * (len(METHODS) - 3) + 3
    assert not any(v.options for v in listed if v.method in {"cg", "auto", "tracin"})


def test_an_unknown_task_is_refused(tmp_path):
    with pytest.raises(OptionError) as refused:
        tasks_of(tiny_text_study(tmp_path, datasets=("sentences-share",)))
    assert str(refused.value) == (
        "task 'sentences-share' is unknown: expected one of: sentences-paper, "
        "sentences-shared, math-paper, math-shared, math-reason-paper, "
        "math-reason-shared; did you mean 'sentences-shared'?."
    )
