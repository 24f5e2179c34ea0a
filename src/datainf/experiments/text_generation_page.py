"""The page of `datainf reproduce text-generation`, written from its records.

Every number and every sentence follows from the records; nothing is decided here.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from datainf.experiments.cells import ADAPTER, Measured
from datainf.experiments.class_finding import Claim, ClassFinding, Told
from datainf.experiments.class_finding_page import claims as claims_of
from datainf.experiments.class_finding_page import (
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
from datainf.experiments.data.rows import Wording
from datainf.experiments.data.text_tasks import TEXT_TASKS
from datainf.experiments.measuring import BASELINES
from datainf.experiments.tables import mean_text
from datainf.experiments.text_generation import NAME, variants
from datainf.experiments.units import Target
from datainf.experiments.variants import Variant

PAPER: Mapping[str, Told] = {
    "sentences": Told(8, {"dot": Claim(0.999, 0.985), "datainf": Claim(1, 0.997)}),
    "math": Told(8, {"dot": Claim(0.770, 0.258), "datainf": Claim(1, 0.999)}),
    "math-reason": Told(8, {"dot": Claim(0.772, 0.258), "datainf": Claim(1, 0.996)}),
}
"""Kwon et al. (2024), Table 2, by family; Hessian-free is `dot`."""
SAID: Mapping[Target, str] = {
    Target.TASK: "completion",
    Target.PROMPT: "prompt alone",
}
"""What the two gradients are of, in words."""
_SUMMED = ("dot", "datainf", "exact", "TF-IDF", "random")


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
        sides={str(target): said for target, said in SAID.items()},
        papers={name: PAPER[family] for name, (family, _) in TEXT_TASKS.items()},
        # The paper says the loss that training lowers, and its code read prompts.
        published=[str(target) for target in SAID],
    )


def rows(measured: Measured, group: Group) -> list[dict[str, Any]]:
    """Arrange what was measured on one task, best AUC of the completion first.

    Args:
        measured: The experiment.
        group: Task and rank.

    Returns:
        One mapping a variant and baseline: `auc` and `recall` a target, a seed each.
    """
    return finding(measured).rows(group)


def summary(measured: Measured) -> pd.DataFrame:
    """Arrange the page's tables as one.

    Args:
        measured: The experiment.

    Returns:
        One row a task, rank, variant and target.
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
    keys = [ADAPTER, *(v.key for v in (*map(Variant, BASELINES), *variants()))]
    parts = [
        "# Text generation: is the query's class first?",
        f"Preset `{study.preset}`: ten classes a task, one adapter a task and wording, "
        f"{study.seeds} seeds, each with rows and weights of its own. For every "
        "held-out query the training rows are ranked, its strongest proponents first: "
        "AUC is the chance that a row of the query's class comes before another row, "
        "recall the share of the class among as many first rows as it has; both are "
        "means over the queries. Intervals are 95 %, Student's t over the seeds.",
        f"Wordings: `{Wording.PAPER}`, where every class has words of its own, as "
        f"published; `{Wording.SHARED}`, where all classes use the same words and only "
        "their order tells the rule. *Completion*: gradients of the loss that training "
        "lowered. *Prompt alone*: of every token of the prompt, which is all that the "
        "published code read; the same adapter. *loss* (the highest first, whatever is "
        "asked), *TF-IDF*, *embedding* (mean hidden state) and *random* look at no "
        "gradient, and read the prompt with its completion, or the prompt alone. In "
        "the figure: methods by their own settings.",
        f"![AUC of every method]({NAME}.svg)",
        "## Beside Table 2",
        table_two(read, _SUMMED),
        "## In words",
        "\n".join(f"- {line}" for line in claims(measured)),
        *compared(measured),
        *repeats(read),
        *(part for group in groups(measured) for part in _section(read, group)),
        *left_out(measured),
        f"```\n{command}\n```",
        spent(measured, keys),
        makers(measured, keys),
    ]
    return "\n\n".join(parts) + "\n"


def claims(measured: Measured) -> list[str]:
    """Say whether Table 2 is reproduced: its order of the two methods, and its size.

    Args:
        measured: The experiment.

    Returns:
        One sentence a task, rank and gradient.
    """
    return claims_of(finding(measured))


def compared(measured: Measured) -> list[str]:
    """Say how methods compare on the same seeds, by each gradient.

    Args:
        measured: The experiment.

    Returns:
        Parts of a page, with a table of pairs.
    """
    names = (
        ("datainf", "scaled-dot"),
        ("exact", "datainf"),
        ("ekfac", "datainf"),
        ("cosine", "dot"),
        ("datainf", "TF-IDF"),
        ("datainf", "embedding"),
    )
    pairs = [(Variant(first), Variant(second)) for first, second in names]
    return pairs_table(finding(measured), pairs)


def _section(read: ClassFinding, group: Group) -> list[str]:
    """Write what was measured on one task."""
    dataset, rank = group
    measured = read.measured
    adapters = cells(measured, group, ADAPTER)
    if not adapters:
        return [f"## {dataset}, r = {rank}", "Nothing is measured yet."]
    facts = adapters[0]
    before, after, trained, held_out = (
        [one[name] for one in adapters]
        for name in (
            "exact_match_before",
            "exact_match",
            "train_loss",
            "validation_loss",
        )
    )
    return [
        f"## {dataset}, r = {rank}",
        f"{facts['rows']} rows, {facts['queries']} queries; {facts['parameters']:,} "
        f"parameters in {facts['blocks']} blocks. Held-out exact match "
        f"{mean_text(before)} before training, {mean_text(after)} after; mean loss "
        f"{np.mean(trained):.2f} in training, {np.mean(held_out):.2f} held out.",
        *table(read, group),
    ]
