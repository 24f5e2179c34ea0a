"""Gradient stores of made-up numbers, for what depends on sizes alone."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import pandas as pd
import torch
from torch import Tensor

from datainf.core.identity import Identity
from datainf.core.layout import Layout
from datainf.core.options import CollectOptions
from datainf.store.reader import GradientStore, open_store
from datainf.store.start import Asked
from datainf.store.writer import StoreWriter


def write_store(
    path: Path,
    sizes: Mapping[str, int],
    rows: int,
    make: Callable[[int, int], Mapping[str, Tensor]],
    *,
    dtype: Literal["fp32", "fp16"] = "fp32",
    shard_rows: int = 250,
) -> GradientStore:
    """Write a store shard by shard.

    Args:
        path: Its folder, which must not hold a finished store.
        sizes: Block -> d.
        rows: N.
        make: Takes a shard's number and its rows' count, gives block -> `[rows, d]`.
        dtype: What the numbers are stored as.
        shard_rows: Rows a shard.

    Returns:
        The store, opened without checking its sums.
    """
    table = pd.DataFrame({"index": range(rows), "hash": "0" * 64, "tokens": 1})
    asked = Asked(
        layout=Layout.from_shapes({name: (size,) for name, size in sizes.items()}),
        identity=Identity("base", "adapter", {"name": "synthetic"}, "data"),
        options=CollectOptions(dtype=dtype, shard_rows=shard_rows, store_text=False),
        examples=table,
        coverage=[{"block": name, "by": "linear"} for name in sizes],
        library_version="0",
    )
    with StoreWriter.open(path, asked) as writer:
        for number, part, _ in writer.pending_shards():
            made = make(number, len(part))
            losses = torch.ones(len(part))
            writer.write_shard(number, made, losses, torch.tensor(part))
        writer.finish()
    return open_store(path, check=False)
