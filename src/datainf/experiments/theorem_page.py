"""The page and the figure of `datainf reproduce theorem`, written from its records.

Every number and every sentence follows from the records; nothing is decided here.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan, nan
from typing import Any

import numpy as np
import pandas as pd

from datainf.evaluation.seeds import SeedMean, seed_mean
from datainf.experiments.data.spectra import Spectrum
from datainf.experiments.tables import DASH, listed, markdown_table
from datainf.experiments.theorem import DAMPINGS, NAME, TheoremMeasured
from datainf.reports.figure import Panel, Series, figure, linear_axis, log_axis

PAPER_DAMPING = "0.1"
BOUND = 2.0
"""The exponent of d in Theorem 1."""
_ROUNDING = 1e-10


@dataclass(frozen=True)
class Curve:
    """The error of one kind of gradients.

    Attributes:
        name: What kind.
        runs: Seed or block -> d -> damping -> what `swap_error` said.
    """

    name: str
    runs: Mapping[str, Mapping[int, Mapping[str, Mapping[str, float]]]]

    @property
    def sizes(self) -> list[int]:
        """Every d, rising."""
        return sorted({d for run in self.runs.values() for d in run})

    def mean(
        self, of: Callable[[Mapping[str, float]], float], d: int, damping: str
    ) -> float:
        """Average over the runs at one d and damping."""
        found = [of(run[d][damping]) for run in self.runs.values() if d in run]
        return float(np.mean(found))

    def exponent(self, damping: str) -> SeedMean:
        """Fit error ∝ dᵖ in each run by least squares of the logarithms."""
        slopes = []
        for run in self.runs.values():
            if len(run) > 1:
                errors = [run[d][damping]["error"] for d in sorted(run)]
                slopes.append(np.polyfit(np.log(sorted(run)), np.log(errors), 1)[0])
        return seed_mean(slopes) if slopes else SeedMean(nan, nan, nan)


def error(found: Mapping[str, float]) -> float:
    """Give ‖(mean S_i)⁻¹ − mean S_i⁻¹‖₂, for a mean squared entry of one."""
    return found["error"]


def relative(found: Mapping[str, float]) -> float:
    """Give the error relative to ‖(mean S_i)⁻¹‖₂."""
    return found["error"] / found["inverse"]


def curves(measured: TheoremMeasured) -> tuple[list[Curve], list[Curve]]:
    """Arrange the cells.

    Args:
        measured: The experiment.

    Returns:
        The random kinds, and the real ones: the A and the B matrices of each data set,
        a run being a matrix whose d grows with the rank.
    """
    records = measured.records
    random: dict[str, dict[str, dict[int, Any]]] = {str(s): {} for s in Spectrum}
    for key in measured.random:
        run = random[key["spectrum"]].setdefault(str(key["seed"]), {})
        run[key["d"]] = records[key]["by_damping"]
    real: dict[str, dict[str, dict[int, Any]]] = defaultdict(dict)
    for key in measured.real:
        for name, block in records[key]["blocks"].items():
            for kind in ("lora_A", "lora_B"):
                if kind in name:
                    run = real[f"{key['dataset']} {kind}"].setdefault(name, {})
                    run[block["d"]] = block["by_damping"]
    return (
        [Curve(name, runs) for name, runs in random.items()],
        [Curve(name, runs) for name, runs in real.items()],
    )


def facts(measured: TheoremMeasured) -> dict[str, float]:
    """Look at what can be proved, in every matrix that was measured.

    Args:
        measured: The experiment.

    Returns:
        `matrices`, the largest `trace` of M, the smallest eigenvalues of M and of
        λ(P − true inverse), and the largest `bounded` = error × λ.
    """
    cells = [measured.records[key]["by_damping"] for key in measured.random]
    for key in measured.real:
        blocks = measured.records[key]["blocks"].values()
        cells += [block["by_damping"] for block in blocks]
    found = [one for cell in cells for one in cell.items()]
    return {
        "matrices": len(found),
        "trace": max(one["trace"] for _, one in found),
        "least_of_m": min(one["least_of_m"] for _, one in found),
        "least_gap": min(one["least_gap"] for _, one in found),
        "bounded": max(one["error"] * float(damping) for damping, one in found),
    }


def verdict(curve: Curve) -> str:
    """Say in words how the error of one kind grows, by the numbers.

    Args:
        curve: Its measurements.

    Returns:
        One or two sentences.
    """
    p, sizes = curve.exponent(PAPER_DAMPING), curve.sizes
    first, last = (curve.mean(error, d, PAPER_DAMPING) for d in (sizes[0], sizes[-1]))
    if isnan(p.mean):
        return (
            f"**{curve.name}**: measured at one d alone, which says nothing of growth."
        )
    if isnan(p.low):
        way = f"changes like d^{p.mean:.2f} (one run)"
    elif p.low > 0:
        way = f"grows like d^{p.mean:.2f} ({p.low:.2f} to {p.high:.2f})"
    elif p.high < 0:
        way = f"falls like d^{p.mean:.2f} ({p.low:.2f} to {p.high:.2f})"
    else:
        way = f"shows no growth: d^{p.mean:.2f} ({p.low:.2f} to {p.high:.2f})"
    allowed = (sizes[-1] / sizes[0]) ** BOUND
    grown = last / first
    if grown > allowed:
        holds = f"more than the factor {allowed:.0f} of d²"
    else:
        holds = f"where d² allows a factor {allowed:.0f}"
    part = curve.mean(relative, sizes[-1], PAPER_DAMPING)
    return (
        f"**{curve.name}**: from d = {sizes[0]} to {sizes[-1]} the error {way}, a "
        f"factor {grown:.2f} {holds}. At d = {sizes[-1]} it is {part:.0%} of the true "
        "inverse's norm."
    )


def proved(found: Mapping[str, float]) -> str:
    """Say whether what can be proved was met in the numbers.

    Args:
        found: What `facts` gave.

    Returns:
        Sentences.
    """
    met = found["trace"] < 1 and found["least_of_m"] > -_ROUNDING
    above = found["least_gap"] > -_ROUNDING
    return (
        f"In all {found['matrices']} matrices: λP = I − M with tr M below one: "
        f"**{'met' if met else 'NOT MET'}** (largest tr M {found['trace']:.4f}, "
        f"smallest eigenvalue of M {found['least_of_m']:.0e}). P ⪰ (mean S_i)⁻¹: **"
        f"{'met' if above else 'NOT MET'}** (smallest eigenvalue of the difference, "
        f"times λ, {found['least_gap']:.0e}). So the error never exceeds 1/λ, at "
        f"any d: the largest was {found['bounded']:.3f}/λ."
    )


def page(measured: TheoremMeasured, command: str) -> str:
    """Write the page.

    Args:
        measured: The experiment.
        command: What was typed, without places on a machine.

    Returns:
        Markdown.
    """
    random, real = curves(measured)
    sizes = measured.settings
    rows = sorted(
        {
            block["rows"]
            for key in measured.real
            for block in measured.records[key]["blocks"].values()
        }
    )
    names = listed(
        [key["dataset"] for key in measured.real[:: len(measured.study.ranks)]]
    )
    parts = [
        "# Theorem 1: the mean of inverses",
        "DataInf replaces (mean S_i)⁻¹ by P = mean S_i⁻¹, S_i = g_i g_iᵀ + λI. The "
        "paper's Theorem 1 bounds the spectral norm of the difference by O(d²) for "
        "bounded gradients and λ. Here it is measured: every block is scaled to a mean "
        "squared entry of one, so that entries are bounded alike at every d and λ is "
        "the damping (the paper's is 0.1). Random gradients: "
        f"N = {sizes.rows}, {sizes.seeds} seeds. Real ones: every LoRA matrix of "
        f"adapters on {names}, N = {listed([str(n) for n in rows])}, ranks "
        f"{listed([str(r) for r in measured.study.ranks])}; d grows with the rank.",
        f"![The error against d and λ]({NAME}.svg)",
        "The line O(d²) has no constant of its own: it starts at the first point.",
        "## What it says",
        "Exponents are fitted at damping 0.1, with a 95 % interval over seeds (random) "
        "or over matrices of one adapter's shape (real).",
        "\n".join(f"- {verdict(curve)}" for curve in (*random, *real)),
        _on_damping([*random, *real]),
        "## What can be proved",
        proved(facts(measured)),
        "## The numbers",
        "Error relative to the norm of the true inverse, at the largest d of each "
        "kind, by damping:",
        markdown_table(
            ["gradients", "d", *(f"{x:g}" for x in DAMPINGS), "exponent of d at 0.1"],
            [_row(curve) for curve in (*random, *real)],
        ),
        f"```\n{command}\n```",
        measured.records.spent([*measured.random, *measured.real]),
        "\n".join(measured.records.makers([*measured.random, *measured.real])),
    ]
    return "\n\n".join(parts) + "\n"


def summary(measured: TheoremMeasured) -> pd.DataFrame:
    """Arrange the figures of the page as a table.

    Args:
        measured: The experiment.

    Returns:
        One row a kind of gradients and damping, at its largest d.
    """
    found = [curve for part in curves(measured) for curve in part]
    return pd.DataFrame(
        [
            {
                "gradients": curve.name,
                "d": curve.sizes[-1],
                "damping": damping,
                "relative error": curve.mean(relative, curve.sizes[-1], f"{damping:g}"),
                "exponent of d": curve.exponent(f"{damping:g}").mean,
            }
            for curve in found
            for damping in DAMPINGS
        ]
    )


def _on_damping(found: Sequence[Curve]) -> str:
    """Say what raising the damping does to the relative error."""
    low, high = (f"{x:g}" for x in (DAMPINGS[0], DAMPINGS[-1]))
    ends = [
        [curve.mean(relative, curve.sizes[-1], x) for curve in found]
        for x in (low, high)
    ]
    falls = sum(b < a for a, b in zip(*ends, strict=True))
    return (
        f"From damping {low} to {high} the relative error at the largest d falls in "
        f"{falls} of {len(found)} kinds, from {min(ends[0]):.0%}–{max(ends[0]):.0%} to "
        f"{min(ends[1]):.0%}–{max(ends[1]):.0%}."
    )


def _row(curve: Curve) -> list[str]:
    p, d = curve.exponent(PAPER_DAMPING), curve.sizes[-1]
    parts = [f"{curve.mean(relative, d, f'{x:g}'):.3f}" for x in DAMPINGS]
    return [
        curve.name,
        str(d),
        *parts,
        DASH if isnan(p.mean) else f"{p.mean:.2f} ({p.low:.2f} to {p.high:.2f})",
    ]


def drawing(measured: TheoremMeasured) -> str:
    """Draw error against d, and relative error against λ.

    Args:
        measured: The experiment.

    Returns:
        The SVG.
    """
    random, real = curves(measured)
    panels = []
    for title, found in (("random gradients", random), ("LoRA gradients", real)):
        if found:
            panels += [_against_size(title, found), _against_damping(title, found)]
    return figure(panels, title="The mean of inverses for the inverse of the mean")


def _against_size(title: str, found: Sequence[Curve]) -> Panel:
    sizes = sorted({d for curve in found for d in curve.sizes})
    series = [
        Series(
            curve.name,
            tuple((d, curve.mean(error, d, PAPER_DAMPING)) for d in curve.sizes),
            colour=i,
        )
        for i, curve in enumerate(found)
    ]
    start = max(one.points[0][1] for one in series)
    bound = [(d, start * (d / sizes[0]) ** BOUND) for d in (sizes[0], sizes[-1])]
    limit = 1 / float(PAPER_DAMPING)
    series += [
        Series("O(d²)", tuple(bound), dashed=True, colour=6),
        Series("1/λ", ((sizes[0], limit), (sizes[-1], limit)), dashed=True, colour=5),
    ]
    heights = [y for one in series for _, y in one.points]
    return Panel(
        f"{title}, damping {PAPER_DAMPING}",
        log_axis("parameters of the block, d", sizes),
        log_axis("spectral error (1/mean squared entry)", heights),
        tuple(series),
    )


def _against_damping(title: str, found: Sequence[Curve]) -> Panel:
    series = tuple(
        Series(
            f"{curve.name}, d = {curve.sizes[-1]}",
            tuple(
                (x, curve.mean(relative, curve.sizes[-1], f"{x:g}")) for x in DAMPINGS
            ),
            colour=i,
        )
        for i, curve in enumerate(found)
    )
    return Panel(
        f"{title}, largest d",
        log_axis("damping (λ / mean squared entry)", DAMPINGS),
        linear_axis("error / norm of the true inverse", [0, 1]),
        series,
    )
