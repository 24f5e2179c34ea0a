"""Words of tasks: what reads their examples, and how denoisers are measured."""

from enum import StrEnum


class Processor(StrEnum):
    """What brings an example to the model."""

    TOKENIZER = "tokenizer"
    """A tokenizer of transformers."""
    IMAGES = "processor"
    """An image processor of transformers."""
    PIPELINE = "pipeline"
    """A pipeline of diffusers."""


class Weighting(StrEnum):
    """How the timesteps of a diffusion model count in the loss of an example."""

    UNIFORM = "uniform"
    """All alike."""
    MIN_SNR = "min-snr"
    """By the signal-to-noise ratio, cut at 5: diffusion."""
    LOGIT_NORMAL = "logit-normal"
    """As often as training with logit-normal timesteps draws them: flow matching."""


class Measure(StrEnum):
    """Which number of a denoiser's outputs is differentiated."""

    LOSS = "loss"
    """Mean squared distance from what it should say: what training lowers."""
    SQUARE = "square"
    """Mean square of what it says: D-TRAK's choice."""
    AVERAGE = "average"
    """Mean of what it says."""
