"""`reproduce approximation` at a toy size: the correlations are those of the scores."""

import pytest

from datainf.evaluation.correlation import pearson, spearman
from datainf.experiments import cells
from datainf.experiments.approximation import REFERENCE, run
from datainf.experiments.units import Unit, opened
from datainf.experiments.variants import Variant, defaults, refusals
from datainf.workflows.mean import MeanSource
from datainf.workflows.score import score


def test_every_adapter_has_every_other_method(approximated):
    refused = {
        **refusals(defaults()),
        "trak": "trak scores the margin, and Eq. 2 the loss.",
        "less": "less scores steps of Adam, and Eq. 2 the loss at one state.",
    }
    expected = [
        v for v in defaults() if v.method != REFERENCE and v.label not in refused
    ]
    assert len(approximated.units) == 2 * 2 * 2
    assert len(approximated.records) == len(approximated.units) * len(expected)
    assert approximated.refused == refused


def test_a_cell_is_the_correlation_with_exact(approximated, tmp_path):
    study, unit = approximated.study, Unit("sst2", 3, 1, noisy=False)
    with opened(unit, study, tmp_path) as subject:
        mean = MeanSource(subject.validation)
        mine, true = (
            score(subject.train, mean, method=m).values[0] for m in ("datainf", "exact")
        )
    found = approximated.records[{**unit.key(study), **Variant("datainf").key}]
    assert found == pytest.approx(
        {"pearson": pearson(mine, true), "spearman": spearman(mine, true)}, abs=1e-6
    )


def test_a_whole_experiment_is_not_opened_again(approximated, monkeypatch):
    def never(*given):
        raise AssertionError(given)

    monkeypatch.setattr(cells, "opened", never)
    again = run(approximated.study, approximated.records.path.parent)
    assert len(again.records) == len(approximated.records)
