"""Measure what `datainf clean --retrain` buys, over seeds, on data of known errors.

python -m scripts.clean_study --model M --data-dir DATA --datasets sst2,noisy_ag_news

For each data set and seed: rows drawn as `datainf reproduce mislabeled` draws them,
labels of sst2 flipped (20 %), those of noisy_ag_news wrong as they are; an adapter
trained; rows ranked by their influence on the validation rows; the most suspicious
share dropped; the recipe trained before, after, and without the rows known to be wrong
(oracle). Measured on the rows of the validation file that chose nothing. Each seed
is kept in its folder, and an interrupted study goes on.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from datainf.core.options import ScoreOptions
from datainf.core.run_config import DataConfig, RunConfig
from datainf.evaluation.seeds import seed_mean
from datainf.experiments.data.study_rows import SOURCES, study_rows
from datainf.experiments.presets import Study, study_of
from datainf.workflows.clean import clean
from datainf.workflows.run_file import RUN_FILE, resolve
from datainf.workflows.runs import mislabeled_run
from datainf.workflows.training import train_run

CLEANED = "better.jsonl"


def one_seed(
    name: str, seed: int, study: Study, asked: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    """Give the effects of one data set and seed, measured unless they are there."""
    folder = Path(asked.out) / f"{name}-s{seed}"
    told = folder / f"{CLEANED}.clean.json"
    if not told.is_file():
        _measure(name, seed, study, asked, folder)
    effects = json.loads(told.read_text(encoding="utf-8"))["bought"]["effects"]
    yield from ({"dataset": name, "seed": seed, **effect} for effect in effects)


def _measure(
    name: str, seed: int, study: Study, asked: argparse.Namespace, folder: Path
) -> None:
    """Train, rank, drop, train again."""
    source = SOURCES[name]
    rows = study_rows(
        name, study.sample, seed=seed, noisy=bool(source.truth), data_dir=asked.data_dir
    )
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for which, part in (("train", rows.train), ("validation", rows.validation)):
        files[which] = folder / f"{which}.jsonl"
        files[which].write_text("".join(json.dumps(row) + "\n" for row in part))
    noise: dict[str, Any] = {"truth": source.truth}
    if source.truth is None:
        noise = {"flip_labels": study.sample.flipped, "flip_seed": seed}
    train = DataConfig(data=str(files["train"]), **noise)
    adapter = folder / "adapter"
    if not (adapter / RUN_FILE).is_file():
        recipe = study.recipe_for(rank=study.ranks[0], seed=seed, rows=len(rows.train))
        train_run(
            RunConfig(
                model=asked.model,
                task=dict(rows.task),
                train=train,
                recipe=recipe,
                out=str(adapter),
            )
        )
    score = ScoreOptions(
        method=asked.method, normalize=asked.normalize, agreement=False
    )
    run = resolve({"adapter": str(adapter), "out": str(folder / "run")})
    mislabeled_run(
        RunConfig(
            **{
                **vars(run),
                "queries": DataConfig(data=str(files["validation"])),
                "score": score,
            }
        )
    )
    clean(
        folder / "run",
        folder / CLEANED,
        share=asked.share,
        retrain=True,
        test=str(Path(asked.data_dir) / name / "val.tsv"),
    )


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Average over seeds, with Student's interval of the effect."""
    found = []
    for key, part in table.groupby(["dataset", "measure", "change"], sort=False):
        mean, low, high = seed_mean(part["effect"])
        names = dict(zip(("dataset", "measure", "change"), key, strict=True))
        numbers = {"before": part["before"].mean(), "after": part["after"].mean()}
        ends = {"effect": mean, "low": low, "high": high, "seeds": len(part)}
        found.append({**names, **numbers, **ends})
    return pd.DataFrame(found)


def main(arguments: list[str] | None = None) -> None:
    """Measure, write `effects.csv` and `summary.csv`, and print the summary."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="the base: a folder or hub name")
    parser.add_argument("--data-dir", required=True, help="a folder a data set")
    parser.add_argument("--datasets", default="sst2,noisy_ag_news")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--train-rows", type=int, default=None)
    parser.add_argument("--epochs", type=int, default=None)
    parser.add_argument("--share", type=float, default=0.2, help="how much is dropped")
    parser.add_argument("--method", default="datainf")
    parser.add_argument("--normalize", default=None)
    parser.add_argument("--out", default="runs/clean-study")
    asked = parser.parse_args(arguments)
    study = study_of("small", rows=asked.train_rows, epochs=asked.epochs)
    effects = [
        effect
        for seed in range(asked.seeds)
        for name in asked.datasets.split(",")
        for effect in one_seed(name, seed, study, asked)
    ]
    table = pd.DataFrame(effects)
    found = summary(table)
    table.to_csv(Path(asked.out) / "effects.csv", index=False)
    found.to_csv(Path(asked.out) / "summary.csv", index=False)
    print(found.round(4).to_string(index=False))


if __name__ == "__main__":
    main()
