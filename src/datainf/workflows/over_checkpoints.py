"""Score over several checkpoints: what must fit, and how it is recorded."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from datainf.core.checkpoint import Checkpoint, name_of
from datainf.core.errors import OptionError
from datainf.core.records import Scores
from datainf.core.source import GradientSource
from datainf.estimators.base import Estimator


def require_alone(
    checkpoints: Sequence[object],
    beside: Mapping[str, GradientSource | None],
    *,
    agreement: bool | None,
) -> None:
    """Refuse a list that is not of checkpoints, and what has no place beside one.

    Args:
        checkpoints: What came as `train`.
        beside: Other gradients that came, by name.
        agreement: Whether agreement is asked for.

    Raises:
        OptionError: If anything is wrong.
    """
    for one in checkpoints:
        if not isinstance(one, Checkpoint):
            raise OptionError(
                f"a list of training gradients must hold Checkpoint values, got a "
                f"{type(one).__name__}; give one source, or Checkpoint(train, queries) "
                "for each state of the adapter."
            )
    for name, source in beside.items():
        if source is not None:
            raise OptionError(
                f"each Checkpoint has its own {name}; leave {name}= out, and give it "
                f"in Checkpoint(..., {name}=...)."
            )
    if agreement:
        raise OptionError(
            "agreement compares with one system that exact solves, and each checkpoint "
            "has its own; leave agreement out."
        )


def scored_over(
    checkpoints: Sequence[Checkpoint],
    estimator: Estimator,
    *,
    grounds: Sequence[GradientSource],
    keep_blocks: bool,
) -> Scores:
    """Let the method combine the checkpoints.

    Args:
        checkpoints: Of the same rows.
        estimator: The method.
        grounds: The curvature's rows at each.
        keep_blocks: Keep the scores of every block too.

    Returns:
        The scores, with no rows attached yet.
    """
    whole = [
        replace(one, curvature=ground)
        for one, ground in zip(checkpoints, grounds, strict=True)
    ]
    return estimator.score_checkpoints(whole, keep_blocks=keep_blocks)


def all_sources(checkpoints: Sequence[Checkpoint]) -> dict[str, GradientSource]:
    """Name the gradients of every checkpoint for the record.

    Args:
        checkpoints: At least one.

    Returns:
        "train" and "queries" of the first, "train at checkpoint-20" and so on of the
        others.
    """
    found: dict[str, GradientSource] = {}
    for number, one in enumerate(checkpoints):
        at = f" at {name_of(one, number)}" if number else ""
        found[f"train{at}"], found[f"queries{at}"] = one.train, one.queries
    return found
