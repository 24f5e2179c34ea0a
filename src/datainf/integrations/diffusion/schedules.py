"""Schedules: how much noise a timestep mixes in, and what the denoiser then says.

Two kinds, told apart by the pipeline's scheduler:

    diffusion      x_t = √ᾱ_t·x + √(1 − ᾱ_t)·ε     target ε, √ᾱ_t·ε − √(1 − ᾱ_t)·x, or x
    flow matching  x_t = (1 − σ_t)·x + σ_t·ε       target ε − x

(Ho et al. 2020, arXiv:2006.11239; Salimans and Ho 2022, arXiv:2202.00512; Lipman et al.
2023, arXiv:2210.02747.) x is a latent, ε standard normal noise, T the number of
timesteps that training knew, B the examples of a batch.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from datainf.core.errors import AdapterError, OptionError, near
from datainf.core.task_options import Weighting

_GAMMA = 5.0
"""Of min-SNR (Hang et al. 2023, arXiv:2303.09556), as the authors chose it."""


@runtime_checkable
class Schedule(Protocol):
    """What a scheduler says of training."""

    @property
    def count(self) -> int:
        """T."""
        ...

    def noisy(
        self, latents: Float[Tensor, "B ..."], noise: Tensor, step: Int[Tensor, " B"]
    ) -> Tensor:
        """Mix noise into latents, at timestep number `step` of each."""
        ...

    def target(
        self, latents: Float[Tensor, "B ..."], noise: Tensor, step: Int[Tensor, " B"]
    ) -> Tensor:
        """Give what the denoiser should say of them."""
        ...

    def told(self, step: Int[Tensor, " B"]) -> Tensor:
        """Give the timesteps as the denoiser is told them."""
        ...

    def weights(
        self, weighting: Weighting, step: Int[Tensor, " S"]
    ) -> Float[Tensor, " S"]:
        """Weigh timesteps, up to a factor.

        Raises:
            OptionError: If the weighting belongs to the other kind of schedule.
        """
        ...


@dataclass(frozen=True, eq=False)
class Diffusion:
    """Noise of ever larger variance; the kind of DDPM.

    Attributes:
        signal: ᾱ_t, `[T]` in float64.
        prediction: `epsilon`, `v_prediction` or `sample`.
    """

    known: ClassVar[tuple[str, ...]] = ("epsilon", "v_prediction", "sample")

    signal: Float[Tensor, " T"]
    prediction: str

    @property
    def count(self) -> int:
        """T."""
        return len(self.signal)

    def noisy(self, latents: Tensor, noise: Tensor, step: Tensor) -> Tensor:
        """Give √ᾱ_t·x + √(1 − ᾱ_t)·ε."""
        signal, rest = self._roots(latents, step)
        return signal * latents + rest * noise

    def target(self, latents: Tensor, noise: Tensor, step: Tensor) -> Tensor:
        """Give the noise, the velocity or the latents themselves."""
        if self.prediction == "epsilon":
            return noise
        if self.prediction == "sample":
            return latents
        signal, rest = self._roots(latents, step)
        return signal * noise - rest * latents

    def told(self, step: Tensor) -> Tensor:
        """Give the timestep's number."""
        return step

    def weights(self, weighting: Weighting, step: Tensor) -> Tensor:
        """Weigh timesteps alike, or by min-SNR.

        Returns:
            Weights.

        Raises:
            OptionError: For weightings of flow matching.
        """
        signal = self.signal[step]
        if weighting is Weighting.UNIFORM:
            return torch.ones_like(signal)
        if weighting is Weighting.MIN_SNR:
            snr = signal / (1 - signal)
            if self.prediction == "epsilon":
                # min(snr, γ) / snr, which is 1 where a timestep is noise alone.
                return (_GAMMA / snr).clamp(max=1)
            kept = snr.clamp(max=_GAMMA)
            return kept if self.prediction == "sample" else kept / (snr + 1)
        raise OptionError(
            f"weighting={str(weighting)!r} belongs to flow matching, and the "
            f"scheduler is one of diffusion; use {Weighting.UNIFORM} or "
            f"{Weighting.MIN_SNR}."
        )

    def _roots(self, latents: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        signal = self.signal.to(latents.device)[step]
        shape = (-1, *[1] * (latents.ndim - 1))
        return (
            signal.sqrt().to(latents.dtype).view(shape),
            (1 - signal).sqrt().to(latents.dtype).view(shape),
        )


@dataclass(frozen=True, eq=False)
class Flow:
    """Straight lines from latents to noise; the kind of SD3 and Flux.

    Attributes:
        sigmas: Share of noise, rising, `[T]` in float64.
        timesteps: The same as the denoiser is told it, `[T]`.
    """

    sigmas: Float[Tensor, " T"]
    timesteps: Float[Tensor, " T"]

    @property
    def count(self) -> int:
        """T."""
        return len(self.sigmas)

    def noisy(self, latents: Tensor, noise: Tensor, step: Tensor) -> Tensor:
        """Give (1 − σ)·x + σ·ε."""
        sigma = self.sigmas.to(latents.device)[step].to(latents.dtype)
        sigma = sigma.view(-1, *[1] * (latents.ndim - 1))
        return (1 - sigma) * latents + sigma * noise

    def target(self, latents: Tensor, noise: Tensor, step: Tensor) -> Tensor:  # noqa: ARG002 - the same at every timestep
        """Give ε − x."""
        return noise - latents

    def told(self, step: Tensor) -> Tensor:
        """Give the timestep, 0 to 1000, of each number."""
        return self.timesteps.to(step.device)[step]

    def weights(self, weighting: Weighting, step: Tensor) -> Tensor:
        """Weigh timesteps alike, or by how often training with logit-normal draws them.

        That is the density of u = (step + ½) / T where logit u is standard normal
        (Esser et al. 2024, arXiv:2403.03206).

        Returns:
            Weights.

        Raises:
            OptionError: For weightings of diffusion.
        """
        if weighting is Weighting.UNIFORM:
            return torch.ones(len(step), dtype=torch.float64)
        if weighting is Weighting.LOGIT_NORMAL:
            u = (step.double() + 0.5) / self.count
            density = (-u.logit().square() / 2).exp() / (u * (1 - u))
            return density / math.sqrt(2 * math.pi)
        raise OptionError(
            f"weighting={str(weighting)!r} belongs to diffusion, and the scheduler is "
            f"one of flow matching; use {Weighting.UNIFORM} or "
            f"{Weighting.LOGIT_NORMAL}."
        )


def schedule_of(scheduler: Any) -> Diffusion | Flow:
    """Read a scheduler of diffusers.

    Args:
        scheduler: A pipeline's; which steps it was set to for generation does not
            matter.

    Returns:
        What training with it meant.

    Raises:
        AdapterError: If it is of neither kind, or asks for an unknown prediction.
    """
    config = scheduler.config
    if config.get("use_flow_sigmas"):
        return _flow_of_solver(config)
    if "FlowMatch" in type(scheduler).__name__:
        # Generation shortens a scheduler's tables; a new one has all of training.
        fresh = type(scheduler).from_config(config)
        order = fresh.timesteps.double().argsort()
        kept = len(order)
        return Flow(
            sigmas=fresh.sigmas[:kept].double()[order],
            timesteps=fresh.timesteps.double()[order],
        )
    signal = getattr(scheduler, "alphas_cumprod", None)
    if signal is None:
        raise AdapterError(
            f"the scheduler {type(scheduler).__name__} says neither how much noise a "
            "timestep of diffusion has (alphas_cumprod) nor that it matches flows; "
            "give the pipeline the scheduler of training, such as DDPMScheduler."
        )
    prediction = str(config.get("prediction_type", "epsilon"))
    if prediction not in Diffusion.known:
        raise AdapterError(
            f"the scheduler's prediction_type {prediction!r} is unknown: "
            f"{near(prediction, Diffusion.known)}."
        )
    return Diffusion(signal=signal.double(), prediction=prediction)


def _flow_of_solver(config: Any) -> Flow:
    """Read a solver of diffusion (DPM, UniPC) that was told to follow a flow.

    Its own tables are those of diffusion until it is set to steps of generation; these
    are what it makes of `flow_shift` then, at every timestep of training.

    Returns:
        The flow.
    """
    count = int(config["num_train_timesteps"])
    shift = float(config.get("flow_shift") or 1.0)
    even = torch.arange(1, count + 1, dtype=torch.float64) / count
    sigmas = shift * even / (1 + (shift - 1) * even)
    return Flow(sigmas=sigmas, timesteps=sigmas * count)
