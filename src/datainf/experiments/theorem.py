"""`datainf reproduce theorem`: how wrong is the mean of inverses, in truth?

Theorem 1 of the paper (Kwon et al., ICLR 2024, arXiv:2310.00902): where gradients and λ
are bounded, ‖(mean S_i)⁻¹ − mean S_i⁻¹‖₂ = O(d²), S_i = g_i g_iᵀ + λI. Measured here
against d and λ, on random gradients of three spectra and on the gradients of real
adapters, whose blocks grow with the rank.

Every block is scaled so that its mean squared entry is one: its entries are bounded
alike whatever d is, and λ is the damping itself. Cells: one a spectrum, d and seed, and
one a block of an adapter, kept in `theorem.jsonl`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from datainf.experiments.data.spectra import Spectrum, spectral_gradients
from datainf.experiments.presets import Study
from datainf.experiments.records import Records, alone_in
from datainf.experiments.surroundings import surroundings
from datainf.experiments.units import Unit, opened
from datainf.linalg.swap import swap_error
from datainf.workflows.progress import Logged, Reporter

NAME = "theorem"
DAMPINGS = (0.1, 1.0, 10.0, 100.0)


@dataclass(frozen=True, kw_only=True)
class TheoremSettings:
    """Sizes of the experiment.

    Attributes:
        sizes: d of the random gradients.
        rows: N of the random gradients.
        seeds: Draws of each.
    """

    sizes: tuple[int, ...]
    rows: int
    seeds: int = 1


PRESETS: Mapping[str, TheoremSettings] = {
    "small": TheoremSettings(sizes=(8, 16, 32, 64, 128, 256, 512, 1024), rows=256),
    "paper": TheoremSettings(
        sizes=(8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096), rows=1024
    ),
}


@dataclass(frozen=True)
class TheoremMeasured:
    """What has been measured.

    Attributes:
        settings: Sizes of the random part.
        study: The family of adapters of the real part.
        records: The cells.
        random: Keys of the random part.
        real: Keys of the real part.
    """

    settings: TheoremSettings
    study: Study
    records: Records
    random: Sequence[Mapping[str, Any]]
    real: Sequence[Mapping[str, Any]]


def run(
    study: Study,
    out: str | Path,
    *,
    settings: TheoremSettings | None = None,
    progress: Reporter | None = None,
) -> TheoremMeasured:
    """Measure every cell that is not there yet.

    Args:
        study: Adapters of the real part: its first seed of each data set and rank, with
            right labels.
        out: Folder for records and adapters.
        settings: Sizes of the random part; the preset's when None, with the study's
            number of seeds.
        progress: Told how far it is.

    Returns:
        The measurements.

    Raises:
        StoreBusyError: If another run works in the folder.
    """
    say, folder = progress or Logged(), Path(out)
    settings = settings or replace(PRESETS[study.preset], seeds=study.seeds)
    with alone_in(folder):
        records = Records(folder / f"{NAME}.jsonl", surroundings())
        random = [
            {"spectrum": str(s), "d": d, "rows": settings.rows, "seed": seed}
            for s in Spectrum
            for d in settings.sizes
            for seed in range(settings.seeds)
        ]
        with say.stage(f"{NAME}: random gradients", len(random)) as advance:
            for key in random:
                records.cell(key, partial(_random, key))
                advance(1)
        units = [
            Unit(dataset, rank, 0, noisy=False)
            for dataset in study.datasets
            for rank in study.ranks
        ]
        real: list[Mapping[str, Any]] = []
        with say.stage(f"{NAME}: adapters", len(units)) as advance:
            for unit in units:
                key = {**unit.key(study), "blocks": "all"}
                records.cell(key, partial(_real, unit, study, folder))
                real.append(key)
                advance(1)
    return TheoremMeasured(settings, study, records, random, real)


def measure(g: Float[Tensor, "N d"]) -> dict[str, Any]:
    """Measure one block at every damping.

    Args:
        g: Its gradients.

    Returns:
        N, d, and by damping what `swap_error` says of the block scaled to a mean
        squared entry of one.
    """
    scaled = g.double()
    scaled = scaled / scaled.square().mean().sqrt()
    return {
        "rows": len(g),
        "d": g.shape[1],
        "by_damping": {
            f"{damping:g}": asdict(swap_error(scaled, damping=damping))
            for damping in DAMPINGS
        },
    }


def _random(key: Mapping[str, Any]) -> dict[str, Any]:
    g = spectral_gradients(
        Spectrum(key["spectrum"]), rows=key["rows"], size=key["d"], seed=key["seed"]
    )
    return measure(g)


def _real(unit: Unit, study: Study, out: Path) -> dict[str, Any]:
    """Measure every block of an adapter; one of zeros alone has no scale."""
    with opened(unit, study, out) as subject:
        found = dict(_blocks(subject.train))
    return {"blocks": found}


def _blocks(source: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    for name in source.layout.names:
        g = torch.cat([part.gradients[name] for part in source.rows([name])])
        if bool(g.any()):
            yield name, measure(g)
