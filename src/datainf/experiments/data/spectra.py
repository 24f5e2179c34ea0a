"""Random gradients of known spectra, whose entries do not grow with d.

N rows, d parameters. The mean squared entry is one in expectation.
"""

from enum import StrEnum

import torch
from jaxtyping import Float64
from torch import Tensor


class Spectrum(StrEnum):
    """How the squared lengths spread over the directions."""

    FLAT = "flat"
    """The same in every direction: independent normal entries."""
    POWER = "power law"
    """Direction j has 1/j of the first one's, as the gradients of trained models."""
    SHARED = "shared direction"
    """Half of it in one direction that all rows share, the rest flat."""


def spectral_gradients(
    spectrum: Spectrum, *, rows: int, size: int, seed: int
) -> Float64[Tensor, "N d"]:
    """Draw gradients.

    Args:
        spectrum: Which.
        rows: N.
        size: d.
        seed: Equal seeds, equal gradients.

    Returns:
        The rows.
    """
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    g = normal(rows, size)
    if spectrum is Spectrum.POWER:
        weights = 1 / torch.arange(1, size + 1, dtype=torch.float64)
        return g * (weights / weights.mean()).sqrt()
    if spectrum is Spectrum.SHARED:
        direction = normal(size).sign()
        return (g + normal(rows, 1) * direction) / 2**0.5
    return g
