"""verify: everything that is wrong, in words, and nothing missed."""

import hashlib
import json
import os
import random

import pytest
import torch
from safetensors.torch import load_file, save

from datainf.core.canonical import canonical_json, sha256_of
from datainf.store.verify import verify
from tests.store.stores import files, opened, write_pending, write_store


@pytest.fixture
def path(tmp_path):
    write_store(tmp_path / "store")
    return tmp_path / "store"


def test_a_store_as_written_has_no_fault(path):
    report = verify(path)
    assert report.ok
    assert report.faults == ()
    assert (report.rows, report.shards) == (7, 3)
    shards = path.glob("shard-*")
    assert report.bytes == sum(shard.stat().st_size for shard in shards)


def test_rows_of_int8_are_held_against_their_norms_with_their_scales(tmp_path):
    write_store(tmp_path, "int8")
    assert verify(tmp_path).ok
    scales = load_file(tmp_path / "shard-00001.safetensors")["scales"]
    faults = replaced(tmp_path, scales=scales * 2)
    assert faults
    assert all("squared norms of" in fault for fault in faults)


@pytest.mark.parametrize("part", range(3))
def test_no_flip_of_a_byte_goes_unnoticed(path, part):
    flips = random.Random(part)
    names = [name for name, data in files(path).items() if data]
    for _ in range(100):
        file = path / flips.choice(names)
        good = file.read_bytes()
        at = flips.randrange(len(good))
        bad = bytearray(good)
        bad[at] ^= 1 << flips.randrange(8)
        file.write_bytes(bad)
        assert not verify(path).ok, (file.name, at)
        file.write_bytes(good)
    assert verify(path).ok


def test_every_fault_is_said_not_just_the_first(path):
    (path / "shard-00000.safetensors").unlink()
    shard = path / "shard-00001.safetensors"
    size = shard.stat().st_size
    os.truncate(shard, size - 1)
    (path / "examples.parquet").write_bytes(b"")
    (path / "notes.txt").write_bytes(b"")
    report = verify(path)
    assert report.shards == 1 + 1  # the one that is cut short was looked at
    assert list(report.faults[:4]) == [
        f"{path / 'examples.parquet'} is altered: its sha256 is not the manifest's; "
        "collect the store again.",
        f"{path / 'shard-00000.safetensors'} is missing; run the command that made the "
        "store again, it makes what is missing.",
        f"shard-00001.safetensors has {size - 1} bytes, the manifest says {size}",
        "shard-00001.safetensors is altered: its sha256 is not the manifest's",
    ]
    assert report.faults[4].startswith("shard-00001.safetensors is no safetensors file")
    assert report.faults[5:] == ("notes.txt does not belong to the store",)


def test_an_unfinished_store_is_not_ok(tmp_path):
    path = tmp_path / "store"
    with opened(path) as writer:
        write_pending(writer)
    assert verify(path).faults == (
        "unfinished: 3 of 3 shards are there; run the command that began it again",
    )


def test_a_folder_that_is_no_store_is_a_fault(tmp_path):
    missing = tmp_path / "manifest.json"
    assert verify(tmp_path).faults == (
        f"{missing} is missing; run the command that made the store again, it makes "
        "what is missing.",
    )


def test_a_manifest_of_another_version_ends_the_check(path):
    (path / "manifest.json").write_text('{"format_version": 2}')
    assert verify(path).faults == (
        "manifest.json: it has format version '2', and this version of datainf reads "
        "1; nothing else was checked",
    )


def test_shards_are_checked_even_if_only_the_checksum_is_wrong(path):
    manifest = path / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b'"0.1.0"', b'"0.1.1"'))
    (path / "shard-00002.safetensors").unlink()
    first, second = verify(path).faults
    assert first.startswith("manifest.json: its checksum says ")
    assert second.startswith(f"{path / 'shard-00002.safetensors'} is missing")


def replaced(path, **tensors: torch.Tensor) -> list[str]:
    """Replace tensors of shard 1 with a manifest to match; give what verify says."""
    shard = path / "shard-00001.safetensors"
    data = save({**load_file(shard), **tensors})
    shard.write_bytes(data)
    value = json.loads((path / "manifest.json").read_bytes())
    del value["checksum"]
    value["shards"][1]["bytes"] = len(data)

    value["shards"][1]["sha256"] = hashlib.sha256(data).hexdigest()
    value["checksum"] = sha256_of(value)
    (path / "manifest.json").write_text(canonical_json(value))
    return list(verify(path).faults)


A, B = "h.0.q.lora_A.weight", "h.0.q.lora_B.weight"


@pytest.mark.parametrize(
    ("tensors", "fault"),
    [
        (
            {"index": torch.tensor([5, 7, 12])},
            "shard-00001.safetensors: index differs from that of examples.parquet",
        ),
        (
            {"loss": torch.tensor([1.0, float("nan"), 1.0])},
            "shard-00001.safetensors: a loss is NaN or infinite",
        ),
        (
            {A: torch.full((3, 10), float("inf"))},
            f"shard-00001.safetensors: a gradient of {A} is NaN or infinite",
        ),
        (
            {B: torch.ones(3, 3)},
            f"shard-00001.safetensors: squared norms of {B} are not those of its rows",
        ),
    ],
)
def test_numbers_that_cannot_be_right_are_said_even_with_right_hashes(
    path, tensors, fault
):
    assert replaced(path, **tensors) == [fault]


def test_a_tensor_of_another_shape_is_said(path):
    shard = path / "shard-00001.safetensors"
    assert replaced(path, **{B: torch.ones(3, 2)}) == [
        f"{shard} is refused: tensor {B} must be F32 [3, 3], got F32 [3, 2]; see "
        "`datainf verify`."
    ]
