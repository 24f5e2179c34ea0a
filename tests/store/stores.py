"""Tiny stores for tests: N=7 rows in shards of 3, two blocks of d=10 and d=3.

Numbers are eighths below 4, exact in every number format, and so are their squares'
sums: golden files do not depend on the machine that adds them up.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from datainf.core.identity import Identity
from datainf.core.layout import Layout
from datainf.core.options import CollectOptions
from datainf.core.store_dtype import StoreDtype
from datainf.store.reader import GradientStore, open_store
from datainf.store.start import Asked
from datainf.store.writer import PendingShard, StoreWriter

N, SHARD_ROWS = 7, 3
LAYOUT = Layout.from_shapes(
    {"h.0.q.lora_A.weight": (2, 5), "h.0.q.lora_B.weight": (3,)}
)
INDEX = (0, 1, 2, 5, 7, 11, 13)
IDENTITY = Identity(
    base="b" * 64,
    adapter="a" * 64,
    task={"name": "causal-lm", "max_length": 128, "turns": ("all",)},
    data="d" * 64,
    about={"model": "tiny"},
)
OPTIONS = CollectOptions(batch_tokens=64, shard_rows=SHARD_ROWS)
COVERAGE = [{"block": name, "by": "linear"} for name in LAYOUT.names]
VERSION = "0.1.0"


def examples(text: bool = True) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "index": INDEX,
            "hash": [f"{i:064x}" for i in INDEX],
            "tokens": [3 + i for i in range(N)],
        }
    )
    if text:
        table["text"] = [f"example {i}: naïve ☃" for i in INDEX]
    return table


def gradients(layout: Layout = LAYOUT, rows: int = N) -> dict[str, Tensor]:
    made = {}
    for k, (name, size) in enumerate(layout.sizes.items()):
        numbers = torch.arange(rows * size).reshape(rows, size)
        made[name] = ((numbers * 7 + 3 * k) % 61 - 30) / 8
    return made


def losses(rows: int = N) -> Tensor:
    return torch.arange(rows) / 4 + 1


def opened(path: Path, **changes: Any) -> StoreWriter:
    """Open a writer over the tiny store, some of it changed."""
    return StoreWriter.open(path, asked(**changes))


def asked(**changes: Any) -> Asked:
    """Ask for the tiny store, some of it changed."""
    options = changes.get("options", OPTIONS)
    return Asked(
        **{
            "layout": LAYOUT,
            "identity": IDENTITY,
            "options": options,
            "examples": examples(options.store_text),
            "coverage": COVERAGE,
            "library_version": VERSION,
            **changes,
        }
    )


def write_pending(
    writer: StoreWriter, before: Callable[[PendingShard], None] = lambda _: None
) -> None:
    """Write what is missing; each shard asks for memory once, if it has not before."""
    rows = gradients()
    for shard in writer.pending_shards():
        before(shard)
        if shard.number == 1 and not shard.halved_at:
            writer.record_halving(1, 0)
            writer.record_halving(1, 2)
        part = slice(shard.rows.start, shard.rows.stop)
        writer.write_shard(
            shard.number,
            {name: tensor[part] for name, tensor in rows.items()},
            losses()[part],
            torch.tensor(INDEX)[part],
        )


def write_store(path: Path, dtype: StoreDtype | str = StoreDtype.FP32) -> GradientStore:
    """Write the tiny store and open it."""
    options = CollectOptions(
        batch_tokens=64, shard_rows=SHARD_ROWS, dtype=StoreDtype(dtype)
    )
    with opened(path, options=options) as writer:
        write_pending(writer)
        writer.finish()
    return open_store(path)


def rounds_to(found: Tensor, rows: Tensor, dtype: StoreDtype) -> bool:
    """Say whether rows were read as their format must give the tiny store's."""
    if dtype is not StoreDtype.INT8:
        return bool(torch.equal(found.float(), rows))
    half = rows.abs().amax(dim=1, keepdim=True) / 254 * (1 + 2**-15)
    return bool(((found - rows).abs() <= half).all())


def big_store(path: Path, *, rows: int, size: int, shard_rows: int) -> GradientStore:
    """Write a store of one block of any size, full of ones."""
    # Margins, which every method takes.
    task = {**IDENTITY.task, "output": {"name": "margin"}}
    identity = replace(IDENTITY, task=task)
    layout = Layout.from_shapes({"w": (size,)})
    index = torch.arange(rows)
    table = pd.DataFrame({"index": index, "hash": ["0"] * rows, "tokens": [1] * rows})
    options = CollectOptions(shard_rows=shard_rows, store_text=False)
    with opened(
        path, layout=layout, identity=identity, options=options, examples=table
    ) as writer:
        for number, part, _ in writer.pending_shards():
            ones = {"w": torch.ones(len(part), size)}
            at = index[part.start : part.stop]
            writer.write_shard(number, ones, torch.ones(len(part)), at)
        writer.finish()
    return open_store(path)


def files(path: Path) -> dict[str, bytes]:
    """Read a folder."""
    return {entry.name: entry.read_bytes() for entry in sorted(path.iterdir())}
