"""Cells by group and pairs by seed, as every page on adapters takes them."""

import numpy as np
import pytest

from datainf.evaluation.seeds import SeedMean, seed_mean
from datainf.experiments import comparing
from datainf.experiments.cells import Measured
from datainf.experiments.presets import PRESETS, study_of
from datainf.experiments.records import Records
from datainf.experiments.units import Unit
from datainf.experiments.variants import Variant


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """Two groups of three seeds with one method; one cell is missing."""
    place = lambda self, _: {"d": self.dataset, "r": self.rank, "s": self.seed}  # noqa: E731
    monkeypatch.setattr(Unit, "key", place)
    study = study_of("small", datasets=("sst2", "qqp"), ranks=(2,))
    units = [Unit(d, 2, s) for s in range(3) for d in study.datasets]
    records = Records(tmp_path / "r.jsonl", {"torch": "1", "machine": "m"})
    for i, unit in enumerate(units[:-1]):
        records.add({**unit.key(study), **Variant("dot").key}, {"auc": i / 10})
    return Measured(study, records, units, {"cg": "no room."})


def test_cells_are_those_of_one_group_in_the_order_of_the_seeds(measured):
    assert comparing.groups(measured) == [("sst2", 2), ("qqp", 2)]
    found = comparing.cells(measured, ("sst2", 2), Variant("dot").key)
    assert [one["auc"] for one in found] == [0.0, 0.2, 0.4]
    found = comparing.cells(measured, ("qqp", 2), Variant("dot").key)
    assert [one["auc"] for one in found] == [0.1, 0.3]
    assert comparing.cells(measured, ("qqp", 2), Variant("cg").key) == []


def test_a_gap_is_of_the_same_seeds_or_none(measured):
    dot, other, group = Variant("dot").key, Variant("exact").key, ("sst2", 2)

    def gap():
        return comparing.paired(measured, group, dot, other, lambda one: one["auc"])

    assert gap() is None
    units = [unit for unit in measured.units if unit.dataset == "sst2"]
    values = [0.5, 0.6, 0.1]
    for unit, auc in zip(units, values, strict=True):
        assert gap() is None  # a seed has the one alone
        measured.records.add({**unit.key(measured.study), **other}, {"auc": auc})
    assert gap() == seed_mean(np.subtract([0.0, 0.2, 0.4], values))
    assert (
        comparing.paired(measured, group, dot, other, lambda one: one.get("no")) is None
    )


def test_a_seed_that_neither_has_is_passed_over_and_no_other_takes_its_place(measured):
    dot, other, group = Variant("dot").key, Variant("exact").key, ("qqp", 2)
    units = [unit for unit in measured.units if unit.dataset == "qqp"]
    for unit, auc in zip(units[:2], (0.5, 0.6), strict=True):
        measured.records.add({**unit.key(measured.study), **other}, {"auc": auc})
    found = comparing.paired(measured, group, dot, other, lambda one: one["auc"])
    assert found == seed_mean(np.subtract([0.1, 0.3], [0.5, 0.6]))
    # As many results of each, but not of the same seeds.
    third = {**units[2].key(measured.study), **other}
    measured.records.add(third, {"auc": 0.7})
    found = comparing.paired(measured, group, dot, other, lambda one: one["auc"])
    assert found is None


def test_a_gap_is_written_with_its_sign():
    assert comparing.signed(SeedMean(0.25, 0.1, 0.4)) == "+.250, .100 to .400"
    assert comparing.signed(SeedMean(-0.25, -0.4, -0.1)) == "−.250, −.400 to −.100"
    assert comparing.signed(SeedMean(0.25, np.nan, np.nan)) == "+.250"


def test_verdicts_count_the_clear_ones():
    gaps = {"a": SeedMean(0.2, 0.1, 0.3), "b": SeedMean(0.1, -0.1, 0.3), "c": None}
    said = comparing.verdicts(
        [(Variant("exact"), Variant("dot"))],
        [(name, 2) for name in gaps],
        lambda group, first, second: gaps[group[0]],  # noqa: ARG005
    )
    assert said == [
        "`exact` less `dot`, AUC on the same seeds: clearly better in 1 and clearly "
        "worse in 0 of 2 settings (a r = 2: +.200, .100 to .300; b r = 2: +.100, "
        "−.100 to .300)."
    ]
    assert comparing.verdicts([(Variant("a"), Variant("b"))], [], lambda *_: None) == []


def test_pairs_set_an_option_against_its_absence():
    pairs = comparing.normalized_pairs(["dot"])
    assert [first.label for first, _ in pairs] == [
        "dot, normalize=example",
        "dot, normalize=block",
        "dot, normalize=relatif",
    ]
    assert {second.label for _, second in pairs} == {"dot"}
    ((first, second),) = comparing.damped_pairs(["exact"])
    assert (first.label, second.label) == ("exact, damping=auto", "exact")


def test_the_rest_of_a_page(measured):
    assert comparing.worst([{"x": 1.0}, {"x": None}, {}], "x") == 1.0
    assert comparing.worst([{}], "x") is None
    assert comparing.left_out(measured) == ["Left out:", "- `cg`: no room."]
    assert comparing.makers(measured, [Variant("dot").key]) == "torch 1; m"
    reason = "it is so, got normalize='{}'; leave it out."
    alike = {f"a, normalize={x}": reason.format(x) for x in ("block", "relatif")}
    refused = Measured(PRESETS["small"], measured.records, [], alike)
    assert comparing.left_out(refused)[1] == (
        "- `a, normalize=block` and `a, normalize=relatif`: it is so; leave it out."
    )
    empty = Measured(PRESETS["small"], measured.records, [], {})
    assert comparing.left_out(empty) == []


def test_the_seconds_of_all_cells_are_added_up_and_those_without_are_told(measured):
    keys = [Variant("dot").key, Variant("cg").key]
    said = comparing.spent(measured, keys)
    assert said == "How long all of it took is not recorded."
    key = {**measured.units[0].key(measured.study), **Variant("cg").key}
    measured.records.add(key, {"auc": 0.5}, seconds=1234.4)
    said = comparing.spent(measured, keys)
    assert said.startswith("1 of 6 cells took 1,234 s together")
    assert said.endswith("machine; of the others it is not recorded.")
    told = comparing.spent(measured, [Variant("cg").key])
    assert told.startswith("All cells took 1,234 s")


def test_a_finding_is_reproduced_where_all_intervals_lie_above_zero():
    above, below = SeedMean(0.2, 0.1, 0.3), SeedMean(-0.2, -0.3, -0.1)
    about, alone = SeedMean(0.1, -0.1, 0.3), SeedMean(0.2, np.nan, np.nan)
    assert comparing.verdict(above, above) == "reproduced"
    assert comparing.verdict(above, below) == "contradicted"
    assert comparing.verdict(above, about) == "neither reproduced nor contradicted"
    assert comparing.verdict(above, alone) == "not decided by one seed"
