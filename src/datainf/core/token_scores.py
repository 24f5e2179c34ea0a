"""Token scores: what each label token of a pair adds to the pair's score.

One table, a row a token: `query` and `train` (indices in the data), `side` (whose token
it is), `position` in its example, `token` as text, `score`; NaN for tokens that enter
no loss, such as a prompt's. Needs numpy and pandas, no torch.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datainf.core.durable import write_durably
from datainf.core.errors import OptionError, StoreError

COLUMNS = ("query", "train", "side", "position", "token", "score")


class Side(StrEnum):
    """Whose tokens they are."""

    TRAIN = "train"
    """The training example's."""
    QUERY = "query"
    """The query's."""


@dataclass(frozen=True, eq=False)
class TokenRow:
    """The tokens of one side of a pair.

    Attributes:
        query: Index of the query.
        train: Index of the training example.
        side: Whose tokens they are.
        tokens: Their texts, T of them; together they read as the example.
        scores: `[T]`, NaN where a token enters no loss; they sum to the pair's score.
    """

    query: Any
    train: Any
    side: Side
    tokens: tuple[str, ...]
    scores: NDArray[np.float64]

    @property
    def total(self) -> float:
        """The pair's score."""
        return float(np.nansum(self.scores))


@dataclass(frozen=True, eq=False)
class TokenScores:
    """Scores of pairs, token by token; negative = proponent.

    Attributes:
        table: The columns above, tokens of a side in their order.
    """

    table: pd.DataFrame

    def __post_init__(self) -> None:
        """Check the columns.

        Raises:
            OptionError: If they are others.
        """
        if tuple(self.table.columns) != COLUMNS:
            raise OptionError(
                f"token scores must have the columns {', '.join(COLUMNS)}, got "
                f"{', '.join(map(str, self.table.columns))}."
            )

    @classmethod
    def of(cls, rows: list[TokenRow]) -> "TokenScores":
        """Put the sides of pairs into one table."""
        parts = [
            pd.DataFrame(
                {
                    "query": row.query,
                    "train": row.train,
                    "side": str(row.side),
                    "position": np.arange(len(row.tokens)),
                    "token": row.tokens,
                    "score": row.scores,
                },
                columns=list(COLUMNS),
            )
            for row in rows
        ]
        none = pd.DataFrame(columns=list(COLUMNS))
        return cls(pd.concat(parts, ignore_index=True) if parts else none)

    def __iter__(self) -> Iterator[TokenRow]:
        """Go through the sides of all pairs, in order."""
        keys = ["query", "train", "side"]
        for (query, train, side), part in self.table.groupby(keys, sort=False):
            scores = part["score"].to_numpy(np.float64)
            yield TokenRow(query, train, Side(str(side)), tuple(part["token"]), scores)

    def to_pandas(self) -> pd.DataFrame:
        """Give the tokens that carry a score, one row each."""
        return self.table.dropna(subset="score").reset_index(drop=True)

    def show(self, strongest: int = 5) -> str:
        """Write each pair's text, and which tokens carry its score.

        Args:
            strongest: Tokens to name for each side, the largest by size first.

        Returns:
            Three lines a side: pair and score, text, tokens.
        """
        lines = []
        for row in self:
            order = np.argsort(-np.abs(np.nan_to_num(row.scores)), kind="stable")
            named = [
                f"{row.tokens[i]!r} {row.scores[i]:+.3g}"
                for i in order[:strongest]
                if np.isfinite(row.scores[i])
            ]
            whose = "training example" if row.side is Side.TRAIN else "query"
            lines += [
                f"query {row.query}, train {row.train}: {row.total:+.4g}, by token of "
                f"the {whose}",
                "  " + "".join(row.tokens).replace("\n", "\n  "),
                "  " + ", ".join(named),
            ]
        return "\n".join(lines)

    def save(self, path: str | Path) -> Path:
        """Write the table as one parquet file; `load` gives it back.

        Args:
            path: The file.

        Returns:
            The file.
        """
        write_durably(Path(path), [self.table.to_parquet(index=False)])
        return Path(path)

    @classmethod
    def load(cls, path: str | Path) -> "TokenScores":
        """Read what `save` wrote.

        Args:
            path: The file.

        Returns:
            The token scores.

        Raises:
            StoreError: If it is damaged or something else.
        """
        try:
            return cls(pd.read_parquet(path))
        except (OSError, ValueError) as error:  # an OptionError is a ValueError
            raise StoreError(
                f"{path} holds no token scores ({error}); attribute again with "
                "--tokens."
            ) from error
