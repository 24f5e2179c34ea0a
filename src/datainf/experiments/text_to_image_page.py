"""The page of `datainf reproduce text-to-image`, written from its records.

Every number and every sentence follows from the records; nothing is decided here.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from datainf.core.task_options import Measure
from datainf.experiments.cells import ADAPTER, Measured
from datainf.experiments.class_finding import Claim, ClassFinding
from datainf.experiments.comparing import (
    Group,
    cells,
    groups,
    left_out,
    makers,
)
from datainf.experiments.drawn import DRAWN
from datainf.experiments.tables import markdown_table, mean_text, share
from datainf.experiments.text_generation import variants
from datainf.experiments.text_to_image import (
    BASELINES,
    NAME,
    PASSES,
    REFERENCE,
    TIMESTEPS,
)
from datainf.experiments.variants import Variant

_STYLE = {"dot": Claim(0.692, 0.533), "datainf": Claim(0.820, 0.687)}
_SUBJECT = {"dot": Claim(0.820, 0.210), "datainf": Claim(0.865, 0.315)}
PAPER: Mapping[str, Mapping[str, Claim]] = {
    "styles": _STYLE,
    "styles-hub": _STYLE,
    "subjects": _SUBJECT,
}
"""Kwon et al. (2024), Table 2; Hessian-free is `dot`."""
SAID: Mapping[Measure, str] = {Measure.LOSS: "loss", Measure.SQUARE: "square"}
"""What the two gradients are of, in words."""
_SUMMED = ("dot", "datainf", "exact", "ekfac", *BASELINES)


def finding(measured: Measured) -> ClassFinding:
    """Read the records as an experiment of Table 2.

    Args:
        measured: The experiment.

    Returns:
        Them.
    """
    return ClassFinding(
        measured,
        variants=variants(),
        baselines=BASELINES,
        sides={str(measure): said for measure, said in SAID.items()},
        papers=PAPER,
    )


def passes(measured: Measured, group: Group) -> dict[int, dict[str, list[float]]]:
    """Arrange how much rankings depend on their passes.

    Args:
        measured: The experiment.
        group: Task and rank.

    Returns:
        Timesteps -> `spearman` and `overlap`, a seed each; empty where none is
        measured.
    """
    results = [one for one in cells(measured, group, PASSES) if one]
    if not results:
        return {}
    return {
        timesteps: {
            key: [one[str(timesteps)][key] for one in results]
            for key in ("spearman", "overlap")
        }
        for timesteps in TIMESTEPS
    }


def summary(measured: Measured) -> pd.DataFrame:
    """Arrange the page's tables as one.

    Args:
        measured: The experiment.

    Returns:
        One row a task, rank, variant and measure.
    """
    return finding(measured).summary()


def page(measured: Measured, command: str) -> str:
    """Write the page.

    Args:
        measured: The experiment.
        command: What was typed, without places on a machine.

    Returns:
        Markdown.
    """
    study, read = measured.study, finding(measured)
    parts = [
        "# Text to image: is the query's class first?",
        f"Preset `{study.preset}`: one adapter a task on the attention layers, "
        f"{study.seeds} seeds, each with pictures and weights of its own. For every "
        "held-out picture with its prompt the training pictures are ranked, its "
        "strongest proponents first: AUC is the chance that a picture of the query's "
        "class comes before another, recall the share of the class among as many first "
        "pictures as it has; both are means over the queries. Intervals are 95 %, "
        "Student's t over the seeds.",
        "*Loss*: gradients of the loss that training lowers, over "
        f"{study.task.get('timesteps', 'as many as usual')} timesteps, the same noise "
        "for every picture. *Square*: of the mean square of what the "
        "denoiser says (D-TRAK). *loss* (the highest first, whatever is asked), "
        "*TF-IDF* of the captions, *pixels* (place by place), *colours* (histograms), "
        "*features* (of the tuned denoiser's middle block) and *random* look at no "
        "gradient. Captions name the style or the subject, so TF-IDF is told the "
        "answer. In the figure: methods by their own settings.",
        f"![AUC of every method]({NAME}.svg)",
        "## Beside Table 2",
        read.table_two(_SUMMED),
        "The notebook of the published code has .612 for Hessian-free and .599 for "
        "DataInf on the styles.",
        "## In words",
        "\n".join(f"- {line}" for line in (*read.claims(), *verdicts(measured))),
        "## How many timesteps",
        *_timesteps(measured),
        *(part for group in groups(measured) for part in _section(measured, group)),
        *left_out(measured),
        f"```\n{command}\n```",
        makers(measured, [ADAPTER, PASSES, *(v.key for v in variants())]),
    ]
    return "\n\n".join(parts) + "\n"


def verdicts(measured: Measured) -> list[str]:
    """Say in words how methods compare, by the gradients of the loss.

    Args:
        measured: The experiment.

    Returns:
        One sentence a comparison: pairs of methods on the same seeds, and the two
        gradients of one method.
    """
    names = (
        ("datainf", "scaled-dot"),
        ("exact", "dot"),
        ("exact", "datainf"),
        ("ekfac", "datainf"),
        ("cosine", "dot"),
        *(("datainf", name) for name in BASELINES if name != "random"),
    )
    pairs = [(Variant(first), Variant(second)) for first, second in names]
    return finding(measured).verdicts(pairs)


def _timesteps(measured: Measured) -> list[str]:
    """Write how much a ranking depends on its passes."""
    lines = []
    for group in groups(measured):
        found = passes(measured, group)
        for timesteps, one in found.items():
            lines.append(
                [
                    f"{group[0]}, r = {group[1]}",
                    str(timesteps),
                    share(float(np.mean(one["spearman"]))),
                    share(float(np.mean(one["overlap"]))),
                    str(len(one["spearman"])),
                ]
            )
    if not lines:
        return ["Nothing is measured yet."]
    head = ["task", "timesteps", "Spearman", "top 10 kept", "seeds"]
    return [
        f"`datainf` by fewer timesteps beside the same by {REFERENCE} at another noise "
        "(Spearman over the training pictures, mean over queries), and how much of a "
        "query's ten strongest proponents stays with another seed of the noise.",
        f"![Rankings by timesteps]({NAME}-timesteps.svg)",
        markdown_table(head, lines),
    ]


def _section(measured: Measured, group: Group) -> list[str]:
    """Write what was measured on one task."""
    dataset, rank = group
    adapters = cells(measured, group, ADAPTER)
    if not adapters:
        return [f"## {dataset}, r = {rank}", "Nothing is measured yet."]
    facts = adapters[0]
    before, after, trained = (
        [one[name] for one in adapters]
        for name in ("validation_loss_before", "validation_loss", "train_loss")
    )
    return [
        f"## {dataset}, r = {rank}",
        f"{facts['rows']} training pictures of {facts['classes']} classes, "
        f"{facts['queries']} queries; {facts['parameters']:,} parameters in "
        f"{facts['blocks']} blocks. Mean loss held out {mean_text(before)} before "
        f"training, {mean_text(after)} after; {mean_text(trained)} in training.",
        *_pictures(measured, group),
        finding(measured).table(group),
    ]


def _pictures(measured: Measured, group: Group) -> list[str]:
    """Show what the adapter draws, and what taught it, where there are pictures."""
    found: list[str] = []
    for one in cells(measured, group, DRAWN)[:1]:
        found += [_picture(group, key, one) for key in ("drawn", "explained")]
    return [text for text in found if text]


def _picture(group: Group, key: str, cell: Mapping[str, Any]) -> str:
    if not cell[key]:
        return ""
    said = {
        "drawn": "Drawn by the base and with the adapter, from the same noise",
        "explained": "The strongest proponents and opponents of three queries",
    }[key]
    return f"![{said}]({NAME}-{group[0]}-r{group[1]}-{key}.svg)"
