"""`reproduce theorem` at a toy size: blocks scaled alike, every cell once."""

import pytest
import torch

from datainf.experiments import theorem
from datainf.experiments.theorem import DAMPINGS, PRESETS, measure, run
from tests.reference import damped_inverse, mean_of_inverses


def test_a_block_is_measured_at_a_mean_squared_entry_of_one():
    g = torch.randn(7, 5, dtype=torch.float64)
    found, scaled = measure(g), measure(1e-6 * g)
    assert (found["rows"], found["d"]) == (7, 5)
    unit = g / g.square().mean().sqrt()
    for damping in DAMPINGS:
        expected = damped_inverse(unit, damping) - mean_of_inverses(unit, damping)
        error = float(torch.linalg.matrix_norm(expected, ord=2))
        for one in (found, scaled):
            assert one["by_damping"][f"{damping:g}"]["error"] == pytest.approx(error)


def test_random_and_real_gradients_are_measured(swapped):
    assert len(swapped.random) == 3 * 3 * 2
    assert len(swapped.records) == len(swapped.random) + 2
    for key in swapped.real:
        sizes = {b["d"] for b in swapped.records[key]["blocks"].values()}
        # LoRA matrices of a model 16 wide, and the head of two classes.
        assert sizes == {16 * key["rank"], 2 * 16}


def test_nothing_is_measured_twice(swapped, monkeypatch):
    def never(*given, **rest):
        raise AssertionError(given, rest)

    monkeypatch.setattr(theorem, "opened", never)
    monkeypatch.setattr(theorem, "measure", never)
    folder = swapped.records.path.parent
    again = run(swapped.study, folder, settings=swapped.settings)
    assert len(again.records) == len(swapped.records)


def test_the_presets_draw_rising_sizes():
    for settings in PRESETS.values():
        assert list(settings.sizes) == sorted(settings.sizes)
        assert settings.sizes[-1] >= 4 * settings.rows
