"""The demo: fine-tune a small adapter, see who taught what, find planted errors.

The paper's two generated text tasks (ten chatbots, ten kinds of word problems) in a
wording that all classes share, so that counting words cannot answer; some training rows
carry a wrong completion. The base is the small Llama shipped with the package.
Everything runs through the same workflows that users call, and leaves a finished run:
`datainf top`, `clean` and `ui` take its folder.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from datainf.core.durable import write_durably
from datainf.core.options import ScoreOptions
from datainf.core.recipe import Recipe
from datainf.core.records import Scores
from datainf.core.run_config import DataConfig, RunConfig
from datainf.evaluation.baselines import random_scores, tfidf_scores
from datainf.evaluation.retrieval import class_detection
from datainf.experiments.data.math_problems import math_problems
from datainf.experiments.data.rows import Row
from datainf.experiments.data.sentence_transformations import sentence_transformations
from datainf.experiments.exact_match import exact_match
from datainf.integrations.base_models import load_base, load_tokenizer
from datainf.integrations.generation import answers
from datainf.integrations.tasks.causal_lm import CausalLM
from datainf.integrations.trainer import train
from datainf.reports.render import render_report
from datainf.workflows.collect import collect
from datainf.workflows.mean import MeanSource
from datainf.workflows.measure import measure
from datainf.workflows.progress import Logged, Reporter
from datainf.workflows.run_file import write_run
from datainf.workflows.runs import SCORES
from datainf.workflows.score import score

BASE = Path(__file__).parent / "assets" / "demo-base"
PIPELINE = Path(__file__).parent / "assets" / "demo-pipeline"
"""The small pipeline of diffusers: `scripts/train_demo_pipeline.py`."""

# Name shown -> how it is scored. Unit length beside the paper's settings: without it,
# the few rows with the longest gradients (wrong answers, above all) head every list.
UNIT_LENGTH = "datainf, unit length"
METHODS: Mapping[str, Mapping[str, Any]] = {
    "datainf": {"method": "datainf"},
    "exact": {"method": "exact"},
    UNIT_LENGTH: {"method": "datainf", "normalize": "example"},
}


@dataclass(frozen=True, kw_only=True)
class DemoSettings:
    """Sizes of the demo; smaller ones are for tests.

    Attributes:
        train_per_class: Training rows of each of the twenty classes.
        test_per_class: Held-out rows of each.
        planted: Share of the training rows with a wrong completion.
        epochs: Passes over the training rows.
        rank: LoRA rank.
        shown: Queries whose neighbours are printed.
        seed: Of data, adapter and batch order.
    """

    train_per_class: int = 40
    test_per_class: int = 5
    planted: float = 0.05
    epochs: int = 6
    rank: int = 8
    shown: int = 4
    seed: int = 0

    @property
    def recipe(self) -> Recipe:
        """How the adapter is trained."""
        return Recipe(
            peft={
                "r": self.rank,
                "lora_alpha": 2 * self.rank,
                "lora_dropout": 0.0,
                "target_modules": ["q_proj", "v_proj"],
            },
            training={
                "num_train_epochs": self.epochs,
                "per_device_train_batch_size": 16,
                "learning_rate": 5e-3,
                "lr_scheduler_type": "linear",
                "warmup_steps": 20,
                "use_cpu": True,
            },
            seed=self.seed,
        )


@dataclass(frozen=True)
class DemoResult:
    """What the demo found.

    Attributes:
        before: Held-out exact match of the base, by family.
        after: The same of the tuned model.
        classes: One row a method: class-detection AUC and recall.
        planted: One row a method: AUC with its interval, and how many planted rows
            are among as many most suspicious.
        examples: The nearest training rows of a few queries.
        report: The HTML file.
        scores: Those of the report.
    """

    before: Mapping[str, float]
    after: Mapping[str, float]
    classes: pd.DataFrame
    planted: pd.DataFrame
    examples: pd.DataFrame
    report: Path
    scores: Scores = field(repr=False)


def run_demo(
    out: str | Path,
    settings: DemoSettings | None = None,
    progress: Reporter | None = None,
) -> DemoResult:
    """Fine-tune, collect, attribute, measure, report.

    Args:
        out: Folder for the adapter, the stores and the report.
        settings: Sizes.
        progress: Told what happens.

    Returns:
        Everything that was measured.
    """
    asked, say, folder = settings or DemoSettings(), progress or Logged(), Path(out)
    rows, held_out = demo_rows(asked)
    tokenizer = load_tokenizer(str(BASE))
    task = CausalLM(tokenizer)
    model = load_base(str(BASE), task)
    say.say(
        f"{len(rows)} training rows in 20 classes, "
        f"{sum(r['planted'] for r in rows)} of them with a planted wrong answer; "
        f"{len(held_out)} held-out rows"
    )
    before = _matches(model, task, held_out)
    tuned = _tune(model, rows, task, asked, folder / "adapter", say)
    after = _matches(tuned, task, held_out)
    stores = [
        collect(tuned, part, task, out=folder / name, progress=say)
        for name, part in (("train", rows), ("queries", held_out))
    ]
    found = {
        name: score(*stores, **how, keep_blocks=name == UNIT_LENGTH)
        for name, how in METHODS.items()
    }
    mean = MeanSource(stores[1])
    suspicion = {
        name: score(stores[0], mean, **how).values[0] for name, how in METHODS.items()
    }
    classes = _class_table(found, rows, held_out, asked.seed)
    planted = _planted_table(suspicion, rows, stores[0].losses)
    shown = _with_columns(found[UNIT_LENGTH], rows, held_out)
    report = render_report(
        shown,
        folder / "report.html",
        title="Who taught the demo's adapter what",
        highlights=_suspicious(suspicion["datainf"], rows, task),
        facts=_facts(before, after, classes, planted),
    )
    _leave_run(folder, rows, held_out, asked.recipe, shown)
    examples = _neighbours(shown, held_out, asked.shown)
    return DemoResult(before, after, classes, planted, examples, report, shown)


def demo_rows(settings: DemoSettings) -> tuple[list[Row], list[Row]]:
    """Generate both families' rows.

    Args:
        settings: Sizes and seed.

    Returns:
        Training rows and held-out rows, each with its `family`.
    """
    train_rows: list[Row] = []
    test_rows: list[Row] = []
    for family, generate in (
        ("sentences", sentence_transformations),
        ("math", math_problems),
    ):
        parts = generate(
            n_train_per_class=settings.train_per_class,
            n_test_per_class=settings.test_per_class,
            seed=settings.seed,
            wording="shared",
            planted=settings.planted,
        )
        for rows, part in zip((train_rows, test_rows), parts, strict=True):
            rows += [{**row, "family": family} for row in part]
    return train_rows, test_rows


def _matches(model: Any, task: CausalLM, rows: Sequence[Row]) -> dict[str, float]:
    """Measure exact match by family."""
    answered = answers(model, task, [row["prompt"] for row in rows])
    pairs = list(zip(answered, rows, strict=True))
    families = dict.fromkeys(row["family"] for row in rows)
    parts = {f: [pair for pair in pairs if pair[1]["family"] == f] for f in families}
    return {
        family: exact_match([a for a, _ in part], [r for _, r in part])
        for family, part in parts.items()
    }


def _tune(
    model: nn.Module,
    rows: Sequence[Row],
    task: CausalLM,
    settings: DemoSettings,
    out: Path,
    reporter: Reporter,
) -> nn.Module:
    """Train the adapter, with a bar."""
    steps = settings.epochs * -(-len(rows) // 16)
    done = 0
    with reporter.stage("fine-tuning", steps) as advance:

        def told(step: int, total: int, loss: float | None) -> None:  # noqa: ARG001
            nonlocal done
            advance(step - done)
            done = step

        return train(model, rows, task, settings.recipe, out=out, progress=told)


def _leave_run(
    folder: Path,
    rows: Sequence[Row],
    held_out: Sequence[Row],
    recipe: Recipe,
    scores: Scores,
) -> None:
    """Write data, scores and run.yaml, so that the folder is that of a finished run."""
    files = {}
    for name, part in (("train", rows), ("queries", held_out)):
        files[name] = folder / f"{name}.jsonl"
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in part)
        write_durably(files[name], [line.encode() for line in lines])
    scores.save(folder / SCORES)
    config = RunConfig(
        model=str(BASE),
        adapter=str(folder / "adapter"),
        task={"name": CausalLM.name},
        train=DataConfig(data=str(files["train"])),
        queries=DataConfig(data=str(files["queries"])),
        score=ScoreOptions(**METHODS[UNIT_LENGTH], keep_blocks=True),
        recipe=recipe,
        out=str(folder),
    )
    write_run(config, folder)


def _class_table(
    found: Mapping[str, Scores],
    rows: Sequence[Row],
    held_out: Sequence[Row],
    seed: int,
) -> pd.DataFrame:
    """Compare methods and baselines by how well they find the query's own class.

    Candidates are the rows of the query's own family: telling sums from sentences is
    no feat.

    Returns:
        One row a method, averaged over the families.
    """
    classes = np.array([row["class"] for row in rows])
    asked = np.array([row["class"] for row in held_out])
    prompts = [row["prompt"] for row in rows]
    values = {name: scores.values for name, scores in found.items()}
    values["TF-IDF of prompts"] = tfidf_scores(prompts, [r["prompt"] for r in held_out])
    values["TF-IDF of prompts and answers"] = tfidf_scores(
        [r["prompt"] + r["completion"] for r in rows],
        [r["prompt"] + r["completion"] for r in held_out],
    )
    values["random"] = random_scores(len(held_out), len(rows), seed=seed)
    family = np.array([row["family"] for row in rows])
    of_query = np.array([row["family"] for row in held_out])
    lines = []
    for name, matrix in values.items():
        parts = [
            class_detection(
                matrix[np.ix_(of_query == f, family == f)],
                classes[family == f],
                asked[of_query == f],
            )
            for f in dict.fromkeys(family)
        ]
        lines.append(
            {
                "method": name,
                "AUC": float(np.mean([part.auc for part in parts])),
                "recall": float(np.mean([part.recall for part in parts])),
            }
        )
    return pd.DataFrame(lines)


def _neighbours(scores: Scores, held_out: Sequence[Row], count: int) -> pd.DataFrame:
    """List the three nearest proponents of a few queries, spread over the classes."""
    chosen = np.linspace(0, len(held_out) - 1, count).round().astype(int)
    parts = []
    for query in chosen:
        part = scores.top(3, query=int(query)).drop(columns="query")
        asked = scores.queries["text"].iloc[query]
        part.insert(0, "asked", [asked, *[""] * (len(part) - 1)])
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _planted_table(
    suspicion: Mapping[str, Any], rows: Sequence[Row], losses: Any
) -> pd.DataFrame:
    """Say how well planted rows are found by influence on the mean held-out loss."""
    wrong = np.array([row["planted"] for row in rows])
    count = int(wrong.sum())
    lines = []
    for name, values in suspicion.items():
        found = measure(values, wrong, losses)
        worst = np.argsort(-values, kind="stable")[:count]
        lines.append(
            {
                "method": name,
                "AUC": found["auc"],
                "from": found["auc_low"],
                "to": found["auc_high"],
                "found": int(wrong[worst].sum()),
                "planted": count,
            }
        )
    lines.append(
        {
            "method": "training loss",
            "AUC": found["auc_of_loss"],
            "found": int(wrong[np.argsort(-losses, kind="stable")[:count]].sum()),
            "planted": count,
        }
    )
    return pd.DataFrame(lines)


def _with_columns(
    scores: Scores, rows: Sequence[Row], held_out: Sequence[Row]
) -> Scores:
    """Put class and planted flag beside the texts, for the report."""
    columns = ["class", "planted"]
    train_rows = scores.train.reset_index(drop=True)
    return scores.with_rows(
        train=train_rows.join(pd.DataFrame(rows)[columns]),
        queries=scores.queries.reset_index(drop=True).join(
            pd.DataFrame(held_out)[["class"]]
        ),
    )


def _suspicious(values: Any, rows: Sequence[Row], task: CausalLM) -> pd.DataFrame:
    """List the twenty most suspicious training rows."""
    worst = np.argsort(-values, kind="stable")[:20]
    return pd.DataFrame(
        {
            "train": worst,
            "suspicion": values[worst],
            "planted": [rows[i]["planted"] for i in worst],
            "text": [task.describe(rows[i]) for i in worst],
        }
    )


def _facts(
    before: Mapping[str, float],
    after: Mapping[str, float],
    classes: pd.DataFrame,
    planted: pd.DataFrame,
) -> dict[str, str | pd.DataFrame]:
    """Arrange the measurements for the report."""
    return {
        **{
            f"Held-out exact match, {family}": f"{share:.0%} → {after[family]:.0%}"
            for family, share in before.items()
        },
        "Is the query's own class first? (AUC 0.5 is chance)": classes,
        "Planted wrong answers among as many most suspicious rows": planted,
    }
