"""The options of `evaluate`: how scores are compared with retraining."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from datainf.core.errors import OptionError
from datainf.core.options import described, number, word


class BatchOrder(StrEnum):
    """What becomes of the batches when training is repeated without some examples."""

    RESHUFFLED = "reshuffled"
    """The rest is a smaller data set: batches of its own, and fewer steps."""
    KEPT = "kept"
    """Same batches and steps; a removed example counts 0 in the loss of its batch."""


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """How scores are compared with retraining."""

    methods: Sequence[str] = described(
        [],
        "Scores to judge, such as exact or exact:damping=1/10,normalize=none/example "
        "(every combination); also loss, tfidf and random; repeatable.",
    )
    scores: Sequence[str] = described(
        [], "Folder of saved scores to judge; repeatable."
    )
    remove: Sequence[float] = described(
        [0.5], "Share of the training examples that a subset leaves out; repeatable."
    )
    order: Sequence[BatchOrder | str] = described(
        [BatchOrder.RESHUFFLED],
        "Batches of a retraining: reshuffled (a smaller data set, fewer steps) or kept "
        "(same batches and steps, removed examples count 0); repeatable.",
    )
    subsets: int = described(50, "Random subsets for each share and order.")
    twins: int = described(
        10, "Subsets trained again with another seed, for the noise ceiling."
    )
    examples: Sequence[int] = described(
        [], "Training examples to leave out one by one, by number; repeatable."
    )
    drop: Sequence[int] = described(
        [10], "How many of the strongest proponents are dropped at once; repeatable."
    )
    each: int | None = described(
        None,
        "Drop the proponents of each of the first so many queries by itself; those of "
        "the mean over all queries when not given.",
    )
    subset_seed: int = described(0, "Draws the subsets and the random sets.")
    workers: int = described(
        1, "Processes that work at the same time, one torch thread each."
    )
    diverged: int = described(
        2, "Most retrainings that may end in NaN; they are left out and named."
    )
    retrained: str | None = described(
        None,
        "Folder of the finished retrainings; retrained/ of the run when not given.",
    )

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            OptionError: If a share is not between 0 and 1.
        """
        settle = object.__setattr__
        for name in ("methods", "scores", "remove", "order", "examples", "drop"):
            given = getattr(self, name)
            listed = isinstance(given, (list, tuple))
            settle(self, name, tuple(given) if listed else (given,))
        settle(self, "order", tuple(word(BatchOrder, o, "order") for o in self.order))
        shares = tuple(number(r, "remove", least=0, below=1) for r in self.remove)
        if 0 in shares:
            raise OptionError("remove must be above 0 and below 1, got 0.")
        settle(self, "remove", shares)
        least = {
            "subsets": 3,
            "twins": 0,
            "subset_seed": 0,
            "workers": 1,
            "diverged": 0,
        }
        if self.each is not None:
            least["each"] = 1
        for name, smallest in least.items():
            value = number(getattr(self, name), name, least=smallest, whole=True)
            settle(self, name, value)
        for name, smallest in (("examples", 0), ("drop", 1)):
            numbers = (
                number(one, name, least=smallest, whole=True)
                for one in getattr(self, name)
            )
            settle(self, name, tuple(numbers))
