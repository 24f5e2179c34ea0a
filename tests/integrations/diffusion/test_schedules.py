"""Schedules say what the schedulers of diffusers say."""

import warnings
from typing import Any

import pytest
import torch

from datainf.core.errors import AdapterError, OptionError
from datainf.core.task_options import Weighting
from datainf.integrations.diffusion.schedules import Diffusion, Flow, schedule_of
from tests.tiny_diffusion import DIFFUSERS

pytestmark = pytest.mark.skipif(not DIFFUSERS, reason="diffusers cannot be imported")
STEP = torch.tensor([0, 17, 998])


def pair() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    latents = torch.randn(3, 4, 5, 7, generator=generator, dtype=torch.float64)
    noise = torch.randn(3, 4, 5, 7, generator=generator, dtype=torch.float64)
    return latents, noise


def ddpm(**options: Any) -> Any:
    from diffusers import DDPMScheduler

    return DDPMScheduler(**options)


def flow(**options: Any) -> Any:
    from diffusers import FlowMatchEulerDiscreteScheduler

    return FlowMatchEulerDiscreteScheduler(**options)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "sample"])
def test_diffusion_mixes_and_asks_as_the_scheduler_does(kind: str) -> None:
    scheduler, (latents, noise) = ddpm(prediction_type=kind), pair()
    schedule = schedule_of(scheduler)
    torch.testing.assert_close(
        schedule.noisy(latents, noise, STEP),
        scheduler.add_noise(latents, noise, STEP),
        rtol=1e-6,
        atol=1e-6,
    )
    wanted = {
        "epsilon": noise,
        "sample": latents,
        "v_prediction": scheduler.get_velocity(latents, noise, STEP),
    }[kind]
    torch.testing.assert_close(
        schedule.target(latents, noise, STEP), wanted, rtol=1e-6, atol=1e-6
    )
    assert schedule.told(STEP) is STEP
    assert schedule.count == 1000


def test_a_flow_is_the_schedulers_line_from_latent_to_noise() -> None:
    scheduler, (latents, noise) = flow(shift=3.0), pair()
    schedule = schedule_of(scheduler)
    assert isinstance(schedule, Flow)
    told = schedule.told(STEP)
    wanted = scheduler.scale_noise(latents, told.float(), noise)
    torch.testing.assert_close(
        schedule.noisy(latents, noise, STEP), wanted, rtol=1e-5, atol=1e-5
    )
    torch.testing.assert_close(schedule.target(latents, noise, STEP), noise - latents)
    assert bool((schedule.sigmas.diff() > 0).all())


@pytest.mark.parametrize(
    "kind", ["DPMSolverMultistepScheduler", "UniPCMultistepScheduler"]
)
def test_a_solver_that_follows_a_flow_has_the_flows_line(kind: str) -> None:
    import diffusers

    solver = getattr(diffusers, kind)(
        use_flow_sigmas=True, prediction_type="flow_prediction", flow_shift=3.0
    )
    found, wanted = schedule_of(solver), schedule_of(flow(shift=3.0))
    assert isinstance(found, Flow)
    assert isinstance(wanted, Flow)
    torch.testing.assert_close(found.sigmas, wanted.sigmas, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(found.timesteps, wanted.timesteps, rtol=1e-5, atol=1e-4)
    # As the solver itself pairs them in generation.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # behind numpy's times
        solver.set_timesteps(4)
    told = solver.timesteps.double()
    places = (found.timesteps[:, None] - told).abs().argmin(dim=0)
    torch.testing.assert_close(
        found.sigmas[places], solver.sigmas[:-1].double(), rtol=0, atol=2e-3
    )


def test_steps_of_generation_do_not_change_a_schedule() -> None:
    scheduler = flow(shift=3.0)
    before = schedule_of(scheduler)
    scheduler.set_timesteps(4)
    after = schedule_of(scheduler)
    assert isinstance(before, Flow)
    assert isinstance(after, Flow)
    assert torch.equal(before.sigmas, after.sigmas)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "sample"])
def test_min_snr_weighs_as_its_paper_does(kind: str) -> None:
    schedule = schedule_of(ddpm(prediction_type=kind))
    assert isinstance(schedule, Diffusion)
    signal = schedule.signal[STEP]
    snr = signal / (1 - signal)
    cut = snr.minimum(torch.tensor(5.0, dtype=snr.dtype))
    below = {"epsilon": snr, "v_prediction": snr + 1, "sample": torch.ones_like(snr)}
    torch.testing.assert_close(
        schedule.weights(Weighting.MIN_SNR, STEP), cut / below[kind]
    )


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "sample"])
def test_min_snr_knows_timesteps_that_are_noise_alone(kind: str) -> None:
    schedule = schedule_of(ddpm(prediction_type=kind, rescale_betas_zero_snr=True))
    weights = schedule.weights(Weighting.MIN_SNR, torch.tensor([998, 999]))
    assert float(weights[1]) == (1 if kind == "epsilon" else 0)
    assert bool(weights.isfinite().all())


def test_logit_normal_is_the_density_of_what_training_draws() -> None:
    schedule = schedule_of(flow())
    weights = schedule.weights(Weighting.LOGIT_NORMAL, torch.arange(1000))
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randn(200_000, generator=generator).sigmoid()
    share = float((drawn < 0.25).double().mean())
    assert float(weights[:250].sum() / weights.sum()) == pytest.approx(share, abs=5e-3)


@pytest.mark.parametrize(
    ("made", "weighting"),
    [(ddpm, Weighting.LOGIT_NORMAL), (flow, Weighting.MIN_SNR)],
)
def test_a_weighting_of_the_other_kind_is_refused(
    made: Any, weighting: Weighting
) -> None:
    with pytest.raises(OptionError, match=f"{weighting.value}.*use uniform or"):
        schedule_of(made()).weights(weighting, STEP)
    uniform = schedule_of(made()).weights(Weighting.UNIFORM, STEP)
    assert uniform.tolist() == [1, 1, 1]


def test_a_scheduler_of_neither_kind_is_refused() -> None:
    from diffusers import KarrasVeScheduler

    with pytest.raises(AdapterError, match=r"KarrasVeScheduler says neither"):
        schedule_of(KarrasVeScheduler())
    strange = ddpm()
    strange.register_to_config(prediction_type="epsilom")
    with pytest.raises(AdapterError, match="did you mean 'epsilon'"):
        schedule_of(strange)
