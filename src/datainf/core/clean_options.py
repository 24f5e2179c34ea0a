"""The options of `clean` and `select`: from scores to another data set."""

from dataclasses import dataclass
from enum import StrEnum

from datainf.core.errors import OptionError
from datainf.core.options import described, number, word


class Action(StrEnum):
    """What becomes of the suspicious rows."""

    DROP = "drop"
    """They are left out."""
    RELABEL = "relabel"
    """They get the label that the tuned model gives them."""
    REVIEW = "review"
    """They are written down with reasons, for a person to decide."""


class ReviewTool(StrEnum):
    """Which labelling tool a review queue is written for."""

    ARGILLA = "argilla"
    """Records of Argilla 2 as JSON, for `dataset.records.from_json`."""
    LABEL_STUDIO = "label-studio"
    """Tasks with predictions as JSON, for Label Studio's import."""


class By(StrEnum):
    """How the scores of several targets become one number a training row."""

    MEAN = "mean"
    """Their mean: what helps the target set as a whole."""
    BEST = "best"
    """The most negative one: what helps some target most."""


@dataclass(frozen=True, kw_only=True)
class CleanOptions:
    """What is done with the most suspicious rows of a run."""

    action: Action | str = described(
        Action.DROP,
        "drop the rows, relabel them as the tuned model would, or review: write them "
        "down with reasons.",
    )
    count: int | None = described(None, "How many of the most suspicious rows.")
    share: float | None = described(
        None, "Which share of the scored rows, the most suspicious ones; or count."
    )
    sure: float = described(
        0.0, "Relabel only where the model gives its label at least this probability."
    )
    tool: ReviewTool | str | None = described(
        None, "Write the review queue for argilla or label-studio."
    )
    retrain: bool = described(
        False,
        "Train the recipe again on the data as they were and as they are now, and "
        "compare on the test rows.",
    )
    test: str | None = described(
        None,
        "The test rows of retrain: a data file like the training data; rows that "
        "chose the suspects, or were trained on, are left out of it.",
    )
    test_split: str | None = described(None, "The split of the test data.")
    retrain_seeds: int = described(
        1, "Train each of them with so many seeds, from the recipe's own on."
    )

    def __post_init__(self) -> None:
        """Check the values, and that they fit each other.

        Raises:
            OptionError: If they do not.
        """
        settle = object.__setattr__
        settle(self, "action", word(Action, self.action, "action"))
        if self.tool is not None:
            settle(self, "tool", word(ReviewTool, self.tool, "tool"))
        if (self.count is None) == (self.share is None):
            raise OptionError(
                "say how many rows: either count (--count 30) or share (--share 0.1)."
            )
        if self.count is not None:
            settle(self, "count", number(self.count, "count", least=1, whole=True))
        if self.share is not None:
            share = number(self.share, "share", least=0, below=1)
            if not share:
                raise OptionError("share must be above 0 and below 1, got 0.")
            settle(self, "share", share)
        settle(self, "sure", number(self.sure, "sure", least=0, below=1))
        seeds = number(self.retrain_seeds, "retrain_seeds", least=1, whole=True)
        settle(self, "retrain_seeds", seeds)
        self._require_fitting()

    def _require_fitting(self) -> None:
        """Refuse an option that its action does not read."""
        if self.sure and self.action != Action.RELABEL:
            raise OptionError("sure says when to relabel; give action=relabel too.")
        if self.tool is not None and self.action != Action.REVIEW:
            raise OptionError(
                f"tool={str(self.tool)!r} is for a review queue; give action=review."
            )
        if self.retrain and self.action == Action.REVIEW:
            raise OptionError(
                "a review queue changes no data, so there is nothing to retrain; drop "
                "or relabel rows, or leave retrain out."
            )
        if self.retrain and self.test is None:
            raise OptionError(
                "retrain compares on rows that chose no suspect; give them with test "
                "(--test FILE). To split one file, score with --queries-limit 200 and "
                "give the whole file as --test: the rows that were used are left out."
            )
        beside = (self.test, self.test_split)
        if not self.retrain and (any(beside) or self.retrain_seeds > 1):
            raise OptionError(
                "test, test_split and retrain_seeds belong to retrain; give it too."
            )

    def how_many(self, rows: int) -> int:
        """Say how many rows are meant.

        Args:
            rows: How many have scores.

        Returns:
            A number between 1 and `rows` less 1.

        Raises:
            OptionError: If none would be left, or none is chosen.
        """
        share = self.share or 0.0
        chosen = round(share * rows) if self.count is None else self.count
        if not 0 < chosen < rows:
            asked = f"share={share:g}" if self.count is None else f"count={self.count}"
            raise OptionError(
                f"{asked} of {rows} scored rows is {chosen}; it must be at least 1 and "
                "leave at least 1."
            )
        return chosen


@dataclass(frozen=True, kw_only=True)
class SelectOptions:
    """Which training rows are taken for a target set."""

    count: int = described(0, "How many rows.")
    by: By | str = described(
        By.MEAN,
        "mean: the rows that help the targets as a whole; best: those that help some "
        "target most.",
    )
    balance: str | None = described(
        None, "Column of the training data: take alike from each of its values."
    )

    def __post_init__(self) -> None:
        """Check the values."""
        settle = object.__setattr__
        settle(self, "count", number(self.count, "count", least=1, whole=True))
        settle(self, "by", word(By, self.by, "by"))
