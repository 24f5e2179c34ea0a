"""Seconds and peak memory of what happens inside."""

import time

import pytest
import torch

from datainf.experiments import meter
from datainf.experiments.meter import metered


def test_a_tensor_is_seen_even_when_it_is_gone_at_the_end():
    with metered() as spent:
        held = torch.ones(2**24)  # 64 MiB
        time.sleep(0.05)
        del held
    assert spent.seconds >= 0.05
    assert spent.peak_mib == pytest.approx(64, abs=8)


def test_what_was_held_before_does_not_count():
    held = torch.ones(2**24)
    with metered() as spent:
        time.sleep(0.02)
    assert spent.peak_mib is not None
    assert spent.peak_mib < 8
    assert held.all()


def test_where_the_system_does_not_tell_memory_is_none(monkeypatch, tmp_path):
    monkeypatch.setattr(meter, "_STATUS", tmp_path / "status")
    with metered() as spent:
        pass
    assert spent.peak_mib is None


def test_an_error_inside_is_the_callers():
    with pytest.raises(ZeroDivisionError), metered() as spent:
        _ = 1 / 0
    assert spent.seconds > 0
