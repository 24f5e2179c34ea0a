"""The passes of one example: which timesteps, and which noise at each of them.

Every example meets the same ones (common random numbers), so that two rows differ by
their images and captions alone: noise is a function of the seed, the number of the pass
and the shape of the latent, whatever the batch. Timesteps are the middles of equal
parts of training's, so that few of them cover all.

S timesteps, K noises at each, P = S·K passes, T timesteps that training knew.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from jaxtyping import Float, Int
from torch import Tensor

from datainf.core.task_options import Weighting
from datainf.integrations.diffusion.schedules import Schedule


@dataclass(frozen=True, eq=False)
class Passes:
    """The plan of an example's passes.

    Attributes:
        timesteps: S.
        noises: K.
        seed: Of all noise.
        weighting: How timesteps count.
        schedule: Knows T, and what timesteps weigh.
    """

    timesteps: int
    noises: int
    seed: int
    weighting: Weighting
    schedule: Schedule

    @property
    def count(self) -> int:
        """P."""
        return self.timesteps * self.noises

    @cached_property
    def steps(self) -> Int[Tensor, " P"]:
        """Number of each pass's timestep: the middle of the k-th of S equal parts."""
        parts = torch.arange(self.timesteps, dtype=torch.float64)
        middles = ((parts + 0.5) * self.schedule.count / self.timesteps).long()
        return middles.repeat_interleave(self.noises)

    @cached_property
    def weights(self) -> Float[Tensor, " P"]:
        """What each pass counts in an example's loss; they sum to 1, in float64."""
        found = self.schedule.weights(self.weighting, self.steps).double()
        return found / found.sum()

    def drawn(self, count: int) -> Int[Tensor, " B"]:
        """Draw timesteps from torch's generator, as often as `weighting` weighs them.

        Args:
            count: B.

        Returns:
            Their numbers.
        """
        every = torch.arange(self.schedule.count)
        weights = self.schedule.weights(self.weighting, every)
        return torch.multinomial(weights, count, replacement=True)

    def noise(self, number: int, shape: tuple[int, ...]) -> Float[Tensor, "..."]:
        """Draw the noise of a pass.

        Args:
            number: Of the pass.
            shape: Of one latent.

        Returns:
            Standard normal numbers in float32, on the CPU: the same on every machine.
        """
        return _noise(self.seed, number, shape)


@lru_cache(maxsize=64)
def _noise(seed: int, number: int, shape: tuple[int, ...]) -> Tensor:
    generator = torch.Generator().manual_seed(_mixed(seed, number))
    return torch.randn(shape, generator=generator)


def _mixed(seed: int, number: int) -> int:
    """Give each pass of each seed a generator of its own, far from its neighbours'."""
    # splitmix64 (Steele, Lea, Flood 2014): neighbouring seeds of a Mersenne twister,
    # which is torch's, would begin alike.
    mask = (1 << 64) - 1
    mixed = (seed * 0x9E3779B97F4A7C15 + number * 0xBF58476D1CE4E5B9) & mask
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & mask
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & mask
    return (mixed ^ (mixed >> 31)) & ((1 << 63) - 1)
