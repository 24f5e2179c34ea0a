"""GradientStore: what it gives, and which folders it refuses."""

import os
import re

import numpy as np
import pandas as pd
import pytest
import torch

from datainf.core.errors import OptionError, StoreError
from datainf.core.source import GradientSource
from datainf.core.store_dtype import StoreDtype
from datainf.store.reader import open_store
from datainf.store.rounding import TORCH_DTYPES
from tests.store.stores import (
    IDENTITY,
    INDEX,
    LAYOUT,
    N,
    examples,
    gradients,
    losses,
    opened,
    rounds_to,
    write_pending,
    write_store,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write_store(tmp_path_factory.mktemp("reader") / "store")


def test_a_store_tells_what_it_holds(store):
    source: object = store
    assert isinstance(source, GradientSource)
    assert store.path.name == "store"
    assert store.layout == LAYOUT
    assert len(store) == N
    assert store.dtype is StoreDtype.FP32
    assert store.identity.differences(store.identity) == []
    assert store.identity.base == IDENTITY.base
    assert store.manifest.complete
    assert store.losses.dtype == np.float32
    assert store.losses.tolist() == losses().tolist()
    assert store.index.tolist() == list(INDEX)
    pd.testing.assert_frame_equal(store.examples, examples(), check_dtype=False)


@pytest.mark.parametrize("dtype", list(StoreDtype))
def test_rows_are_those_that_were_written(tmp_path, dtype):
    store = write_store(tmp_path / "store", dtype)
    for name, rows in gradients().items():
        found = torch.cat([part.gradients[name] for part in store.rows([name])])
        assert found.dtype == (torch.float32 if dtype.scaled else TORCH_DTYPES[dtype])
        assert rounds_to(found, rows, dtype)
        taken, _ = store.take([5, 0, 6])
        assert torch.equal(taken[name], found[[5, 0, 6]])


def test_no_portion_goes_beyond_a_shard(store):
    assert [(p.start, len(p)) for p in store.rows()] == [(0, 3), (3, 3), (6, 1)]
    found = [(p.start, len(p)) for p in store.rows(size=2)]
    assert found == [(0, 2), (2, 1), (3, 2), (5, 1), (6, 1)]


def test_a_portion_is_some_16_mebibytes_when_no_size_is_asked_for(store, monkeypatch):
    # Two rows of 13 numbers of 4 bytes, or eight of 3.
    monkeypatch.setattr("datainf.store.reader._PORTION_BYTES", 104)
    assert max(len(part) for part in store.rows()) == 2
    assert max(len(part) for part in store.rows(LAYOUT.names[1:])) == 3
    monkeypatch.setattr("datainf.store.reader._PORTION_BYTES", 1)
    assert {len(part) for part in store.rows()} == {1}


@pytest.mark.parametrize(
    ("blocks", "size", "message"),
    [
        (
            ["h.0.q.lora_C.weight"],
            None,
            "block 'h.0.q.lora_C.weight' is unknown: expected one of: "
            "h.0.q.lora_A.weight, h.0.q.lora_B.weight; did you mean "
            "'h.0.q.lora_B.weight'?.",
        ),
        (None, 0, "size must be at least 1, got 0."),
    ],
)
def test_wrong_arguments_are_refused(store, blocks, size, message):
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        list(store.rows(blocks, size=size))


def test_an_unfinished_store_is_refused_with_how_far_it_came(tmp_path):
    path = tmp_path / "store"

    def stop(shard):
        if shard.number == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), opened(path) as writer:
        write_pending(writer, before=stop)
    message = (
        f"{path} is unfinished: 2 of 3 shards are there; run the command that began it "
        "again, it goes on from there."
    )
    with pytest.raises(StoreError, match=f"^{re.escape(message)}$"):
        open_store(path)


@pytest.mark.parametrize("name", ["shard-00001.safetensors", "examples.parquet"])
def test_a_missing_file_is_named(tmp_path, name):
    path = tmp_path / "store"
    write_store(path)
    (path / name).unlink()
    message = (
        f"{path / name} is missing; run the command that made the store again, it "
        "makes what is missing."
    )
    with pytest.raises(StoreError, match=f"^{re.escape(message)}$"):
        open_store(path)


def test_a_shard_that_is_cut_short_is_named(tmp_path):
    path = tmp_path / "store"
    write_store(path)
    shard = path / "shard-00001.safetensors"
    size = shard.stat().st_size
    os.truncate(shard, size - 1)
    message = (
        f"{shard} has {size - 1} bytes, the manifest says {size}; run the command that "
        "made the store again, it makes this shard anew."
    )
    with pytest.raises(StoreError, match=f"^{re.escape(message)}$"):
        open_store(path)


def test_an_earlier_portion_is_let_go(tmp_path):
    store = write_store(tmp_path / "store")
    rows = store.rows()
    first = next(rows)
    del first
    next(rows)
    maps = (tmp_path / "store" / "shard-00000.safetensors").resolve()
    with open("/proc/self/maps", encoding="utf-8") as mapped:
        assert str(maps) not in mapped.read()


def test_a_shard_that_is_replaced_while_the_store_is_open_is_refused(tmp_path):
    store = write_store(tmp_path / "store")
    list(store.rows())
    shard = store.path / "shard-00001.safetensors"
    data = shard.read_bytes()
    shard.unlink()
    (tmp_path / "placeholder").touch()  # or the new file might get the old one's place
    shard.write_bytes(data)
    message = f"{shard} was replaced while the store was open; open it again."
    with pytest.raises(StoreError, match=f"^{re.escape(message)}$"):
        list(store.rows())
