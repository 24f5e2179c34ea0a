"""`reproduce mislabeled` at a toy size: every cell once, resumed, extended."""

import json
from dataclasses import replace

import numpy as np
import pytest

from datainf.core.checkpoint import Checkpoint
from datainf.core.errors import OptionError
from datainf.core.options import Output
from datainf.evaluation.detection import detection_auc
from datainf.experiments import cells, measuring
from datainf.experiments.cells import ADAPTER
from datainf.experiments.measuring import BASELINES
from datainf.experiments.mislabeled import run
from datainf.experiments.units import Unit, opened
from datainf.experiments.variants import Variant
from datainf.workflows.mean import MeanSource
from datainf.workflows.score import score
from tests.experiments.places import tiny_study


def test_every_unit_has_every_cell(found_wrong, few_variants):
    measured, _ = found_wrong
    assert len(measured.units) == (2 + 1) * 2
    keys = [v.key for v in few_variants if v.label not in measured.refused]
    keys += [{"method": name, "options": {}} for name in BASELINES] + [ADAPTER]
    own = [key for key in keys if not key["options"]]
    assert 0 < len(own) < len(keys)
    for unit in measured.units:
        for key in own if unit.rank == 1 else keys:
            assert {**unit.key(measured.study), **key} in measured.records
    assert len(measured.records) == 2 * (2 * len(keys) + len(own))


def test_a_cell_is_what_score_and_auc_say(found_wrong):
    measured, out = found_wrong
    unit, variant = Unit("sst2", 2, 1), Variant("datainf", {"damping": 1.0})
    with opened(unit, measured.study, out) as subject:
        scores = score(
            subject.train, MeanSource(subject.validation), method="datainf", damping=1.0
        )
        expected = detection_auc(scores.values[0], subject.wrong)
        by_loss = detection_auc(subject.train.losses, subject.wrong)
    own = unit.key(measured.study)
    found = measured.records[{**own, **variant.key}]
    assert found["auc"] == expected
    assert found["residual"] == pytest.approx(float(np.nanmax(scores.residual)))
    assert measured.records[{**own, **Variant("loss").key}]["auc"] == by_loss


def test_the_margins_method_scores_gradients_of_the_margin(found_wrong):
    measured, out = found_wrong
    unit = Unit("sst2", 2, 0)
    with opened(unit, measured.study, out) as subject:
        train, validation = subject.gradients(Output.MARGIN)
        scores = score(train, MeanSource(validation), method="trak")
        expected = detection_auc(scores.values[0], subject.wrong)
    key = {**unit.key(measured.study), **Variant("trak").key}
    assert measured.records[key]["auc"] == expected


def test_less_steps_by_the_moments_of_the_last_checkpoint(found_wrong):
    measured, out = found_wrong
    unit = Unit("demo-lm", 2, 1)
    with opened(unit, measured.study, out) as subject:
        mean, moments = MeanSource(subject.validation), subject.moments()
        scores = score(
            [Checkpoint(subject.train, mean, moments=moments)], method="less"
        )
        expected = detection_auc(scores.values[0], subject.wrong)
    key = {**unit.key(measured.study), **Variant("less").key}
    assert measured.records[key]["auc"] == expected


def test_nothing_is_measured_twice_and_a_lost_cell_alone_again(
    found_wrong, monkeypatch
):
    measured, out = found_wrong
    path = out / "mislabeled.jsonl"
    whole = path.read_bytes()
    used = []

    def counted(*given):
        used.append(given[0])
        return opened(*given)

    monkeypatch.setattr(cells, "opened", counted)
    run(measured.study, out)
    assert used == []
    # As after a kill: the last line is half there.
    path.write_bytes(whole[:-20])
    again = run(measured.study, out)
    assert used == [measured.units[-1]]
    assert len(again.records) == len(measured.records)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[-1]["key"] == json.loads(whole.splitlines()[-1])["key"]


def test_two_processes_find_what_one_finds(found_wrong, tmp_path):
    measured, _ = found_wrong
    again = run(replace(measured.study, workers=2), tmp_path)
    assert len(again.records) == len(measured.records)
    own = measured.units[-1].key(measured.study)
    for variant in (Variant("dot"), Variant("exact"), Variant("loss")):
        key = {**own, **variant.key}
        assert again.records[key]["auc"] == pytest.approx(measured.records[key]["auc"])
    assert again.refused == measured.refused


def test_a_kill_between_cells_loses_none_that_were_measured(tmp_path, monkeypatch):
    study = tiny_study(tmp_path, seeds=1)
    calls = []

    def interrupted(*given, **options):
        calls.append(options)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return score(*given, **options)

    monkeypatch.setattr(measuring, "score", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(study, tmp_path / "out")
    run(study, tmp_path / "out")
    asked = [json.dumps(options, sort_keys=True) for options in calls]
    assert len(asked) == len(set(asked)) + 1  # the interrupted one twice


def test_a_method_that_refuses_a_store_is_left_out_and_said(tmp_path, monkeypatch):
    def refusing(*given, **options):
        if options["method"] == "dot":
            raise OptionError("dot needs more than this.")
        return score(*given, **options)

    monkeypatch.setattr(measuring, "score", refusing)
    measured = run(tiny_study(tmp_path, seeds=1), tmp_path / "out")
    assert measured.refused["dot"] == "dot needs more than this."
    (unit,) = measured.units
    assert {**unit.key(measured.study), **Variant("dot").key} not in measured.records
    assert {**unit.key(measured.study), **Variant("exact").key} in measured.records
