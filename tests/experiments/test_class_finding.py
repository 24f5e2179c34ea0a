"""Table 2's judgements; pages of both experiments test the rest."""

import numpy as np
import pytest

from datainf.evaluation.seeds import SeedMean
from datainf.experiments.class_finding import both, judged


@pytest.mark.parametrize(
    ("gap", "told", "said"),
    [
        ((0.1, np.nan, np.nan), 0.1, "one seed tells nothing yet."),
        ((-0.1, -0.2, -0.01), 0.1, "not reproduced, the other way round."),
        ((0.1, -0.1, 0.3), 0.1, "open: the interval holds the paper's gap, and none."),
        ((0.0, -0.1, 0.1), 0.2, "not reproduced: no clear gap, and the paper's is"),
        ((0.1, 0.05, 0.15), 0.12, "reproduced, order and size."),
        ((0.1, 0.05, 0.15), 0.2, "order reproduced, with 0.5 times the paper's gap."),
    ],
)
def test_a_gap_is_judged_by_its_interval(gap, told, said) -> None:
    assert judged(SeedMean(*gap), told).startswith(said)


def test_both_measures_stand_together() -> None:
    assert both(0.82, 0.6871) == ".820 / .687"
