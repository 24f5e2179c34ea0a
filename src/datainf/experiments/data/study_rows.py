"""Rows of the paper's experiments: real data with flipped labels, or the demo's own.

Which rows a seed gets, and which of their labels are flipped, follow from the seed and
from what stands in the rows. Every row says whether it is `wrong`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datainf.core.errors import DataError, OptionError, near
from datainf.core.run_config import DataConfig
from datainf.experiments.data.math_problems import math_problems
from datainf.experiments.data.picture_tasks import PICTURE_TASKS, picture_rows
from datainf.experiments.data.sentence_transformations import sentence_transformations
from datainf.experiments.data.text_tasks import TEXT_TASKS, text_rows
from datainf.experiments.presets import Sample
from datainf.integrations.examples import load_examples
from datainf.integrations.label_noise import FLIPPED, flip_labels

DEMO = "demo-lm"
"""The small language model of the demo, on its generated tasks."""
_DEMO_PLANTED = 0.1
TRAINING = ("train",)
HELD_OUT = ("validation", "val", "dev", "test")


@dataclass(frozen=True)
class Source:
    """Where a data set comes from.

    Attributes:
        hub: Its name on the hub, with the configuration; None where it has none.
        classes: Number of classes; 0 for texts without labels, which no study of
            labels takes.
        truth: Column of the right labels, where the noise is real.
    """

    hub: str | None
    classes: int
    truth: str | None = None


SOURCES: Mapping[str, Source] = {
    "sst2": Source("nyu-mll/glue:sst2", 2),
    "mrpc": Source("nyu-mll/glue:mrpc", 2),
    "qnli": Source("nyu-mll/glue:qnli", 2),
    "qqp": Source("nyu-mll/glue:qqp", 2),
    "noisy_ag_news": Source(None, 4, "gt"),
    "gsm8k": Source("openai/gsm8k:main", 0),
}


@dataclass(frozen=True)
class StudyRows:
    """The rows of one seed.

    Attributes:
        train: Training rows, each with `wrong`.
        validation: Rows with right labels.
        task: Settings of their task.
    """

    train: list[dict[str, Any]]
    validation: list[dict[str, Any]]
    task: Mapping[str, Any]


def study_rows(
    name: str, sample: Sample, *, seed: int, noisy: bool, data_dir: str | None
) -> StudyRows:
    """Draw the rows of one seed.

    Args:
        name: A data set of `SOURCES`, `demo-lm`, or one of `TEXT_TASKS` and
            `PICTURE_TASKS`, which have no noise.
        sample: How many rows, how long, how noisy.
        seed: Draws rows and flips.
        noisy: Whether labels are wrong; with real noise, whether it is left in.
        data_dir: Folder that holds a folder `name` with `train` and `val` files; the
            hub when None.

    Returns:
        The rows.

    Raises:
        OptionError: If there is no such data set, or it must lie in a folder.
    """
    if name == DEMO:
        return _demo(sample, seed=seed, noisy=noisy)
    if name in TEXT_TASKS and not noisy:
        count, held_out = sample.rows, sample.validation_rows
        parts = text_rows(name, rows=count, held_out=held_out, seed=seed)
        train, validation = ([{**row, "wrong": False} for row in p] for p in parts)
        return StudyRows(train, validation, {"name": "causal-lm"})
    if name in PICTURE_TASKS and not noisy:
        train, validation = picture_rows(
            name,
            rows=sample.rows,
            held_out=sample.validation_rows,
            seed=seed,
            data_dir=data_dir,
        )
        return StudyRows(train, validation, {"name": "text-to-image"})
    labelled = [known for known, source in SOURCES.items() if source.classes]
    if name not in labelled:
        known = near(name, [*labelled, DEMO])
        raise OptionError(f"data set {name!r} is unknown: {known}.")
    source = SOURCES[name]
    drawn, validation = (
        _drawn(rows_of(name, data_dir, splits), count, sample.max_words, seed)
        for splits, count in (
            (TRAINING, sample.rows),
            (HELD_OUT, sample.validation_rows),
        )
    )
    if source.truth is not None:
        rows = [settled(row, source.truth, noisy=noisy) for row in drawn]
    elif noisy:
        flipped, _ = flip_labels(drawn, "label", sample.flipped, seed, source.classes)
        rows = [
            {key: value for key, value in row.items() if key != FLIPPED}
            | {"wrong": bool(row[FLIPPED])}
            for row in flipped
        ]
    else:
        rows = [{**row, "wrong": False} for row in drawn]
    task = {
        "name": "sequence-classification",
        "num_labels": source.classes,
        "max_length": sample.max_length,
    }
    return StudyRows(rows, [dict(row) for row in validation], task)


def text_of(row: Mapping[str, Any]) -> str:
    """Join what a model reads of a row: its texts, and not the name of its class.

    Args:
        row: A row of `StudyRows`.

    Returns:
        The text.
    """
    texts = (v for key, v in row.items() if isinstance(v, str) and key != "class")
    return " ".join(texts)


def rows_of(name: str, data_dir: str | None, splits: Sequence[str]) -> Any:
    """Load the rows of a data set, by the first name of a split that is there.

    Args:
        name: Of `SOURCES`.
        data_dir: Folder that holds a folder `name`; the hub when None.
        splits: The names, such as `TRAINING` or `HELD_OUT`.

    Returns:
        The rows.

    Raises:
        OptionError: If the data set must lie in a folder.
        DataError: If it is not there.
    """
    hub = SOURCES[name].hub
    if data_dir is None and hub is None:
        raise OptionError(
            f"data set {name!r} is on no hub; give its folder with --data-dir."
        )
    place = str(hub) if data_dir is None else str(Path(data_dir) / name)
    if data_dir is not None and not Path(place).is_dir():
        raise DataError(
            f"{place} is no folder; --data-dir must hold a folder {name} with files "
            "such as train.tsv and val.tsv."
        )
    failed: DataError | None = None
    for split in splits:
        try:
            return load_examples(DataConfig(data=place, split=split))
        except DataError as error:
            failed = failed or error
    raise failed or DataError(f"{place} has no rows.")


def is_short(row: Mapping[str, Any], max_words: int | None) -> bool:
    """Say whether the texts of a row have few enough words.

    Args:
        row: The row.
        max_words: Most words of all its texts; None for any number.

    Returns:
        Whether it is taken.
    """
    if max_words is None:
        return True
    return sum(len(v.split()) for v in row.values() if isinstance(v, str)) <= max_words


def _drawn(dataset: Any, count: int, max_words: int | None, seed: int) -> Any:
    """Choose short enough rows by chance; all where there are no more than asked."""
    short = [i for i, row in enumerate(dataset) if is_short(row, max_words)]
    if not short:
        raise DataError(
            f"no row of {len(dataset)} has at most {max_words} words; give other data."
        )
    order = np.random.default_rng(seed).permutation(short)[:count]
    return dataset.select([int(i) for i in sorted(order)])


def settled(row: Mapping[str, Any], truth: str, *, noisy: bool) -> dict[str, Any]:
    """Keep the noisy label and say whether it is wrong, or take the right one.

    Args:
        row: A row with real noise.
        truth: Column of the right label.
        noisy: Whether the noise is left in.

    Returns:
        The row with `wrong`.
    """
    if noisy:
        return {**row, "wrong": row["label"] != row[truth]}
    return {**row, "label": row[truth], "wrong": False}


def _demo(sample: Sample, *, seed: int, noisy: bool) -> StudyRows:
    """Generate the demo's two families, in the wording that all classes share."""
    train: list[dict[str, Any]] = []
    validation: list[dict[str, Any]] = []
    for generate in (sentence_transformations, math_problems):
        rows, held_out = generate(
            n_train_per_class=max(1, sample.rows // 20),
            n_test_per_class=max(1, sample.validation_rows // 40),
            seed=seed,
            wording="shared",
            planted=_DEMO_PLANTED if noisy else 0.0,
        )
        train += [{**row, "wrong": row["planted"]} for row in rows]
        validation += held_out
    return StudyRows(train, validation, {"name": "causal-lm"})
