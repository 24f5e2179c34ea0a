"""The words that options take, and the one place where each option is described.

Command-line help, docs and `run.yaml` all read the descriptions from here.
"""

import math
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from datainf.core.errors import OptionError, near
from datainf.core.side_projection import SideProjection
from datainf.core.store_dtype import StoreDtype

_Word = TypeVar("_Word", bound=StrEnum)


class Blocks(StrEnum):
    """Which tensors share one curvature block."""

    TENSOR = "tensor"
    """Every adapter tensor by itself, as in the paper."""
    MODULE = "module"
    """The tensors of one adapted module together (A with B, weight with bias)."""
    LAYER = "layer"
    """Everything in one layer of the model together."""
    ALL = "all"
    """One joint block: no block-diagonal approximation at all."""


class Normalize(StrEnum):
    """What training gradients are divided by before curvature and scores."""

    NONE = "none"
    """Nothing: the paper's scores."""
    EXAMPLE = "example"
    """Each training gradient's length over all blocks, so that each counts the same."""
    BLOCK = "block"
    """Its length within each block alone, so that each block counts the same too."""
    RELATIF = "relatif"
    """The root of the example's self-influence (RelatIF): scores only, at the price of
    as many queries as there are examples."""

    @property
    def scales_rows(self) -> bool:
        """Whether gradients are divided, and not the scores."""
        return self in (Normalize.EXAMPLE, Normalize.BLOCK)


class Order(StrEnum):
    """Which end of the scores comes first."""

    PROPONENTS = "proponents"
    """Most negative first: up-weighting the example lowers the query's loss."""
    OPPONENTS = "opponents"
    """Most positive first: up-weighting the example raises the query's loss."""
    MAGNITUDE = "magnitude"
    """Largest absolute score first, the paper's "most influential" (Fig. 3)."""


class Output(StrEnum):
    """What of an example is differentiated."""

    LOSS = "loss"
    """Its loss at its own label: what it taught, or what is asked about."""
    MARGIN = "margin"
    """log(p / (1 - p)) of its label, the mean over its label tokens."""
    SAMPLED = "sampled"
    """Its loss at labels drawn from the model: rows for the curvature alone."""


class Fisher(StrEnum):
    """Which gradients the curvature is made of."""

    EMPIRICAL = "empirical"
    """Those of the training examples, at their labels, as in the paper."""
    SAMPLED = "sampled"
    """Those at labels drawn from the model, an unbiased estimate of its Fisher."""


class Parameters(StrEnum):
    """Which trained parameters are collected."""

    ALL = "all"
    """Everything the adapter trains."""
    PAPER = "paper"
    """LoRA matrices and the last weight of the trained head, as the paper does."""


class OnNonfinite(StrEnum):
    """What becomes of an example whose loss or gradient is NaN or infinite."""

    REFUSE = "refuse"
    """The run stops and names it."""
    SKIP = "skip"
    """It is left out, counted and named."""


class Precision(StrEnum):
    """Number format of the base model's weights, in training and for gradients."""

    FLOAT32 = "float32"
    """4 bytes a weight: gradients without rounding noise, whatever the base is in."""
    BFLOAT16 = "bfloat16"
    """2 bytes a weight, about 3 digits."""
    FLOAT16 = "float16"
    """2 bytes a weight, about 4 digits, and a small range."""
    AUTO = "auto"
    """As the checkpoint says."""
    INT8 = "int8"
    """A byte a weight of the linear layers, by bitsandbytes; the rest float32."""
    INT4 = "int4"
    """Half a byte a weight of the linear layers (NF4), by bitsandbytes; the rest
    float32."""


class DeviceMap(StrEnum):
    """How a base model that is too large for one GPU is split over those there are."""

    AUTO = "auto"
    """As accelerate thinks best; today that is `balanced`."""
    BALANCED = "balanced"
    """The same on each GPU."""
    BALANCED_LOW_0 = "balanced_low_0"
    """Likewise, with as little as can be on the first."""
    SEQUENTIAL = "sequential"
    """The first GPU is filled, then the next."""


class Reduction(StrEnum):
    """How the losses of one example's tokens become one number."""

    MEAN = "mean"
    """Mean over the label tokens."""
    SUM = "sum"
    """Sum over the label tokens: what a token-averaging trainer adds up."""


def word(kind: type[_Word], given: object, option: str) -> _Word:
    """Turn what the user wrote into a word of an option.

    Args:
        kind: The option's words.
        given: What came, a string or a member.
        option: The option's name, for the message.

    Returns:
        The member.

    Raises:
        OptionError: If there is no such word; the message lists those there are.
    """
    try:
        # Anything may come from outside; the enum refuses what it does not hold.
        return kind(given)  # type: ignore[arg-type]
    except ValueError:
        known = near(str(given), [member.value for member in kind])
        raise OptionError(f"{option}={given!r} is unknown: {known}.") from None


def number(
    given: object,
    option: str,
    *,
    least: float,
    below: float = math.inf,
    whole: bool = False,
) -> float | int:
    """Check a number that a user gave; YAML reads `1e-3` as text, which is accepted.

    Args:
        given: What came.
        option: The option's name, for the message.
        least: The smallest value allowed.
        below: The values must lie below it.
        whole: Whether it counts something.

    Returns:
        The number.

    Raises:
        OptionError: If it is none, or outside the range.

    Examples:
        >>> number("1e-3", "damping", least=0)
        0.001
    """
    kind = "a whole number" if whole else "a number"
    wanted = f"{kind} of at least {least:g}"
    if below < math.inf:
        wanted += f" and below {below:g}"
    readable = isinstance(given, (int, float, str)) and not isinstance(given, bool)
    try:
        value = float(given) if readable else math.nan  # type: ignore[arg-type]
    except ValueError:
        value = math.nan
    if not least <= value < below or (whole and value != int(value)):
        raise OptionError(f"{option} must be {wanted}, got {given!r}.")
    return int(value) if whole else value


AUTO = "auto"
"""The damping that is chosen from the gradients themselves."""


def described(default: Any, text: str, *, late: bool = False) -> Any:
    """Make a dataclass field that carries its own description.

    Args:
        default: The default value; mutable ones are copied.
        text: One sentence, shown in help and docs.
        late: Whether it joined run.yaml after its format was frozen: written only where
            it is not the default, so that other runs keep their files to the byte.

    Returns:
        The field.
    """
    metadata = {"help": text, "late": late}
    if isinstance(default, (dict, list)):
        return field(default_factory=lambda: type(default)(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def help_of(owner: type, name: str) -> str:
    """Give the description of an option.

    Args:
        owner: One of the option classes.
        name: The field's name.

    Returns:
        Its sentence.
    """
    (found,) = [f for f in fields(owner) if f.name == name]
    return str(found.metadata["help"])


@dataclass(frozen=True, kw_only=True)
class CollectOptions:
    """How gradients are gathered and kept."""

    dtype: StoreDtype | str = described(
        StoreDtype.FP32,
        "Number format of the stored gradients: fp32, bf16, fp16 or int8 (with a scale "
        "for each row and block).",
    )
    project: int | None = described(
        None,
        "Small stores: each side of a tensor's gradient is projected at random to at "
        "most so many numbers; not at all when not given.",
        late=True,
    )
    project_seed: int = described(0, "Chooses the projection.", late=True)
    parameters: Parameters | str = described(
        Parameters.ALL,
        "Which trained parameters: all, or paper (LoRA matrices and the head's last "
        "weight).",
    )
    output: Output | str = described(
        Output.LOSS,
        "What is differentiated: loss; margin (log of p over 1 - p of the label, as "
        "TRAK); or sampled (the loss at labels drawn from the model, for curvature).",
    )
    samples: int = described(
        1,
        "Labels drawn for each example, where the Fisher or the output is sampled.",
        late=True,
    )
    sample_seed: int = described(0, "Chooses the labels that are drawn.", late=True)
    batch_tokens: int | None = described(
        None,
        "Most padded tokens in one batch, halved when memory runs out; of itself that "
        "of the store that is there, or 1024 on a CPU and 4096 elsewhere.",
    )
    shard_rows: int | None = described(
        None,
        "Examples a shard; chosen from the row's size (about 64 MiB) when not given.",
    )
    store_text: bool = described(
        True, "Keep each example's text beside the gradients, for reports."
    )
    on_nonfinite: OnNonfinite | str = described(
        OnNonfinite.REFUSE,
        "An example whose loss or gradient is NaN or infinite: refuse (the run stops "
        "and names it) or skip (it is left out, counted and named).",
        late=True,
    )
    reuse: str | Path | None = described(
        None,
        "An older store of the same model and options: rows that did not change are "
        "taken from it.",
    )
    factors: bool = described(
        False,
        "Gather Kronecker factors too, for ekfac; a store that is there gets them by "
        "one more pass.",
        late=True,
    )

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            OptionError: If a value is outside its range.
        """
        object.__setattr__(self, "dtype", word(StoreDtype, self.dtype, "dtype"))
        object.__setattr__(
            self, "parameters", word(Parameters, self.parameters, "parameters")
        )
        object.__setattr__(
            self, "on_nonfinite", word(OnNonfinite, self.on_nonfinite, "on_nonfinite")
        )
        if self.reuse is not None:  # a Path in a program, a text in run.yaml
            object.__setattr__(self, "reuse", str(self.reuse))
        object.__setattr__(self, "output", word(Output, self.output, "output"))
        for name in ("batch_tokens", "shard_rows", "samples", "project"):
            given = getattr(self, name)
            if given is not None:
                value = number(given, name, least=1, whole=True)
                object.__setattr__(self, name, value)
        for name in ("sample_seed", "project_seed"):
            seed = number(getattr(self, name), name, least=0, whole=True)
            object.__setattr__(self, name, seed)

    @property
    def projection(self) -> SideProjection | None:
        """How gradients are projected; None for not at all."""
        if self.project is None:
            return None
        return SideProjection(self.project, self.project_seed)

    @property
    def draws(self) -> bool:
        """Whether it says anything about how labels are drawn."""
        return (self.samples, self.sample_seed) != (1, 0)


@dataclass(frozen=True, kw_only=True)
class ScoreOptions:
    """How gradients become scores. `None` means: as the method's own default says."""

    method: str = described(
        "datainf", "The estimator; `datainf methods` lists them with their formulas."
    )
    damping: float | str | None = described(
        None,
        "λ of a block = damping × its mean squared gradient entry; the paper's is 0.1. "
        "auto: chosen for each block by how well its inverse does on rows held out.",
    )
    blocks: Blocks | str | None = described(
        None, "Which tensors share a curvature block: tensor, module, layer or all."
    )
    normalize: Normalize | str | None = described(
        None,
        "none; example: scale every training gradient to unit length over all blocks; "
        "block: within each block; relatif: divide scores by the root of the example's "
        "self-influence.",
    )
    fisher: Fisher | str = described(
        Fisher.EMPIRICAL,
        "What the curvature is made of: empirical (the training gradients), or sampled "
        "(gradients at labels drawn from the model).",
        late=True,
    )
    options: dict[str, Any] = described(
        {}, "Further options of the method itself, such as LiSSA's steps."
    )
    keep_blocks: bool = described(
        False,
        "Keep the score of every block by itself too ([groups, Q, N]): the report then "
        "says which layers scores come from.",
    )
    agreement: bool | None = described(
        None,
        "Rank correlation with exact, query by query: true, false, or only where exact "
        "takes seconds, which is the default.",
        late=True,
    )

    def __post_init__(self) -> None:
        """Check words and numbers.

        Raises:
            OptionError: If a value is outside its range.
        """
        if self.agreement not in (None, True, False):
            raise OptionError(
                f"agreement must be true, false or left out, got {self.agreement!r}."
            )
        object.__setattr__(self, "fisher", word(Fisher, self.fisher, "fisher"))
        if self.damping is not None and self.damping != AUTO:
            value = number(self.damping, "damping", least=0)
            object.__setattr__(self, "damping", value)
        if self.blocks is not None:
            object.__setattr__(self, "blocks", word(Blocks, self.blocks, "blocks"))
        if self.normalize is not None:
            object.__setattr__(
                self, "normalize", word(Normalize, self.normalize, "normalize")
            )
