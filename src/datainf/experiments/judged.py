"""What scores are judged on by retraining: the adapters and the plans.

`sst2` is a setting in which no dropout blurs what an example does: MiniLM, LoRA r = 4
on query and value with a trained head, 256 short sentences, 8 epochs in batches of 16,
one seed. The others ask whether what holds there carries over: another task with the
base's own dropout on, a language model on two kinds of text, and a pipeline that draws.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from datainf.core.errors import OptionError, near
from datainf.core.evaluate_options import BatchOrder
from datainf.core.recipe import Recipe
from datainf.experiments.data.judged_rows import (
    Rows,
    short_texts,
    styles,
    sums,
    transformations,
)
from datainf.experiments.demo import BASE, PIPELINE

_ENCODER = Recipe(
    peft={
        "peft_type": "LORA",
        "r": 4,
        "lora_alpha": 4,
        "lora_dropout": 0.0,
        "target_modules": ["query", "value"],
    },
    training={
        "num_train_epochs": 8,
        "per_device_train_batch_size": 16,
        "learning_rate": 2e-3,
        "lr_scheduler_type": "linear",
        "weight_decay": 0.0,
    },
)
# Few epochs: the base has met the words, and after more every query's loss is nearly 0.
_TRANSFORMER = Recipe(
    peft={
        "peft_type": "LORA",
        "r": 8,
        "lora_alpha": 16,
        "lora_dropout": 0.0,
        "target_modules": ["q_proj", "v_proj"],
    },
    training={
        "num_train_epochs": 4,
        "per_device_train_batch_size": 16,
        "learning_rate": 5e-3,
        "lr_scheduler_type": "linear",
        "weight_decay": 0.0,
        "use_cpu": True,
    },
)
_DRAWER = Recipe(
    peft={
        "peft_type": "LORA",
        "r": 4,
        "lora_alpha": 4,
        "lora_dropout": 0.0,
        "target_modules": ["to_q", "to_k", "to_v", "to_out.0"],
    },
    training={
        "num_train_epochs": 10,
        "per_device_train_batch_size": 16,
        "learning_rate": 2e-3,
        "lr_scheduler_type": "cosine",
        "weight_decay": 0.0,
        "use_cpu": True,
    },
)
# English is new to the base, and adapters of two matrices a layer hardly learn it.
_READER = Recipe(
    peft={**_TRANSFORMER.peft, "target_modules": "all-linear"},
    training={**_TRANSFORMER.training, "num_train_epochs": 6},
)


@dataclass(frozen=True)
class Plan:
    """One kind of subset.

    Attributes:
        order: What becomes of the batches.
        removed: Share that is left out.
        part: Share of the study's subsets and second seeds that it gets.
    """

    order: BatchOrder
    removed: float
    part: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One adapter on which scores are judged.

    Attributes:
        name: Of its cells and its folder.
        title: What it is, in words.
        rows: Makes its rows.
        train_rows: How many are trained on.
        queries: How many are foretold.
        recipe: How it is trained, again and again.
        base: Its base; the user's own when None.
        dropout: Whether the base's own dropout stays on in training.
        plans: Kinds of subsets, the most telling first.
        task: Settings of the task besides those of the rows.
        like: The adapter that it is, where only scores are made in another way: it
            shares that one's retrainings.
        along: Whether methods along the training and of margins are judged too; of
            pictures there is no margin.
    """

    name: str
    title: str
    rows: Rows
    train_rows: int
    queries: int = 100
    recipe: Recipe
    base: str | None = None
    dropout: bool = True
    plans: tuple[Plan, ...] = (Plan(BatchOrder.RESHUFFLED, 0.5),)
    task: Mapping[str, Any] = field(default_factory=dict)
    like: str | None = None
    along: bool = True

    def summed(self) -> "Judged":
        """Give the same adapter, scored by sums of token losses instead of means."""
        return replace(
            self,
            name=f"{self.name}-sum",
            title=f"{self.title}; sums of token losses instead of means",
            task={"reduction": "sum"},
            like=self.name,
            along=False,
        )

    def settings(self) -> dict[str, Any]:
        """Give what decides its cells besides base model and plans."""
        return {
            "rows": self.train_rows,
            "queries": self.queries,
            "recipe": self.recipe.to_dict(),
            "dropout": self.dropout,
            **({"task": dict(self.task)} if self.task else {}),
        }


_SENTENCES = Judged(
    name="sentences",
    title="the demo's language model, sentence transformations",
    rows=transformations,
    train_rows=200,
    recipe=_TRANSFORMER,
    base=str(BASE),
)
_GSM8K = Judged(
    name="gsm8k",
    title="the demo's language model, last steps of GSM8K",
    rows=sums,
    train_rows=200,
    recipe=_READER,
    base=str(BASE),
)
ALL_JUDGED: Mapping[str, Judged] = {
    one.name: one
    for one in (
        Judged(
            name="sst2",
            title="MiniLM, SST-2, no dropout",
            rows=short_texts("sst2", 20),
            train_rows=256,
            recipe=_ENCODER,
            dropout=False,
            plans=(
                Plan(BatchOrder.RESHUFFLED, 0.5),
                Plan(BatchOrder.KEPT, 0.5, 0.4),
                Plan(BatchOrder.KEPT, 0.05, 0.4),
                Plan(BatchOrder.KEPT, 0.2, 0.4),
                Plan(BatchOrder.RESHUFFLED, 0.2, 0.4),
                Plan(BatchOrder.RESHUFFLED, 0.05, 0.4),
            ),
        ),
        Judged(
            name="sst2-dropout",
            title="MiniLM, SST-2, with the base's own dropout of 0.1",
            rows=short_texts("sst2", 20),
            train_rows=256,
            recipe=_ENCODER,
        ),
        Judged(
            name="mrpc",
            title="MiniLM, MRPC, with the base's own dropout of 0.1",
            rows=short_texts("mrpc", 44),
            train_rows=256,
            recipe=_ENCODER,
        ),
        _SENTENCES,
        _GSM8K,
        _SENTENCES.summed(),
        _GSM8K.summed(),
        Judged(
            name="styles",
            title="the small pipeline, pictures in three styles",
            rows=styles,
            train_rows=96,
            queries=30,
            recipe=_DRAWER,
            base=str(PIPELINE),
            along=False,
        ),
    )
}


@dataclass(frozen=True, kw_only=True)
class JudgedStudy:
    """How thoroughly scores are judged.

    Attributes:
        preset: Its name.
        judged: Names out of `ALL_JUDGED`.
        plans: How many of each one's plans; None for all.
        subsets: Random subsets of a plan.
        twins: How many of them are trained again with another seed.
        left_out: Examples that are left out one by one; 0 for none.
        drop: Shares of the examples that are dropped as strongest proponents.
        random: Random sets beside the dropped ones.
        workers: Processes that train.
        model: The base of the classifiers: a folder or hub name.
        data_dir: Folder with a folder a data set; the hub when None.
    """

    preset: str
    judged: tuple[str, ...]
    plans: int | None = None
    subsets: int
    twins: int
    left_out: int = 0
    drop: tuple[float, ...] = ()
    random: int = 20
    workers: int = 1
    model: str | None = None
    data_dir: str | None = None

    def base_of(self, judged: Judged) -> str:
        """Name the base model of an adapter.

        Args:
            judged: Which one.

        Returns:
            A folder or hub name.

        Raises:
            OptionError: If none is known.
        """
        base = judged.base or self.model
        if base is None:
            raise OptionError(
                f"{judged.name} needs a base model: name a folder or hub name of an "
                "encoder with --model."
            )
        return base


JUDGED_PRESETS: Mapping[str, JudgedStudy] = {
    "small": JudgedStudy(
        preset="small", judged=("sst2", "sentences"), plans=1, subsets=20, twins=5
    ),
    "full": JudgedStudy(
        preset="full",
        judged=(
            *("sst2", "mrpc", "sentences", "gsm8k", "sentences-sum", "gsm8k-sum"),
            "styles",
        ),
        subsets=100,
        twins=15,
        left_out=40,
        drop=(0.1,),
    ),
}


def judged_study(
    preset: str = "small",
    *,
    model: str | None = None,
    data_dir: str | None = None,
    judged: tuple[str, ...] = (),
    subsets: int | None = None,
    twins: int | None = None,
    workers: int | None = None,
) -> JudgedStudy:
    """Take a preset and replace what was named.

    Args:
        preset: `small` or `full`.
        model: The base of the classifiers.
        data_dir: Where the data lies.
        judged: Other adapters.
        subsets: Another number of subsets.
        twins: Another number of second seeds.
        workers: Processes that train.

    Returns:
        The study.

    Raises:
        OptionError: If a name is unknown.

    Examples:
        >>> judged_study("full", judged=("mrpc",), subsets=40).subsets
        40
    """
    if preset not in JUDGED_PRESETS:
        known = near(preset, JUDGED_PRESETS)
        raise OptionError(f"preset={preset!r} is unknown: {known}.")
    for name in judged:
        if name not in ALL_JUDGED:
            raise OptionError(f"{name!r} is not judged here: {near(name, ALL_JUDGED)}.")
    found = JUDGED_PRESETS[preset]
    return replace(
        found,
        model=model,
        data_dir=data_dir,
        judged=judged or found.judged,
        subsets=found.subsets if subsets is None else subsets,
        twins=found.twins if twins is None else twins,
        workers=found.workers if workers is None else workers,
    )
