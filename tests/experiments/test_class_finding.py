"""Table 2's experiments as read: repeats of a ranking, and what did not converge."""

import pytest

from datainf.experiments.cells import Measured
from datainf.experiments.class_finding import Claim, ClassFinding, Told
from datainf.experiments.records import Records
from datainf.experiments.text_generation import tasks_of
from datainf.experiments.variants import Variant
from tests.experiments.places import tiny_text_study

GROUP = ("sentences-shared", 2)


def read(folder, cells):
    """An experiment of two seeds whose cells are made up, by method and side."""
    study = tiny_text_study(folder)
    records, units = Records(folder / "r.jsonl", {}), tasks_of(study)
    for unit in units:
        for name, (auc, notes) in cells.items():
            own = {"auc": auc + unit.seed / 10, "recall": 0.5, "seconds": 1.0}
            result = {"a": {**own, "notes": notes}, "b": {**own, "auc": auc / 2}}
            records.add({**unit.key(study), **Variant(name).key}, result)
    return ClassFinding(
        Measured(study, records, units, {}),
        variants=[Variant(name) for name in cells],
        baselines=(),
        sides={"a": "one", "b": "other"},
        papers={GROUP[0]: Told(8, {"dot": Claim(0.5, 0.1), "datainf": Claim(0.7, 1)})},
        published=["a"],
    )


def test_a_ranking_is_a_repeat_where_every_seed_and_gradient_agrees(tmp_path) -> None:
    cells: dict[str, tuple[float, list[str]]]
    cells = {"exact": (0.6, []), "dot": (0.601, []), "cg": (0.6001, [])}
    found = read(tmp_path, cells)
    assert found.alike == {"cg": "exact"}
    # One that lacks a seed is no repeat of one that has it.
    unit = found.measured.units[0]
    records = Records(tmp_path / "other.jsonl", {})
    for name in ("exact", "cg"):
        for one in found.measured.units:
            if (name, one) != ("cg", unit):
                key = {**one.key(found.measured.study), **Variant(name).key}
                records.add(key, found.measured.records[key])
    fewer = ClassFinding(
        Measured(found.measured.study, records, found.measured.units, {}),
        variants=found.variants,
        baselines=(),
        sides=found.sides,
        papers=found.papers,
        published=found.published,
    )
    assert fewer.alike == {}


def test_a_row_says_whether_its_method_converged(tmp_path) -> None:
    notes = ["not converged: 3 of 3 groups"]
    found = read(tmp_path, {"lissa": (0.6, notes), "cg": (0.7, ["converged: 9"])})
    rows = {row["method"]: row for row in found.rows(GROUP)}
    assert (rows["lissa"]["converged"], rows["cg"]["converged"]) == (False, True)


def test_gradients_of_one_method_are_compared(tmp_path) -> None:
    found = read(tmp_path, {"dot": (0.6, [])})
    gap = found.between(GROUP, Variant("dot"))
    assert gap is not None
    assert gap.mean == pytest.approx(0.3 + 0.05)
    assert found.between(GROUP, Variant("cg")) is None
    assert found.papers[GROUP[0]].gap == pytest.approx(0.2)
