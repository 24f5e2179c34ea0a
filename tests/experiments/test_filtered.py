"""`reproduce filtered` at a toy size: what is kept, trained again and tested on."""

from dataclasses import replace

import numpy as np
import pytest

from datainf.core.errors import NonFiniteError, OptionError
from datainf.estimators.table import METHODS
from datainf.experiments import filtered
from datainf.experiments.data.unseen_rows import unseen_rows
from datainf.experiments.filtered import (
    Again,
    Filtering,
    every,
    least,
    run,
    variants,
)
from datainf.experiments.presets import PRESETS, study_of
from datainf.experiments.units import Unit, opened
from datainf.experiments.variants import Variant
from datainf.workflows.mean import MeanSource
from datainf.workflows.retraining import Retrainer
from datainf.workflows.score import score
from tests.experiments.places import tiny_study

UNIT = Unit("sst2", 2, 1)


def test_every_unit_has_every_cell_and_what_refuses_is_said(kept):
    found, _ = kept
    measured = found.measured
    assert list(measured.refused) == ["cosine, normalize=relatif"]
    keys = [
        found.filtering.key(v) for v in every(found.measured.study) if not v.options
    ]
    assert len(keys) == 2 + 2 + 3
    for unit in measured.units:
        for key in keys:
            result = measured.records[{**unit.key(measured.study), **key}]
            assert set(result["test"]) == {"accuracy", "loss"}
    assert len(measured.records) == len(measured.units) * len(keys)


def cell(found, unit, variant):
    key = {**unit.key(found.measured.study), **found.filtering.key(variant)}
    return found.measured.records[key]


def test_all_but_the_references_keep_the_share(kept):
    found, _ = kept
    for unit in found.measured.units:
        for variant in every(found.measured.study):
            if variant.options:
                continue
            one = cell(found, unit, variant)
            expected = {"all rows": 17, "right rows": 17 - one["wrong"]}
            assert one["kept"] == expected.get(variant.method, 12)
            assert one["test_rows"] == 7
        assert cell(found, unit, Variant("all rows"))["wrong_kept"] == one["wrong"]
        assert cell(found, unit, Variant("right rows"))["wrong_kept"] == 0
        # 20 % are flipped, so a 70 % without any exists.
        assert cell(found, unit, Variant("oracle"))["wrong_kept"] == 0


@pytest.fixture(scope="module")
def unit(kept):
    """One unit, its test rows, and what trains it again."""
    found, out = kept
    study = found.measured.study
    with opened(UNIT, study, out) as subject:
        test = unseen_rows(
            "sst2",
            study.sample,
            subject.rows,
            count=7,
            seed=UNIT.seed,
            data_dir=study.data_dir,
        )
        yield subject, Again(UNIT, study, subject, test)


def test_training_on_all_rows_again_gives_the_unit_s_own_adapter(unit):
    subject, again = unit
    whole = np.arange(len(subject.rows.train))
    anew, own = again.trained(whole), again.measured(whole)
    assert own["seconds"] == 0 < anew["seconds"]
    for part in ("validation", "test"):
        assert anew[part] == own[part]
    assert own["validation"]["loss"] == pytest.approx(
        float(np.mean(subject.validation.losses))
    )


def test_a_cell_is_a_training_on_the_least_suspicious_rows(unit, kept):
    subject, again = unit
    found, _ = kept
    scores = score(subject.train, MeanSource(subject.validation), method="datainf")
    order = np.argsort(scores.values[0])[:12]
    expected = again.trained(np.sort(order))
    one = cell(found, UNIT, Variant("datainf"))
    assert one["test"] == expected["test"]
    assert one["validation"] == expected["validation"]
    assert one["wrong_kept"] == subject.wrong[order].sum()


def test_equal_choices_are_trained_once_and_a_finished_study_not_at_all(
    tmp_path, monkeypatch
):
    trained = []

    def counted(_, kept):
        trained.append(len(kept))
        return {"problem": "not trained here.", "seconds": 0.0}

    monkeypatch.setattr(Again, "trained", counted)
    # cg is exact: their rows are the same.
    few = [Variant("exact"), Variant("cg")]
    monkeypatch.setattr(filtered, "variants", lambda _: few)
    monkeypatch.setattr(filtered, "BASELINES", ())
    study = tiny_study(tmp_path, seeds=1)
    found = run(study, tmp_path / "out", Filtering(keep=0.4, test_rows=5))
    assert trained == [7, 14, 7]  # exact, right rows, oracle
    assert len(found.measured.records) == 5
    run(study, tmp_path / "out", Filtering(keep=0.4, test_rows=5))
    assert trained == [7, 14, 7]
    run(study, tmp_path / "out", Filtering(keep=0.5, test_rows=5))
    assert trained[3:] == [8, 14, 8]


def test_what_warms_up_is_a_share_of_the_steps_of_the_kept_rows(
    unit, kept, monkeypatch
):
    subject, _ = unit
    study = replace(
        kept[0].measured.study, recipe=study_of("small").recipe, model="some/base"
    )
    asked = []

    def refuses(config):
        asked.append(config)
        raise NonFiniteError("enough.")

    monkeypatch.setattr(filtered, "Retrainer", refuses)
    rows = subject.rows.validation
    Again(UNIT, study, subject, rows).measured(np.arange(11))
    (config,) = asked
    assert config.recipe == study.recipe_for(rank=2, seed=1, rows=11)
    assert config.recipe != study.recipe_for(rank=2, seed=1, rows=17)
    assert (config.model, config.task["num_labels"]) == ("some/base", 2)


def test_a_training_that_diverges_is_kept_as_such(unit, monkeypatch):
    _, again = unit

    def diverges(*_):
        raise NonFiniteError("the loss is nan.")

    monkeypatch.setattr(Retrainer, "fitted", diverges)
    found = again.measured(np.array([0, 3]))
    assert found["problem"] == "the loss is nan."
    assert "test" not in found


def test_the_least_suspicious_are_kept_and_equals_by_chance():
    assert least(np.array([5.0, -1, 3, 2, 9]), 0.6, seed=0).tolist() == [1, 2, 3]
    equal = [least(np.zeros(101), 0.5, seed=s).tolist() for s in (0, 0, 1)]
    assert equal[0] == equal[1] != equal[2]
    assert len(set(equal[0])) == 50
    assert equal[0] == sorted(equal[0])


@pytest.mark.parametrize("keep", [0.0, 1.0, -0.5, 70.0])
def test_a_share_that_keeps_all_or_nothing_is_refused(keep):
    with pytest.raises(OptionError) as refused:
        Filtering(keep=keep)
    assert str(refused.value) == f"keep must lie between 0 and 1, got {keep:g}."


def test_no_test_row_is_refused():
    with pytest.raises(OptionError) as refused:
        Filtering(test_rows=0)
    assert str(refused.value) == "test_rows must be at least 1, got 0."


def test_the_paper_preset_has_every_method_and_the_small_one_few():
    small, paper = ([v.label for v in variants(study_of(p))] for p in PRESETS)
    blocks = ["datainf, normalize=block", "exact, normalize=block"]
    assert paper == [*METHODS, *blocks]
    assert small == ["dot", "datainf", "exact", "lissa", "ekfac", *blocks]
