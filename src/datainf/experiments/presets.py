"""Presets of the paper's language experiments: what is trained, on what, how often.

`paper`   RoBERTa-large on four GLUE tasks from the hub, as in Kwon et al. (ICLR 2024,
          arXiv:2310.00902, section 5.1 and appendix): LoRA on `value`, α = r, 4500 +
          500 rows, 20 % of the labels flipped, 20 seeds
`small`   the same on a small encoder and short rows: minutes on a laptop, from folders

and of its text generation (section 5.2 and appendix), by the same names:

`paper`   Llama-2-13B-chat from the hub, in 8 bits, 10 × (90 + 10) rows a task, 20 seeds
`small`   the demo's language model, which is shipped, 10 × (20 + 5) rows, 5 seeds

and of its pictures (section 5.3 and appendix):

`paper`   Stable Diffusion v1.5 from the hub, attention layers, 3 × (200 + 50) pictures
          in three styles at r = 1, 30 × (3 + 1 to 3) photos of subjects at r = 4,
          10 000 steps of each; 5 seeds, where the paper has one
`small`   the small pipeline that is shipped, 3 × (80 + 20) generated pictures, and the
          photos in 32 × 32 pixels, 5 seeds

Everything can be replaced by name, so that a preset is a start and not a cage.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from datainf.core.errors import OptionError, near
from datainf.core.options import Precision
from datainf.core.recipe import Recipe
from datainf.experiments.data.text_tasks import TEXT_TASKS

_ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Which rows a seed gets.

    Attributes:
        rows: Training rows, at most.
        validation_rows: Rows with right labels, whose mean loss is explained.
        max_words: Longer rows are left out; None for all.
        max_length: Most tokens of a row.
        flipped: Share of the labels that is flipped, where the noise is ours.
    """

    rows: int
    validation_rows: int
    max_words: int | None = None
    max_length: int = 128
    flipped: float = 0.2


@dataclass(frozen=True, kw_only=True)
class Study:
    """One family of adapters, shared by the experiments on them.

    Attributes:
        preset: Its name.
        datasets: Names out of `data.study_rows.SOURCES`, or of `TEXT_TASKS`.
        ranks: LoRA ranks.
        seeds: How many: rows, flips, adapter and batch order all follow the seed.
        sample: Which rows.
        recipe: How adapters are trained, less rank and seed; α = r and 6 % of the
            steps to warm up, unless it says otherwise.
        model: The base of the classifiers: a folder or hub name.
        data_dir: Folder with a folder a data set; the hub when None.
        precision: Number format of the base's weights.
        task: Settings of the task besides those of the rows.
        own_ranks: Data set -> its ranks, where they are others.
        further_ranks: Data set -> ranks besides, at which methods run by their own
            settings alone.
        workers: Processes, each measuring an adapter of its own with one torch thread;
            with 1, this process by all of its threads.
    """

    preset: str
    datasets: tuple[str, ...]
    ranks: tuple[int, ...]
    seeds: int
    sample: Sample
    recipe: Recipe
    model: str | None = None
    data_dir: str | None = None
    precision: Precision = Precision.FLOAT32
    task: Mapping[str, Any] = field(default_factory=dict)
    own_ranks: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    further_ranks: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    workers: int = 1

    def ranks_of(self, dataset: str) -> tuple[int, ...]:
        """Give the LoRA ranks of a data set.

        Args:
            dataset: Its name.

        Returns:
            Its own, or those of all; then the further ones.
        """
        own = self.own_ranks.get(dataset, self.ranks)
        return (*own, *(r for r in self.further_ranks.get(dataset, ()) if r not in own))

    def in_full(self, dataset: str, rank: int) -> bool:
        """Say whether every variant runs there, or methods by their own settings alone.

        Args:
            dataset: A data set.
            rank: A LoRA rank.

        Returns:
            Whether it is none of the further ranks.
        """
        return rank in self.own_ranks.get(dataset, self.ranks)

    def recipe_for(self, *, rank: int, seed: int, rows: int) -> Recipe:
        """Say how one adapter is trained.

        Args:
            rank: LoRA rank.
            seed: Of weights and batch order.
            rows: Training rows.

        Returns:
            The recipe.
        """
        training = self.recipe.training
        batches = -(-rows // training["per_device_train_batch_size"])
        steps = training.get("max_steps")
        if steps is None:
            steps = batches * training["num_train_epochs"]
        return Recipe(
            peft={"lora_alpha": rank, **self.recipe.peft, "r": rank},
            training={"warmup_steps": round(0.06 * steps), **training},
            seed=seed,
        )

    def settings(self) -> dict[str, Any]:
        """Give what decides an adapter besides data set, rank, seed and base model."""
        said: dict[str, Any] = {
            "sample": asdict(self.sample),
            "recipe": self.recipe.to_dict(),
        }
        if self.precision is not Precision.FLOAT32:  # joined after the first records
            said["precision"] = str(self.precision)
        if self.task:
            said["task"] = dict(self.task)
        return said


PRESETS: Mapping[str, Study] = {
    "small": Study(
        preset="small",
        datasets=("sst2", "mrpc", "qnli", "qqp", "noisy_ag_news", "demo-lm"),
        ranks=(4,),
        seeds=5,
        sample=Sample(rows=320, validation_rows=120, max_words=32),
        recipe=Recipe(
            peft={"lora_dropout": 0.0, "target_modules": ["query", "value"]},
            training={
                "num_train_epochs": 6,
                "per_device_train_batch_size": 16,
                "learning_rate": 2e-3,
                "lr_scheduler_type": "linear",
            },
        ),
    ),
    "paper": Study(
        preset="paper",
        datasets=("mrpc", "sst2", "qnli", "qqp"),
        ranks=(1, 2, 4, 8),
        seeds=20,
        sample=Sample(rows=4500, validation_rows=500),
        recipe=Recipe(
            peft={"lora_dropout": 0.05, "target_modules": ["value"]},
            training={
                "num_train_epochs": 10,
                "per_device_train_batch_size": 32,
                "learning_rate": 3e-4,
                "lr_scheduler_type": "linear",
            },
        ),
        model="roberta-large",
    ),
}

TEXT_PRESETS: Mapping[str, Study] = {
    "small": Study(
        preset="small",
        datasets=tuple(TEXT_TASKS),
        ranks=(8,),
        seeds=5,
        sample=Sample(rows=200, validation_rows=50, flipped=0.0),
        recipe=Recipe(
            peft={
                "lora_alpha": 16,
                "lora_dropout": 0.0,
                "target_modules": ["q_proj", "v_proj"],
            },
            training={
                "num_train_epochs": 12,
                "per_device_train_batch_size": 16,
                "learning_rate": 5e-3,
                "lr_scheduler_type": "linear",
                "warmup_steps": 20,
                "use_cpu": True,
            },
        ),
    ),
    "paper": Study(
        preset="paper",
        datasets=tuple(TEXT_TASKS),
        ranks=(8,),
        seeds=20,
        sample=Sample(rows=900, validation_rows=100, flipped=0.0),
        recipe=Recipe(
            peft={"lora_alpha": 32, "target_modules": ["q_proj", "v_proj"]},
            training={
                "num_train_epochs": 25,
                "per_device_train_batch_size": 64,
                "learning_rate": 3e-4,
                "lr_scheduler_type": "linear",
                "warmup_steps": 0,
            },
        ),
        model="meta-llama/Llama-2-13b-chat-hf",
        precision=Precision.INT8,
    ),
}
"""Text generation: the rows say their class, and none of them is wrong."""

IMAGE_PRESETS: Mapping[str, Study] = {
    "small": Study(
        preset="small",
        datasets=("styles", "subjects"),
        ranks=(4,),
        seeds=5,
        sample=Sample(rows=240, validation_rows=60, flipped=0.0),
        recipe=Recipe(
            peft={"lora_dropout": 0.0, "target_modules": list(_ATTENTION)},
            training={
                "num_train_epochs": 40,
                "per_device_train_batch_size": 16,
                "learning_rate": 2e-3,
                "lr_scheduler_type": "cosine",
                "warmup_steps": 0,
                "use_cpu": True,
            },
        ),
        task={"resolution": 32, "timesteps": 10},
    ),
    "paper": Study(
        preset="paper",
        datasets=("styles-hub", "subjects"),
        ranks=(4,),
        own_ranks={"styles-hub": (1,)},
        seeds=5,
        sample=Sample(rows=600, validation_rows=150, flipped=0.0),
        recipe=Recipe(
            peft={"lora_dropout": 0.0, "target_modules": list(_ATTENTION)},
            training={
                "max_steps": 10_000,
                "per_device_train_batch_size": 4,
                "learning_rate": 1e-4,
                "lr_scheduler_type": "cosine",
                "warmup_steps": 0,
            },
        ),
        model="stable-diffusion-v1-5/stable-diffusion-v1-5",
        task={"resolution": 512, "timesteps": 10},
    ),
}
"""Text to image: the rows say their class, and none of them is wrong."""


def study_of(  # noqa: PLR0913 - what a user may replace, by name
    preset: str = "small",
    *,
    model: str | None = None,
    data_dir: str | None = None,
    datasets: tuple[str, ...] = (),
    ranks: tuple[int, ...] = (),
    seeds: int | None = None,
    rows: int | None = None,
    epochs: int | None = None,
    workers: int | None = None,
    presets: Mapping[str, Study] = PRESETS,
) -> Study:
    """Take a preset and replace what was named.

    Args:
        preset: `small` or `paper`.
        model: Another base model.
        data_dir: Where the data lies.
        datasets: Other data sets.
        ranks: Other ranks.
        seeds: Another number of seeds.
        rows: Another number of training rows.
        epochs: Another number of passes over them.
        workers: Processes that measure adapters side by side.
        presets: Those of the experiment.

    Returns:
        The study.

    Raises:
        OptionError: If the preset is unknown or a number below 1.

    Examples:
        >>> study_of("paper", seeds=2).recipe_for(rank=2, seed=1, rows=64).peft["r"]
        2
    """
    if preset not in presets:
        raise OptionError(f"preset={preset!r} is unknown: {near(preset, presets)}.")
    counts = {"seeds": seeds, "rows": rows, "epochs": epochs, "workers": workers}
    counts |= {f"rank {rank}": rank for rank in ranks}
    for name, count in counts.items():
        if count is not None and count < 1:
            raise OptionError(f"{name} must be at least 1, got {count}.")
    found = presets[preset]
    sample, recipe = found.sample, found.recipe
    if rows is not None:
        sample = replace(sample, rows=rows)
    if epochs is not None:
        # Steps would win over passes without a word.
        training = {k: v for k, v in recipe.training.items() if k != "max_steps"}
        training["num_train_epochs"] = epochs
        recipe = replace(recipe, training=training)
    return replace(
        found,
        sample=sample,
        recipe=recipe,
        model=model or found.model,
        data_dir=data_dir,
        datasets=datasets or found.datasets,
        ranks=ranks or found.ranks,
        own_ranks={} if ranks else found.own_ranks,
        seeds=seeds or found.seeds,
        workers=workers or found.workers,
    )
