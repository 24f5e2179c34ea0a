"""Family: how one kind of denoiser is told a prompt and asked what it sees.

B examples, C channels of a latent, h × w its places.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol, runtime_checkable

from jaxtyping import Float, Real
from torch import Tensor, nn

Conditions = Mapping[str, Tensor]
"""What a denoiser is told besides latent and timestep, first dimension B."""


@runtime_checkable
class Family(Protocol):
    """How a pipeline's parts work together in training."""

    component: ClassVar[str]
    """Name of the denoiser in the pipeline."""
    encoders: ClassVar[tuple[str, ...]]
    """Names of the text encoders in the pipeline; some may be missing."""

    def channels(self, denoiser: Any) -> int:
        """Count the channels of a latent, C."""
        ...

    def multiple(self, denoiser: Any) -> int:
        """Give what the height and width of a latent must be multiples of."""
        ...

    def encode(
        self, pipeline: Any, prompts: Sequence[str], size: tuple[int, int]
    ) -> Conditions:
        """Encode prompts for images of one size, differentiably.

        Args:
            pipeline: Of diffusers.
            prompts: B of them.
            size: Height and width in pixels.

        Returns:
            Conditions, first dimension B.
        """
        ...

    def predict(
        self,
        denoiser: nn.Module,
        noisy: Float[Tensor, "B C h w"],
        timestep: Real[Tensor, " B"],
        conditions: Conditions,
    ) -> Float[Tensor, "B C h w"]:
        """Ask the denoiser."""
        ...
