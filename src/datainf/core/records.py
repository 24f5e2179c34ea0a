"""Scores: what every method returns, with where it came from.

Needs numpy and pandas, no torch.

Q queries, N candidates (training examples), G curvature groups. Everywhere: negative =
proponent (up-weighting the example lowers the query's loss), positive = opponent.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datainf.core.canonical import canonical_json
from datainf.core.durable import flush_folder, write_durably
from datainf.core.errors import NonFiniteError, OptionError, StoreError, near_path
from datainf.core.groups import Reduce, group_table, members_of
from datainf.core.options import Order, word

SCORES_FORMAT = 1
HEAD = "scores.json"

_Array = NDArray[np.floating]


@dataclass(frozen=True)
class Provenance:
    """How scores came about; enough to make them again.

    Attributes:
        method: The estimator's public name.
        options: Every option with the value that was used.
        version: The library's version.
        sources: Identity of the candidates', the curvature's and the queries' store, as
            dictionaries; empty for plain tensors.
        notes: What the method has to say about its own work, such as LiSSA's verdict.
    """

    method: str
    options: Mapping[str, Any] = field(default_factory=dict)
    version: str = ""
    sources: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def _unmeasured() -> NDArray[np.floating]:
    return np.empty(0)


@dataclass(frozen=True, eq=False)
class Scores:
    """Influence of N training examples on Q queries.

    Attributes:
        values: `[Q, N]`; negative = proponent.
        groups: Names of the G curvature groups.
        residual: `[Q, G]` in [0, 1]: min over c of ‖c (H + λI) x − v‖ / ‖v‖, how well
            the system named by the method was solved; NaN where it solves none.
        scale: `[Q, G]`, that c; NaN likewise.
        provenance: Method, options, sources.
        train: One row a candidate: `index` in the training data, `text` where kept.
        queries: One row a query, likewise.
        per_block: `[G, Q, N]`, summing to `values`; only with `keep_blocks=True`.
        agreement: `[Q]` in [−1, 1]: Spearman's rank correlation with the scores of
            `exact` on the same rows and options; NaN where it was not computed.
    """

    values: NDArray[np.floating]
    groups: tuple[str, ...]
    residual: NDArray[np.floating]
    scale: NDArray[np.floating]
    provenance: Provenance
    # A table without columns stands for one of positions, which __post_init__ makes.
    train: pd.DataFrame = field(default_factory=pd.DataFrame)
    queries: pd.DataFrame = field(default_factory=pd.DataFrame)
    per_block: NDArray[np.floating] | None = None
    # An empty one stands for NaN throughout, which __post_init__ makes.
    agreement: NDArray[np.floating] = field(default_factory=_unmeasured)

    def __post_init__(self) -> None:
        """Fill in the row tables and check shapes and finiteness.

        Raises:
            OptionError: If shapes do not fit each other.
            NonFiniteError: If a score is NaN or infinite; names the first.
        """
        if self.values.ndim != 2:
            raise OptionError(
                f"scores.values must be [Q, N], got {list(self.values.shape)}."
            )
        q, n = self.values.shape
        for name, rows in (("train", n), ("queries", q)):
            table = getattr(self, name)
            if not len(table.columns):
                object.__setattr__(self, name, pd.DataFrame({"index": np.arange(rows)}))
            elif len(table) != rows or "index" not in table:
                raise OptionError(
                    f"scores.{name} must be a table of {rows} rows with a column "
                    f"'index', got {len(table)} rows with {list(table.columns)}."
                )
        if not len(self.agreement):
            object.__setattr__(self, "agreement", np.full(q, np.nan))
        self._require_shapes()
        if self.per_block is not None and not np.isfinite(self.per_block).all():
            group = self.groups[int(np.argwhere(~np.isfinite(self.per_block))[0][0])]
            raise NonFiniteError(
                f"scores of block {group} hold NaN or infinity; check the gradients "
                "with `datainf verify`."
            )
        if not np.isfinite(self.values).all():
            row, column = np.argwhere(~np.isfinite(self.values))[0]
            raise NonFiniteError(
                f"score of query {row} and training example {column} is "
                f"{self.values[row, column]}; check the gradients with "
                "`datainf verify`."
            )

    def _require_shapes(self) -> None:
        """Refuse arrays that do not fit the values."""
        q, n = self.values.shape
        solved = (q, len(self.groups))
        expected: dict[str, tuple[int, ...]] = {
            "residual": solved,
            "scale": solved,
            "agreement": (q,),
        }
        if self.per_block is not None:
            expected["per_block"] = (len(self.groups), q, n)
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise OptionError(
                    f"scores.{name} must have shape {list(shape)}, "
                    f"got {list(getattr(self, name).shape)}."
                )

    def with_rows(
        self, *, train: pd.DataFrame | None = None, queries: pd.DataFrame | None = None
    ) -> "Scores":
        """Attach tables that describe the candidates and the queries.

        Args:
            train: N rows with `index` and whatever else is known, or None to keep.
            queries: Q rows likewise.

        Returns:
            New scores with the same values.
        """
        return replace(
            self,
            train=self.train if train is None else train,
            queries=self.queries if queries is None else queries,
        )

    def top(
        self,
        k: int = 10,
        order: Order | str = Order.PROPONENTS,
        *,
        query: int | None = None,
    ) -> pd.DataFrame:
        """List the training examples that matter most to each query.

        Args:
            k: How many a query; all when there are fewer.
            order: `proponents` (most negative first), `opponents` (most positive first)
                or `magnitude` (largest absolute first: the paper's most influential).
            query: Only this row of `values`; every query when None.

        Returns:
            Columns `query`, `rank` (from 1), `train` (index in the training data),
            `score` and, where kept, `text`. Ties keep the data's order.

        Raises:
            OptionError: If `k` is below 1, the order unknown or the query not there.
        """
        chosen = word(Order, order, "order")
        if k < 1:
            raise OptionError(f"top: k must be at least 1, got {k}.")
        rows = range(len(self.values)) if query is None else [query]
        if query is not None and not 0 <= query < len(self.values):
            raise OptionError(
                f"top: query {query} is not there; scores hold queries 0 to "
                f"{len(self.values) - 1}."
            )
        keys: dict[Order, Callable[[_Array], _Array]] = {
            Order.PROPONENTS: lambda row: row,
            Order.OPPONENTS: lambda row: -row,
            Order.MAGNITUDE: lambda row: -np.abs(row),
        }
        key = keys[chosen]
        parts = []
        for row in rows:
            best = np.argsort(key(self.values[row]), kind="stable")[:k]
            known = self.train.iloc[best]
            part = pd.DataFrame(
                {
                    "query": self.queries["index"].iloc[row],
                    "rank": np.arange(1, len(best) + 1),
                    "train": known["index"].to_numpy(),
                    "score": self.values[row, best],
                }
            )
            for column in known.columns:
                if column not in {"index", *part.columns}:
                    part[column] = known[column].to_numpy()
            parts.append(part)
        return pd.concat(parts, ignore_index=True)

    def by_group(
        self,
        groups: str | Sequence[Any] | Mapping[Any, Sequence[int]],
        reduce: Reduce | str = Reduce.SUM,
    ) -> pd.DataFrame:
        """Add up the influence of sets of training examples (see core/groups.py).

        Args:
            groups: A column of `train`, N labels, or name -> training indices.
            reduce: `sum`, or `mean` with a 95 % interval.

        Returns:
            Columns `query`, `group`, `examples`, `score`, for `mean` also `low` and
            `high`; the most negative group of each query first.
        """
        members = members_of(groups, self.train)
        return group_table(self.values, members, list(self.queries["index"]), reduce)

    def to_pandas(self) -> pd.DataFrame:
        """Give all scores as one table.

        Returns:
            N rows named by training index, Q columns named by query index.
        """
        return pd.DataFrame(
            self.values.T,
            index=pd.Index(self.train["index"], name="train"),
            columns=pd.Index(self.queries["index"], name="query"),
        )

    def save(self, path: str | Path) -> Path:
        """Write the scores into a folder; `load` gives them back equal.

        Killed at whatever moment, or on a full disk, it leaves these scores, the ones
        that lay there, or none: never parts of both.

        Args:
            path: Folder, made if need be.

        Returns:
            The folder.

        Raises:
            StoreError: If the folder cannot be written to, or the disk is full.
        """
        folder = Path(path)
        try:
            self._write(folder)
        except OSError as error:
            raise StoreError(
                f"the scores could not be written to {folder}: {error.strerror}; free "
                "some space or choose another folder, and score again."
            ) from error
        return folder

    def _write(self, folder: Path) -> None:
        """Write every file, the head last: without it nothing is read."""
        from safetensors.numpy import save

        folder.mkdir(parents=True, exist_ok=True)
        arrays = {"values": self.values, "residual": self.residual, "scale": self.scale}
        if self.per_block is not None:
            arrays["per_block"] = self.per_block
        if np.isfinite(self.agreement).any():
            arrays["agreement"] = self.agreement
        head = {
            "format": SCORES_FORMAT,
            "groups": list(self.groups),
            "provenance": {
                "method": self.provenance.method,
                "options": dict(self.provenance.options),
                "version": self.provenance.version,
                "sources": dict(self.provenance.sources),
                "notes": list(self.provenance.notes),
            },
        }
        contents = {
            "values.safetensors": save(
                {name: np.ascontiguousarray(array) for name, array in arrays.items()}
            ),
            "train.parquet": self.train.to_parquet(index=False),
            "queries.parquet": self.queries.to_parquet(index=False),
            HEAD: canonical_json(head).encode(),
        }
        (folder / HEAD).unlink(missing_ok=True)
        flush_folder(folder)
        for name, content in contents.items():
            write_durably(folder / name, [content])

    @classmethod
    def load(cls, path: str | Path) -> "Scores":
        """Read what `save` wrote.

        Args:
            path: The folder.

        Returns:
            The scores.

        Raises:
            StoreError: If the folder holds no scores, damaged ones, or those of another
                format.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        folder = Path(path)
        head_path = folder / HEAD
        if not head_path.is_file():
            raise StoreError(
                f"{folder} holds no scores (no scores.json); make them with "
                "`datainf score` or `datainf attribute`"
                f"{(not folder.exists() and near_path(folder)) or '.'}"
            )
        try:
            head = json.loads(head_path.read_text(encoding="utf-8"))
            if head["format"] != SCORES_FORMAT:
                raise StoreError(
                    f"{folder} holds scores of format {head['format']!r}, this version "
                    f"reads {SCORES_FORMAT}; use the datainf that wrote them, or score "
                    "the stores again."
                )
            made = head["provenance"]
            return cls(
                **load_file(folder / "values.safetensors"),
                groups=tuple(head["groups"]),
                provenance=Provenance(**{**made, "notes": tuple(made["notes"])}),
                train=pd.read_parquet(folder / "train.parquet"),
                queries=pd.read_parquet(folder / "queries.parquet"),
            )
        except StoreError:
            raise
        # Whatever a damaged file makes its reader raise, the answer is the same.
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise StoreError(
                f"{folder} holds damaged or incomplete scores ({error}); score the "
                "stores again."
            ) from error
