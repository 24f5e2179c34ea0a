"""run.yaml: everything a run was asked to do, in one file that replays it.

    datainf: "0.1.0"          version that wrote it
    format: 1                 version of this schema
    model: path or hub name   the base model
    adapter: path             the PEFT adapter
    precision: float32        number format of the base's weights
    device_map: balanced      splits the base over the machine's GPUs
    trust_remote_code: false  whether code that comes with the base may run
    task: {name: causal-lm, ...}
    train: {data: FILE, ...}  the examples that are ranked
    queries: {data: FILE}     the outputs that are explained
    curvature: {data: STORE}  `score` only: what the curvature is made of
    collect: {...}            CollectOptions
    score: {...}              ScoreOptions
    recipe: {...}             Recipe
    evaluate: {...}           EvaluateOptions
    group_by: column          of the training data, whose values are groups of examples
    tokens: 3                 pairs to be scored token by token
    checkpoints: folder       of the adapter's training, over which to score
    out: folder

Only values: reading and writing the file is the workflows' work. Unknown keys are
refused with the near one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from datainf.core.errors import OptionError, near
from datainf.core.evaluate_options import EvaluateOptions
from datainf.core.options import (
    CollectOptions,
    DeviceMap,
    Precision,
    ScoreOptions,
    described,
    number,
    word,
)
from datainf.core.recipe import Recipe

RUN_FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Where examples come from."""

    data: str = described(
        "", "A jsonl, json, csv, tsv or parquet file, a `datasets` folder or hub name."
    )
    split: str | None = described(
        None, "The split of a `datasets` folder or name; needed where it has several."
    )
    limit: int | None = described(None, "Use only the first so many rows.")
    truth: str | None = described(
        None, "Column with the right labels, to measure how well wrong ones are found."
    )
    flip_labels: float = described(
        0.0,
        "Share of the labels to flip before use, for experiments with known errors.",
    )
    flip_seed: int = described(0, "Chooses which labels are flipped, and to what.")

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            OptionError: If both ways of knowing the right labels are given.
        """
        share = number(self.flip_labels, "flip_labels", least=0, below=1)
        object.__setattr__(self, "flip_labels", share)
        seed = number(self.flip_seed, "flip_seed", least=0, whole=True)
        object.__setattr__(self, "flip_seed", seed)
        if self.limit is not None:
            rows = number(self.limit, "limit", least=1, whole=True)
            object.__setattr__(self, "limit", rows)
        if self.truth and self.flip_labels:
            raise OptionError(
                "truth and flip_labels exclude each other: give the column of right "
                "labels, or flip some of them."
            )


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """One run of `datainf attribute`, `train`, `mislabeled` or `evaluate`."""

    model: str | None = described(
        None, "The base model: a folder or hub name; the adapter's own when not given."
    )
    adapter: str | None = described(None, "The PEFT adapter: a folder or hub name.")
    precision: Precision | str = described(
        Precision.FLOAT32,
        "Number format of the base's weights: float32, bfloat16, float16, auto (the "
        "checkpoint's own), or int8 and int4, by bitsandbytes.",
    )
    device_map: DeviceMap | str | None = described(
        None,
        "Split the base over the GPUs of the machine: auto, balanced, balanced_low_0 "
        "or sequential; whole on one when not given.",
    )
    trust_remote_code: bool = described(
        False, "Run Python code that comes with the base model or its tokenizer."
    )
    task: Mapping[str, Any] = described(
        {}, "The task's name and settings; `datainf doctor` shows what would be used."
    )
    train: DataConfig | None = field(default=None)
    queries: DataConfig | None = field(default=None)
    curvature: DataConfig | None = field(default=None)
    collect: CollectOptions = field(default_factory=CollectOptions)
    score: ScoreOptions = field(default_factory=ScoreOptions)
    recipe: Recipe | None = field(default=None)
    evaluate: EvaluateOptions | None = field(default=None)
    group_by: str | None = described(
        None, "Column of the training data whose values are groups of examples."
    )
    tokens: int | None = described(
        None,
        "Score the strongest pairs token by token: so many proponents, and opponents, "
        "of each query.",
    )
    checkpoints: str | None = described(
        None,
        "Score over the checkpoints of the adapter's training in this folder; tracin "
        "and less take the adapter's own when not given.",
    )
    checkpoint_limit: int | None = described(
        None, "At most so many checkpoints, evenly spread, the last among them."
    )
    out: str = described("runs/datainf", "Folder for stores, scores and report.")

    def __post_init__(self) -> None:
        """Check the words."""
        object.__setattr__(
            self, "precision", word(Precision, self.precision, "precision")
        )
        if self.device_map is not None:
            found = word(DeviceMap, self.device_map, "device_map")
            object.__setattr__(self, "device_map", found)
        if self.tokens is not None:
            value = number(self.tokens, "tokens", least=1, whole=True)
            object.__setattr__(self, "tokens", value)
        if self.checkpoint_limit is not None:
            limit = self.checkpoint_limit
            value = number(limit, "checkpoint_limit", least=1, whole=True)
            object.__setattr__(self, "checkpoint_limit", value)

    def to_dict(self, version: str) -> dict[str, Any]:
        """Write the run as plain values, defaults included.

        Left out are None, and the defaults of options that joined the format late.

        Args:
            version: The library's version, for the reader's information.

        Returns:
            What run.yaml holds.
        """
        body: dict[str, Any] = {}
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, Recipe):
                body[f.name] = _plain(value.to_dict())
            elif is_dataclass(value):
                mine = {
                    g.name: getattr(value, g.name)
                    for g in fields(value)
                    if not (
                        g.metadata.get("late") and getattr(value, g.name) == g.default
                    )
                }
                body[f.name] = {k: _plain(v) for k, v in mine.items() if v is not None}
            elif value is not None:
                body[f.name] = _plain(value)
        return {"datainf": version, "format": RUN_FORMAT, **body}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "RunConfig":
        """Read what run.yaml holds.

        Args:
            value: The file's mapping.

        Returns:
            The run.

        Raises:
            OptionError: If the format is another one or a key is unknown.
        """
        given = dict(value)
        given.pop("datainf", None)
        version = given.pop("format", RUN_FORMAT)
        if version != RUN_FORMAT:
            raise OptionError(
                f"run.yaml has format {version!r}, this version reads {RUN_FORMAT}; "
                "use the version of datainf that is written in the file."
            )
        parts: dict[str, Any] = {
            "train": DataConfig,
            "queries": DataConfig,
            "curvature": DataConfig,
            "collect": CollectOptions,
            "score": ScoreOptions,
            "evaluate": EvaluateOptions,
        }
        _refuse_unknown(given, [f.name for f in fields(cls)], "run.yaml: ")
        # A key with nothing after it ("collect:") is one that is not there.
        given = {key: value for key, value in given.items() if value is not None}
        for key, kind in parts.items():
            if given.get(key) is not None:
                _require_mapping(given[key], key)
                _refuse_unknown(
                    given[key], [f.name for f in fields(kind)], f"run.yaml: {key}."
                )
                given[key] = kind(**given[key])
        for key in ("task", "recipe"):
            if given.get(key) is not None:
                _require_mapping(given[key], key)
        if given.get("recipe") is not None:
            given["recipe"] = Recipe.from_dict(given["recipe"])
        return cls(**given)


def _plain(value: Any) -> Any:
    """Turn options into what YAML holds; None stays, where it is the user's own."""
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return str(value) if isinstance(value, str) else value


def _refuse_unknown(given: Mapping[str, Any], known: list[str], where: str) -> None:
    for key in given:
        if key not in known:
            raise OptionError(f"{where}{key} is unknown: {near(str(key), known)}.")


def _require_mapping(value: object, key: str) -> None:
    if not isinstance(value, Mapping):
        raise OptionError(
            f"run.yaml: {key} must be a mapping (`{key}:` and indented lines `name: "
            f"value` below it), got {value!r}."
        )
