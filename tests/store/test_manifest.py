"""The manifest as a value: rows of a shard, progress, canonical bytes."""

import json

import pytest

from datainf.core.canonical import canonical_json, sha256_of
from datainf.core.layout import Layout
from datainf.core.options import CollectOptions
from datainf.core.store_dtype import StoreDtype
from datainf.store.manifest import (
    Examples,
    Manifest,
    Shard,
    as_json,
    default_shard_rows,
    shard_name,
)
from tests.store.stores import COVERAGE, IDENTITY, LAYOUT, OPTIONS

MANIFEST = Manifest(
    library_version="0.1.0",
    layout=LAYOUT,
    identity=IDENTITY,
    options=OPTIONS,
    coverage=tuple(COVERAGE),
    examples=Examples(7, "e" * 64),
)


def shard(number: int, halved_at: tuple[int, ...] = ()) -> Shard:
    rows = MANIFEST.rows_of(number)
    return Shard(number, rows.start, len(rows), 100, "f" * 64, halved_at)


def test_shards_share_out_the_rows_in_order():
    assert MANIFEST.shard_count == 3
    rows = [list(MANIFEST.rows_of(k)) for k in range(3)]
    assert rows == [[0, 1, 2], [3, 4, 5], [6]]
    assert not MANIFEST.rows_of(3)


def test_halvings_move_from_pending_to_their_shard_and_back():
    halved = MANIFEST.with_halving(1, 0).with_halving(1, 2).with_halving(2, 1)
    assert halved.pending == {1: (0, 2), 2: (1,)}
    whole = halved.with_shard(shard(1, (0, 2))).with_shard(shard(0))
    assert whole.pending == {2: (1,)}
    assert [one.number for one in whole.shards] == [0, 1]
    assert whole.without_shard(1).pending == {1: (0, 2), 2: (1,)}
    assert whole.without_shard(0).pending == {2: (1,)}
    assert [one.number for one in whole.without_shard(0).shards] == [1]


def test_the_bytes_are_canonical_and_carry_their_own_checksum():
    data = MANIFEST.with_shard(shard(0)).with_halving(1, 4).to_bytes()
    value = json.loads(data)
    assert canonical_json(value).encode() == data
    checksum = value.pop("checksum")
    assert checksum == sha256_of(value)
    assert value["shards"][0]["name"] == "shard-00000.safetensors"
    assert value["pending"] == {"1": [4]}


def test_shard_names_keep_five_digits_and_grow():
    assert shard_name(12) == "shard-00012.safetensors"
    assert shard_name(123456) == "shard-123456.safetensors"


@pytest.mark.parametrize(
    ("size", "dtype", "rows"),
    [
        (2**20, StoreDtype.FP32, 16),
        (2**20, StoreDtype.BF16, 32),
        (2**20, StoreDtype.FP16, 32),
        (2**20, StoreDtype.INT8, 64),
        (2**30, StoreDtype.FP32, 1),
    ],
)
def test_a_shard_takes_about_64_mebibytes(size, dtype, rows):
    layout = Layout.from_shapes({"w": (size,)})
    assert default_shard_rows(layout, dtype) == rows
    manifest = Manifest(
        library_version="0.1.0",
        layout=layout,
        identity=IDENTITY,
        options=CollectOptions(dtype=dtype),
        coverage=(),
        examples=Examples(7, "e" * 64),
    )
    assert manifest.shard_rows == rows


def test_values_are_kept_as_they_will_be_read_back():
    assert as_json({"a": (1, 2)}) == {"a": [1, 2]}
