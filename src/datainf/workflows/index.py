"""Index: a store that answers many queries approximately, with its recall measured.

An index folder holds `cells.faiss` and `index.json`, which names the store and says
what share of the true 10 best rows the index found for queries of its own. `search`
with `index=` multiplies what the index gives exactly again, so its scores are right and
only rows may be missing.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from datainf.core.canonical import canonical_json, sha256_of
from datainf.core.durable import write_durably
from datainf.core.errors import OptionError, StoreError
from datainf.core.options import Order
from datainf.core.places import local_path
from datainf.estimators.search import search_rows
from datainf.integrations.faiss_index import build_cells, nearest_rows
from datainf.store.memory import InMemorySource
from datainf.store.reader import GradientStore

CELLS, ABOUT = "cells.faiss", "index.json"
_BEST, _ASKED = 10, 32
# Candidates for each row that is wanted: the byte a number puts some a little too low.
_MORE = 10


@dataclass(frozen=True)
class ApproximateIndex:
    """What is known of an index.

    Attributes:
        store: Hash of the manifest of the store that it is of.
        cells: Cells of rows.
        probes: Of which a query looks into so many.
        recall: Share of the true 10 best rows that it found, over `asked` queries, each
            the sum of two rows of the store.
        asked: How many they were.
    """

    store: str
    cells: int
    probes: int
    recall: float
    asked: int


def build_index(
    train: GradientStore,
    out: str | Path,
    *,
    cells: int | None = None,
    probes: int = 16,
    seed: int = 0,
) -> ApproximateIndex:
    """Build an approximate index of a store, and measure what it finds.

    Args:
        train: The store; read four times.
        out: A new or empty folder.
        cells: Cells of rows; 4 √N when not given.
        probes: Cells that a query looks into: more find more and take longer.
        seed: Of the cells.

    Returns:
        What is known of it, its recall first of all.

    Raises:
        OptionError: If faiss is not installed, or the folder holds something.
    """
    folder = local_path(out)
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise OptionError(f"{folder} is not empty; give a new folder for the index.")
    count = min(len(train), cells or max(1, round(4 * len(train) ** 0.5)))
    probes = min(probes, count)
    build_cells(train, folder / CELLS, cells=count, seed=seed)
    chance = torch.Generator().manual_seed(seed)
    pairs = torch.randint(len(train), (2, min(_ASKED, len(train))), generator=chance)
    first, second = (train.take(numbers.tolist())[0] for numbers in pairs)
    asked = {name: first[name].float() + second[name].float() for name in first}
    right = search_rows(asked, train, k=_BEST).places
    found = _nearest(folder, asked, right.shape[1] * _MORE, probes)
    hits = [
        int(torch.isin(best, near).sum())
        for best, near in zip(right, found, strict=True)
    ]
    made = ApproximateIndex(
        store=_named(train),
        cells=count,
        probes=probes,
        recall=sum(hits) / right.numel(),
        asked=len(right),
    )
    write_durably(folder / ABOUT, [canonical_json(asdict(made)).encode()])
    return made


def open_index(folder: str | Path, train: GradientStore) -> ApproximateIndex:
    """Read what is known of an index.

    Args:
        folder: The index.
        train: The store that it must be of.

    Returns:
        What is known of it.

    Raises:
        StoreError: If it is no index, or one of another store.
    """
    path = local_path(folder) / ABOUT
    try:
        found = ApproximateIndex(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        raise StoreError(
            f"{folder} is no index: it has no {ABOUT} that can be read; make one with "
            "datainf.build_index(store, folder)."
        ) from None
    if found.store != _named(train):
        raise StoreError(
            f"{folder} is the index of another store than {train.path}, or of what "
            "that was before; build it anew."
        )
    return found


def shortlisted(
    folder: str | Path,
    train: GradientStore,
    vectors: Mapping[str, Tensor],
    *,
    k: int,
    order: Order,
) -> tuple[InMemorySource, list[int]]:
    """Read the rows that an index gives for some queries.

    Args:
        folder: The index.
        train: Its store.
        vectors: Block -> x, `[Q, d]`.
        k: How many rows a query wants.
        order: Which end of the scores.

    Returns:
        The rows of all queries, and their places in the store, rising.
    """
    probes = open_index(folder, train).probes
    count = min(len(train), k * _MORE)
    signs = {Order.PROPONENTS: (1,), Order.OPPONENTS: (-1,), Order.MAGNITUDE: (1, -1)}
    found = [
        _nearest(
            local_path(folder),
            {name: sign * x for name, x in vectors.items()},
            count,
            probes,
        )
        for sign in signs[order]
    ]
    places = torch.unique(torch.cat(found))
    kept: list[int] = places[places >= 0].tolist()
    return InMemorySource(train.take(kept)[0], train.layout), kept


def _nearest(
    folder: Path, vectors: Mapping[str, Tensor], count: int, probes: int
) -> Tensor:
    """Ask the index, with the blocks of x side by side."""
    x = torch.cat([x.to("cpu", torch.float32) for x in vectors.values()], dim=1)
    return nearest_rows(folder / CELLS, x, count=count, probes=probes)


def _named(train: GradientStore) -> str:
    """Name a store by its manifest, whose hashes cover every row."""
    return sha256_of(train.manifest.to_bytes().decode())
