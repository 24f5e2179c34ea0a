"""The page of `datainf reproduce text-to-image`, written from its records.

Every number and every sentence follows from the records; nothing is decided here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from datainf.core.task_options import Measure
from datainf.experiments.cells import ADAPTER, Measured
from datainf.experiments.class_finding import Claim, ClassFinding, Told
from datainf.experiments.class_finding_page import (
    claims,
    pairs_table,
    repeats,
    table,
    table_two,
)
from datainf.experiments.comparing import (
    Group,
    cells,
    groups,
    left_out,
    makers,
    spent,
)
from datainf.experiments.data.picture_tasks import PICTURE_TASKS
from datainf.experiments.drawn import DRAWN
from datainf.experiments.presets import Study
from datainf.experiments.tables import listed, mean_text, short
from datainf.experiments.text_generation import variants
from datainf.experiments.text_to_image import BASELINES, NAME, PASSES
from datainf.experiments.text_to_image_timesteps import timesteps_words
from datainf.experiments.variants import Variant

_STYLE = Told(1, {"dot": Claim(0.692, 0.533), "datainf": Claim(0.820, 0.687)})
_SUBJECT = Told(4, {"dot": Claim(0.820, 0.210), "datainf": Claim(0.865, 0.315)})
PAPER: Mapping[str, Told] = {
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
        published=[str(Measure.LOSS)],
    )


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
    keys = [ADAPTER, DRAWN, PASSES, *(variant.key for variant in read.every)]
    parts = [
        "# Text to image: is the query's class first?",
        f"Preset `{study.preset}`: one adapter a task on the attention layers, "
        f"{study.seeds} seeds, each with weights of its own. {_pictures_of(study)} For "
        "every held-out picture with its prompt the training pictures are ranked, its "
        "strongest proponents first: AUC is the chance that a picture of the query's "
        "class comes before another, recall the share of the class among as many first "
        "pictures as it has; both are means over the queries. Intervals are 95 %, "
        "Student's t over the seeds.",
        *([_SMALL] if study.model is None else []),
        "*Loss*: gradients of the loss that training lowers, over "
        f"{study.task.get('timesteps', 'as many as usual')} timesteps, the same noise "
        "for every picture. *Square*: of the mean square of what the "
        "denoiser says (D-TRAK). *loss* (the highest first, whatever is asked, so .5 "
        "by construction), *TF-IDF* of the captions, *pixels* (place by place) and "
        "*colours* (histograms) of what the model sees, *features* (of the tuned "
        "denoiser's middle block) and *random* look at no gradient. Captions name the "
        "style or the subject, so TF-IDF is told the answer; the gradients and "
        "*features* see the caption too, through the cross-attention. In the figure: "
        "methods by their own settings.",
        f"![AUC of every method]({NAME}.svg)",
        "## Beside Table 2",
        table_two(read, _SUMMED),
        "The notebook of the published code has .612 for Hessian-free and .599 for "
        "DataInf on the styles.",
        "## In words",
        "\n".join(f"- {line}" for line in claims(read)),
        *pairs_table(read, _PAIRS),
        *repeats(read),
        "## How many timesteps",
        *timesteps_words(measured),
        *(part for group in groups(measured) for part in _section(read, group)),
        *left_out(measured),
        f"```\n{command}\n```",
        spent(measured, keys),
        makers(measured, keys),
    ]
    return "\n\n".join(parts) + "\n"


_SMALL = (
    "The pipeline is a thousandth of Stable Diffusion's size and draws 32 × 32 pixels. "
    "Its adapter draws the cartoons' outlines, sketches hardly, and the subjects not "
    "so that one would know them: what is measured here need not hold for a large one."
)
_PAIRS = [
    (Variant(first), Variant(second))
    for first, second in (
        ("datainf", "scaled-dot"),
        ("exact", "dot"),
        ("exact", "datainf"),
        ("ekfac", "datainf"),
        ("cosine", "dot"),
        # Losses and chance are .5 by construction.
        *(("datainf", name) for name in BASELINES if name not in ("loss", "random")),
    )
]


def _pictures_of(study: Study) -> str:
    """Say what a seed changes of the pictures."""
    drawn = [name for name in study.datasets if PICTURE_TASKS[name].ours]
    given = [name for name in study.datasets if name not in drawn]
    said = []
    if drawn:
        said.append(f"Each draws its own pictures of {listed(drawn)}.")
    if given:
        said.append(
            f"Of {listed(given)} every seed has the same photos or pictures, split "
            "anew into shown and asked: its intervals say nothing of other ones."
        )
    if "subjects" in given:
        said.append(
            "Captions of subjects, `a photo of s1 dog`, say a name and the last word "
            "of DreamBooth's folder that the base knows, else toy, and not always "
            "rightly: the backpack of `backpack_dog` is called dog, "
            "`pink_sunglasses` toy."
        )
    return " ".join(said)


def _section(read: ClassFinding, group: Group) -> list[str]:
    """Write what was measured on one task."""
    dataset, rank = group
    measured = read.measured
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
        f"training, {mean_text(after)} after; {mean_text(trained)} in training. "
        f"{_trained_in(adapters)}",
        *_pictures(measured, group),
        *table(read, group),
    ]


def _trained_in(adapters: Sequence[Mapping[str, Any]]) -> str:
    known = [one["train_seconds"] for one in adapters if one.get("train_seconds")]
    if not known:
        return "How long training took is not recorded."
    return f"Training took {short(float(np.median(known)))} s (median)."


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
