"""Factors beside a store: whole or not at all, checked, of its own rows."""

import random
import re
from pathlib import Path

import pytest
import torch

from datainf.core.errors import OptionError, StoreError
from datainf.core.factors import BlockSums, FactorSums
from datainf.store.factors import (
    FACTORS_NAME,
    drop_stale,
    factor_files,
    read_note,
    read_sums,
    rows_hash,
    write_sums,
)
from datainf.store.reader import open_store
from datainf.store.reuse import remove_store
from datainf.store.verify import verify
from tests.store.stores import LAYOUT, files, write_store

A, B = LAYOUT.names


def sums() -> FactorSums:
    found = FactorSums({B: "it is a vector"})
    found.add({A: BlockSums(6 * torch.eye(5), 3 * torch.eye(2), 3)})
    return found


def with_factors(path: Path, shards: int = 3) -> Path:
    store = write_store(path)
    hashes = store.examples["hash"].tolist()
    of = rows_hash(store.manifest, hashes, shards)
    write_sums(path, sums(), shards=shards, of=of)
    return path


def test_a_store_gives_back_the_means(tmp_path):
    store = open_store(with_factors(tmp_path / "s"))
    found = store.factors(A)
    assert found is not None
    assert found.inputs is not None
    assert found.outputs is not None
    assert torch.equal(found.inputs, 2 * torch.eye(5))
    assert torch.equal(found.outputs, torch.eye(2))
    bias = store.factors(B)
    assert bias is not None
    assert (bias.inputs, bias.reason) == (None, "it is a vector")
    assert verify(tmp_path / "s").ok
    with pytest.raises(OptionError, match=r"^block 'c' is unknown: expected one of: "):
        store.factors("c")


def test_a_store_without_factors_has_none(tmp_path):
    assert write_store(tmp_path / "s").factors(A) is None


def test_sums_are_read_as_they_were_written(tmp_path):
    path = with_factors(tmp_path / "s")
    note = read_note(path)
    assert note is not None
    found = read_sums(path, note)
    assert found.missing == {B: "it is a vector"}
    assert found.blocks[A].tokens == 3
    assert torch.equal(found.blocks[A].inputs, 6 * torch.eye(5))


def test_sums_of_fewer_shards_count_as_none_and_are_no_fault(tmp_path):
    path = with_factors(tmp_path / "s", shards=2)
    assert open_store(path).factors(A) is None
    assert verify(path).faults == ()


def test_older_sums_are_removed_when_newer_ones_are_named(tmp_path):
    path = with_factors(tmp_path / "s", shards=2)
    write_sums(path, sums(), shards=3, of="0" * 64)
    assert factor_files(path) == [FACTORS_NAME, "factors-00003.safetensors"]
    assert not (path / "factors-00002.safetensors").exists()


def test_factors_of_other_rows_are_none_and_a_fault_and_dropped(tmp_path):
    path = with_factors(tmp_path / "s")
    write_sums(path, sums(), shards=3, of="0" * 64)
    store = open_store(path)
    assert store.factors(A) is None
    assert verify(path).faults == ("factors.json: these are factors of other rows",)
    drop_stale(path, store.manifest, store.examples["hash"].tolist())
    assert factor_files(path) == []
    assert verify(path).ok


@pytest.mark.parametrize("part", range(2))
def test_no_flip_of_a_byte_goes_unnoticed(tmp_path, part):
    path = with_factors(tmp_path / "s")
    flips = random.Random(part)
    for _ in range(100):
        file = path / flips.choice(factor_files(path))
        good = file.read_bytes()
        at = flips.randrange(len(good))
        bad = bytearray(good)
        bad[at] ^= 1 << flips.randrange(8)
        file.write_bytes(bad)
        assert not verify(path).ok, (file.name, at)
        with pytest.raises(StoreError):
            assert open_store(path).factors(A)
        file.write_bytes(good)
    assert verify(path).ok


def test_an_altered_note_says_what_to_do(tmp_path):
    path = with_factors(tmp_path / "s")
    (path / FACTORS_NAME).write_text("{}\n")
    message = (
        f"{path / FACTORS_NAME} is refused: key 'format_version' is missing; delete it "
        "and collect with factors=True (--factors) again, the gradients stay."
    )
    with pytest.raises(StoreError, match=f"^{re.escape(message)}$"):
        read_note(path)
    store = open_store(path)
    assert factor_files(path) == [FACTORS_NAME]
    drop_stale(path, store.manifest, store.examples["hash"].tolist())
    assert factor_files(path) == []


def test_a_file_of_other_tensors_is_refused_where_bytes_are_not_checked(tmp_path):
    path = with_factors(tmp_path / "s")
    (path / "factors-00003.safetensors").write_bytes(b"nothing")
    with pytest.raises(StoreError, match="holds no factors of block"):
        open_store(path, check=False).factors(A)


def test_a_factor_that_is_no_number_is_a_fault(tmp_path):
    path = with_factors(tmp_path / "s")
    note = read_note(path)
    assert note is not None
    bad = sums()
    bad.blocks[A].inputs[0, 0] = float("nan")
    write_sums(path, bad, shards=3, of=note.of)
    assert verify(path).faults == (
        f"factors-00003.safetensors: a factor of {A} is NaN or infinite",
    )


def test_a_store_is_removed_with_its_factors(tmp_path):
    path = with_factors(tmp_path / "s")
    remove_store(path)
    assert not path.exists()


def test_the_rows_files_do_not_change(tmp_path):
    plain, more = write_store(tmp_path / "a"), with_factors(tmp_path / "b")
    left, right = files(plain.path), files(more)
    assert left == {name: right[name] for name in left}
