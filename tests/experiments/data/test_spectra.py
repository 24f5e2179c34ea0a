"""Random gradients: entries of one size, energy where the spectrum says."""

import pytest
import torch

from datainf.experiments.data.spectra import Spectrum, spectral_gradients


@pytest.mark.parametrize("spectrum", Spectrum)
@pytest.mark.parametrize("size", [31, 307])
def test_the_mean_squared_entry_is_one_whatever_the_size(spectrum, size):
    g = spectral_gradients(spectrum, rows=2003, size=size, seed=1)
    assert g.shape == (2003, size)
    assert float(g.square().mean()) == pytest.approx(1, abs=0.08)


@pytest.mark.parametrize(
    ("spectrum", "share"),
    [(Spectrum.FLAT, 1 / 31), (Spectrum.POWER, 0.248), (Spectrum.SHARED, 0.516)],
)
def test_the_largest_direction_has_its_share(spectrum, share):
    g = spectral_gradients(spectrum, rows=4001, size=31, seed=2)
    squares = torch.linalg.svdvals(g).square()
    assert float(squares[0] / squares.sum()) == pytest.approx(share, rel=0.2)


def test_equal_seeds_give_equal_gradients():
    first, same, other = (
        spectral_gradients(Spectrum.SHARED, rows=5, size=3, seed=s) for s in (1, 1, 2)
    )
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
