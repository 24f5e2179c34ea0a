"""The format, version 1: golden stores kept for ever, and a reader made from FORMAT.md.

A golden store is made by `tests/golden/make_golden.py`. The bytes of `examples.parquet`
belong to the parquet library's version, so that file is compared by its content, and
the manifest without its hash.
"""

import hashlib
import json
import math
import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from datainf.core.store_dtype import StoreDtype
from datainf.store.reader import open_store
from datainf.store.rounding import TORCH_DTYPES
from datainf.store.verify import verify
from tests.golden.make_golden import golden_store
from tests.store.stores import (
    IDENTITY,
    INDEX,
    LAYOUT,
    examples,
    files,
    gradients,
    losses,
    rounds_to,
    write_store,
)

DTYPES = list(StoreDtype)


def without_parquet_hash(manifest: bytes) -> dict:
    value = json.loads(manifest)
    del value["checksum"], value["examples"]["sha256"]
    return value


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_store_written_today_is_the_golden_one(tmp_path, dtype):
    write_store(tmp_path / "store", dtype)
    golden, today = files(golden_store(dtype)), files(tmp_path / "store")
    assert today.pop(".lock") == b""
    assert golden.keys() == today.keys()
    for name in golden:
        if name.startswith("shard-"):
            assert golden[name] == today[name]
    assert without_parquet_hash(golden["manifest.json"]) == without_parquet_hash(
        today["manifest.json"]
    )
    old, new = (
        pd.read_parquet(path / "examples.parquet")
        for path in (golden_store(dtype), tmp_path / "store")
    )
    pd.testing.assert_frame_equal(old, new)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_golden_store_is_read_as_it_was_meant(dtype):
    assert verify(golden_store(dtype)).faults == ()
    store = open_store(golden_store(dtype))
    assert store.layout == LAYOUT
    assert store.identity.differences(IDENTITY) == [
        "task turns: ['all'] against ('all',)"
    ]
    assert store.index.tolist() == list(INDEX)
    assert store.losses.tolist() == losses().tolist()
    pd.testing.assert_frame_equal(store.examples, examples(), check_dtype=False)
    parts = list(store.rows())
    for column, (name, rows) in enumerate(gradients().items()):
        found = torch.cat([part.gradients[name] for part in parts])
        kind = torch.float32 if dtype.scaled else TORCH_DTYPES[dtype]
        assert found.dtype == kind
        assert rounds_to(found, rows, dtype)
        norms = torch.cat([part.squared_norms[:, column] for part in parts])
        assert torch.equal(norms, found.double().square().sum(dim=1))


def read_by_the_page(folder: Path) -> dict[str, np.ndarray]:
    """Read a store with nothing but FORMAT.md, no code of ours and no safetensors."""
    text = (folder / "manifest.json").read_bytes()
    manifest = json.loads(text)
    assert manifest["format_version"] == 1
    canonical = json.dumps(manifest, sort_keys=True, indent=2, allow_nan=False) + "\n"
    assert canonical.encode() == text
    checksum = manifest.pop("checksum")
    rest = json.dumps(manifest, sort_keys=True, indent=2) + "\n"
    assert hashlib.sha256(rest.encode()).hexdigest() == checksum
    assert manifest["complete"] is True
    widths = {block["name"]: math.prod(block["shape"]) for block in manifest["layout"]}
    parts: dict[str, list[np.ndarray]] = {}
    for number, shard in enumerate(manifest["shards"]):
        assert shard["name"] == f"shard-{number:05d}.safetensors"
        assert shard["start"] == number * manifest["shard_rows"]
        data = (folder / shard["name"]).read_bytes()
        assert len(data) == shard["bytes"]
        assert hashlib.sha256(data).hexdigest() == shard["sha256"]
        (length,) = struct.unpack("<Q", data[:8])
        for name, tensor in json.loads(data[8 : 8 + length]).items():
            begin, end = tensor["data_offsets"]
            rows = numbers(data[8 + length :][begin:end], tensor["dtype"])
            shape = [shard["rows"]]
            shape += [widths[name]] if name in widths else []
            shape += [len(widths)] if name in ("squared_norms", "scales") else []
            assert tensor["shape"] == shape
            parts.setdefault(name, []).append(rows.reshape(shape))
    found = {name: np.concatenate(rows) for name, rows in parts.items()}
    if manifest["dtype"] == "int8":
        scales = found.pop("scales")
        for column, block in enumerate(manifest["layout"]):
            name = block["name"]
            found[name] = found[name].astype("<f4") * scales[:, column, None]
    return found


def numbers(data: bytes, dtype: str) -> np.ndarray:
    if dtype == "BF16":  # the upper half of a float32
        halves = np.frombuffer(data, "<u2").astype("<u4")
        return (halves << 16).view("<f4")
    kinds = {"I64": "<i8", "F64": "<f8", "F32": "<f4", "F16": "<f2", "I8": "i1"}
    return np.frombuffer(data, kinds[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_page_is_all_that_a_reader_needs(dtype):
    found = read_by_the_page(golden_store(dtype))
    names = {*LAYOUT.names, "index", "loss", "squared_norms"}
    assert set(found) == names
    for name, rows in gradients().items():
        assert rounds_to(torch.tensor(found[name].astype(np.float32)), rows, dtype)
    assert found["index"].tolist() == list(INDEX)
    assert found["loss"].tolist() == losses().tolist()
    squares = [found[name].astype("f8") ** 2 for name in LAYOUT.names]
    sums = np.stack([each.sum(axis=1) for each in squares], axis=1)
    assert found["squared_norms"].tolist() == sums.tolist()
