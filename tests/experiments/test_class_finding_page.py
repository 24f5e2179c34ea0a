"""Table 2's judgements, pairs and tables, from cells that are made up."""

import numpy as np
import pytest

from datainf.evaluation.seeds import SeedMean
from datainf.experiments.cells import ADAPTER
from datainf.experiments.class_finding_page import (
    both,
    claims,
    judged,
    pairs_table,
    repeats,
    table,
    table_two,
)
from datainf.experiments.variants import Variant
from tests.experiments.test_class_finding import GROUP, read


@pytest.mark.parametrize(
    ("gap", "told", "said"),
    [
        ((0.1, np.nan, np.nan), 0.1, "one seed tells nothing yet."),
        ((-0.1, -0.2, -0.01), 0.1, "not reproduced, the other way round."),
        (
            (0.1, -0.1, 0.3),
            0.1,
            "open: our interval holds both the paper's gap and none.",
        ),
        (
            (0.0, -0.1, 0.1),
            0.2,
            "not reproduced: our interval holds no gap, and not the paper's.",
        ),
        ((0.1, 0.05, 0.15), 0.12, "reproduced, order and size."),
        ((0.1, 0.05, 0.15), 0.2, "order reproduced, with 0.5 times the paper's gap."),
    ],
)
def test_a_gap_is_judged_by_its_interval(gap, told, said) -> None:
    assert judged(SeedMean(*gap), told).startswith(said)


def test_both_measures_stand_together() -> None:
    assert both(0.82, 0.6871) == ".820 / .687"


def test_only_gradients_that_the_paper_has_are_judged(tmp_path) -> None:
    found = read(tmp_path, {"dot": (0.5, []), "datainf": (0.71, [])})
    first, second = claims(found)
    assert first.startswith("sentences-shared, r = 2, one: order reproduced, with 1")
    assert first.endswith(
        "the paper has .700 / 1.000 against .500 / .100, +.200, with an adapter of "
        "r = 8."
    )
    assert "other: the paper has no such gradient. DataInf .355" in second
    assert "reproduced" not in second
    one, other = table_two(found, ("dot",)).splitlines()[-2:]
    assert one.endswith("| .550 / .500 | .500 / .100 | .700 / 1.000 | 8 |")
    assert other.endswith("| – | – | – |")


def test_pairs_are_compared_by_each_gradient_and_repeats_are_folded(tmp_path) -> None:
    cells: dict[str, tuple[float, list[str]]]
    cells = {"dot": (0.5, []), "datainf": (0.7, []), "tracin": (0.5, [])}
    found = read(tmp_path, cells)
    pairs = [(Variant("datainf"), Variant(name)) for name in ("dot", "tracin", "cg")]
    said, lines = pairs_table(found, pairs)
    assert "These are 4 intervals" in said
    # The same gap on every seed, so clearly not 0; repeats and what lacks are left out.
    assert lines.splitlines()[2:] == [
        "| `datainf` less `dot` | one | **+.200, .200 to .200** |",
        "| `datainf` less `dot` | other | **+.100, .100 to .100** |",
        "| `dot` itself | one less other | +.300, −.335 to .935 |",
        "| `datainf` itself | one less other | +.400, −.235 to 1.035 |",
    ]
    assert repeats(found)[0].endswith("as `dot`: `tracin`.")
    assert pairs_table(read(tmp_path / "none", {"cg": (0.5, [])}), pairs) == []


def test_a_table_says_what_its_costs_are_and_what_did_not_converge(tmp_path) -> None:
    found = read(tmp_path, {"lissa": (0.6, ["not converged: 3 groups"])})
    for unit in found.measured.units:
        key = {**unit.key(found.measured.study), **ADAPTER}
        found.measured.records.add(key, {"collect_seconds": 3.0 + unit.seed})
    lines, said = table(found, GROUP)
    assert ", not converged | 2 |" in lines
    assert "collecting these took 3.5 s besides (median)" in said
