"""`datainf reproduce text-generation`: does influence find the query's own class?

The paper's experiment on language models (Kwon et al., ICLR 2024, Table 2): an adapter
learns ten classes of texts, and a held-out text's proponents should be of its class.
Every method of the table does it on the gradients of the completion, which is what the
adapter was trained on, and again on those of the prompt alone, as the published code
reads its data. Wordings that give the class away are compared with wordings that do
not, and everything with baselines that look at no gradient; means over seeds.

Cells: one a unit (task and wording, rank, seed), side and variant, kept in
`text-generation.jsonl`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datainf.core.checkpoint import Checkpoint
from datainf.core.errors import DatainfError
from datainf.core.options import Normalize, Output
from datainf.estimators.table import METHODS
from datainf.evaluation.baselines import random_scores, tfidf_scores
from datainf.evaluation.retrieval import class_detection
from datainf.experiments.cells import Key, Measured, Refused, measured
from datainf.experiments.exact_match import answers, exact_match
from datainf.experiments.meter import metered
from datainf.experiments.presets import Study
from datainf.experiments.units import Opened, Unit
from datainf.experiments.variants import Variant, defaults, refusals
from datainf.integrations.hidden_states import mean_hidden_states
from datainf.workflows.progress import Reporter
from datainf.workflows.score import score

NAME = "text-generation"
COMPLETION, PROMPT = "completion", "prompt"
BASELINES = ("TF-IDF of prompts", "TF-IDF of all", "embedding", "loss", "random")
# Here cg and auto are exact, and tracin is dot.
_LIKE_OTHERS = ("cg", "auto", "tracin")
ADAPTER: Key = {"method": "adapter", "options": {}}
"""The cell that says how well the adapter itself has learned."""


def units_of(study: Study) -> list[Unit]:
    """List the adapters of the experiment, seed by seed.

    Args:
        study: The settings.

    Returns:
        One a task, rank and seed, so that early seeds cover every task.
    """
    return [
        Unit(dataset, rank, seed, noisy=False)
        for seed in range(study.seeds)
        for dataset in study.datasets
        for rank in study.ranks
    ]


def variants_of(side: str) -> list[Variant]:
    """List what is compared on one side.

    Args:
        side: On completions every normalisation too, of methods that are not others
            in disguise; on prompts the methods alone, less those that read margins.

    Returns:
        The variants.
    """
    if side == PROMPT:
        margin = Output.MARGIN
        return [v for v in defaults() if METHODS[v.method].cls.output != margin]
    return [
        Variant(name, {} if one is Normalize.NONE else {"normalize": str(one)})
        for name in METHODS
        for one in Normalize
        if one is Normalize.NONE or name not in _LIKE_OTHERS
    ]


def keys_of() -> list[Key]:
    """List the cells of every unit."""
    sides = [
        {**variant.key, "side": side}
        for side in (COMPLETION, PROMPT)
        for variant in variants_of(side)
    ]
    return [ADAPTER, *({"method": name, "options": {}} for name in BASELINES), *sides]


def run(study: Study, out: str | Path, *, progress: Reporter | None = None) -> Measured:
    """Measure every cell that is not there yet.

    Args:
        study: The settings.
        out: Folder for records, adapters and, meanwhile, stores.
        progress: Told how far it is.

    Returns:
        The measurements.
    """
    return measured(
        NAME,
        study,
        out,
        units=units_of(study),
        keys=keys_of(),
        refused=refusals(variants_of(COMPLETION)),
        cells=_cells,
        progress=progress,
    )


def _cells(
    unit: Unit, subject: Opened, missing: Sequence[Key], refused: Refused
) -> Iterator[tuple[Key, dict[str, Any]]]:
    """Measure the missing cells of one unit.

    Yields:
        Key and result, one at a time, so that each is kept at once.
    """
    for key in missing:
        if key["method"] == ADAPTER["method"]:
            yield key, _adapter(unit, subject)
        elif key["method"] in _BASELINES:
            with metered() as spent:
                scores = _BASELINES[key["method"]](unit, subject)
            yield key, _found(scores, subject) | {"seconds": spent.seconds}
        else:
            try:
                sources = _sources(subject, key["method"], key["side"])
                with metered() as spent:
                    made = score(
                        *sources,
                        method=key["method"],
                        agreement=False,
                        **key["options"],
                    )
            except DatainfError as error:  # said at the end, and tried the next time
                label = Variant(key["method"], key["options"]).label
                refused[label] = str(error)
                continue
            solved = made.residual[np.isfinite(made.residual)]
            yield (
                key,
                {
                    **_found(made.values, subject),
                    "seconds": spent.seconds,
                    "residual": float(solved.max()) if len(solved) else None,
                },
            )


def _sources(subject: Opened, method: str, side: str) -> tuple[Any, ...]:
    """Give the gradients that a method is made of, as `score` takes them."""
    kind = METHODS[method].cls
    train, queries = (
        subject.prompts() if side == PROMPT else (subject.train, subject.validation)
    )
    if kind.output == Output.MARGIN:
        return subject.margins()
    if kind.needs_moments:
        return ([Checkpoint(train, queries, moments=subject.moments())],)
    return train, queries


def _found(scores: NDArray[np.floating], subject: Opened) -> dict[str, float]:
    """Measure how well scores find the query's class."""
    train, asked = (
        [row["class"] for row in part]
        for part in (subject.rows.train, subject.rows.validation)
    )
    found = class_detection(scores, train, asked)
    return {"auc": found.auc, "recall": found.recall}


def _adapter(unit: Unit, subject: Opened) -> dict[str, Any]:
    """Say how well the adapter has learned, and what it was measured on."""
    del unit
    model: Any = subject.subject.model
    rows, tokenizer = subject.rows.validation, subject.subject.tokenizer
    prompts = [row["prompt"] for row in rows]
    with model.disable_adapter():
        before = exact_match(answers(model, tokenizer, prompts), rows)
    after = exact_match(answers(model, tokenizer, prompts), rows)
    return {
        "rows": len(subject.train),
        "held_out_rows": len(rows),
        "parameters": sum(subject.train.layout.sizes.values()),
        "blocks": len(subject.train.layout.names),
        "before": before,
        "after": after,
        "train_loss": float(np.mean(subject.train.losses)),
        "held_out_loss": float(np.mean(subject.validation.losses)),
        "collect_seconds": subject.collect_seconds,
    }


def _tfidf(subject: Opened, *columns: str) -> NDArray[np.floating]:
    train, asked = (
        [" ".join(row[column] for column in columns) for row in part]
        for part in (subject.rows.train, subject.rows.validation)
    )
    return tfidf_scores(train, asked)


def _embedding(subject: Opened) -> NDArray[np.floating]:
    """Compare mean hidden states of the tuned model."""
    model, task = subject.subject.model, subject.subject.task
    train, asked = (
        mean_hidden_states(model, task, part).numpy()
        for part in (subject.rows.train, subject.rows.validation)
    )
    train, asked = (
        x / np.linalg.norm(x, axis=1, keepdims=True) for x in (train, asked)
    )
    return -(asked @ train.T)


def _loss(subject: Opened) -> NDArray[np.floating]:
    """Rank rows by their own loss, least first: the same for every query."""
    losses = np.asarray(subject.train.losses, dtype=np.float64)
    return np.tile(losses, (len(subject.validation), 1))


_BASELINES: Mapping[str, Callable[[Unit, Opened], NDArray[np.floating]]] = {
    "TF-IDF of prompts": lambda _, subject: _tfidf(subject, "prompt"),
    "TF-IDF of all": lambda _, subject: _tfidf(subject, "prompt", "completion"),
    "embedding": lambda _, subject: _embedding(subject),
    "loss": lambda _, subject: _loss(subject),
    "random": lambda unit, subject: random_scores(
        len(subject.validation), len(subject.train), seed=unit.seed
    ),
}
