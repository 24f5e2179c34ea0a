"""Passes: the same timesteps and noises for every example."""

import torch

from datainf.core.task_options import Weighting
from datainf.integrations.diffusion.passes import Passes
from datainf.integrations.diffusion.schedules import Diffusion


def plan(
    timesteps: int = 5, noises: int = 3, seed: int = 0, count: int = 100
) -> Passes:
    signal = torch.linspace(0.99, 0.01, count, dtype=torch.float64)
    return Passes(
        timesteps=timesteps,
        noises=noises,
        seed=seed,
        weighting=Weighting.MIN_SNR,
        schedule=Diffusion(signal=signal, prediction="epsilon"),
    )


def test_timesteps_are_the_middles_of_equal_parts() -> None:
    assert plan().count == 15
    assert plan().steps.tolist() == [t for t in (10, 30, 50, 70, 90) for _ in range(3)]
    assert plan(timesteps=100, noises=1).steps.tolist() == list(range(100))


def test_weights_sum_to_one_and_follow_the_schedule() -> None:
    found = plan()
    own = found.schedule.weights(Weighting.MIN_SNR, found.steps)
    torch.testing.assert_close(found.weights, own / own.sum())
    assert float(found.weights.sum()) == 1.0


def test_noise_is_a_function_of_seed_pass_and_shape() -> None:
    first = plan().noise(2, (4, 5, 7))
    assert torch.equal(first, plan(timesteps=9, noises=1).noise(2, (4, 5, 7)))
    others = [
        plan().noise(3, (4, 5, 7)),
        plan(seed=1).noise(2, (4, 5, 7)),
        plan().noise(2, (4, 7, 5)).transpose(1, 2),
    ]
    for other in others:
        assert abs(float((first * other).mean())) < 0.3
        assert not torch.equal(first, other)


def test_noise_is_standard_normal_over_passes() -> None:
    every = torch.stack([plan(400, 1, count=400).noise(p, (5, 7)) for p in range(400)])
    assert abs(float(every.mean())) < 0.03
    assert abs(float(every.std()) - 1) < 0.03


def test_noise_leaves_the_callers_generator_alone() -> None:
    before = torch.get_rng_state()
    plan(seed=11).noise(0, (2, 3))
    assert torch.equal(before, torch.get_rng_state())


def test_training_draws_timesteps_as_often_as_they_weigh() -> None:
    found = plan()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        drawn = found.drawn(20_000)
    weights = found.schedule.weights(Weighting.MIN_SNR, torch.arange(100))
    share = float((drawn < 50).double().mean())
    assert abs(share - float(weights[:50].sum() / weights.sum())) < 0.02
