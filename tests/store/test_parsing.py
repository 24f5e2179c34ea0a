"""Reading a manifest: what is altered, foreign or inexact is refused by name."""

import json
import re

import pytest

from datainf.core.canonical import canonical_json, sha256_of
from datainf.core.errors import StoreError
from datainf.store.parsing import read_manifest
from tests.store.stores import IDENTITY, LAYOUT, write_store

TAIL = (
    "; the store is altered, or of another version of datainf; use that version, or "
    "collect it again."
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("parsing") / "store"
    write_store(path)
    return path


def refused(tmp_path, data: bytes, message: str) -> None:
    path = tmp_path / "manifest.json"
    path.write_bytes(data)
    whole = f"{path} is refused: {message}{TAIL}"
    with pytest.raises(StoreError, match=f"^{re.escape(whole)}$"):
        read_manifest(tmp_path)


def signed(value: dict) -> bytes:
    """Write a value with a right checksum."""
    rest = {key: item for key, item in value.items() if key != "checksum"}
    return canonical_json({**rest, "checksum": sha256_of(rest)}).encode()


def changed(folder, **changes) -> bytes:
    return signed({**json.loads((folder / "manifest.json").read_bytes()), **changes})


def projected(**changes) -> dict:
    """Say twice, as must be, how gradients are projected."""
    how = {"kind": "sides", "width": 2, "seed": 0, **changes}
    identity = {**IDENTITY.to_dict(), "task": {"name": "t", "projection": how}}
    return {"projection": how, "identity": identity}


def test_a_written_manifest_is_read_back_the_same(folder):
    manifest = read_manifest(folder)
    assert manifest.to_bytes() == (folder / "manifest.json").read_bytes()
    assert manifest.layout == LAYOUT
    assert manifest.identity.about == IDENTITY.about
    assert manifest.identity.task["turns"] == ["all"]
    assert [shard.halved_at for shard in manifest.shards] == [(), (0, 2), ()]


def test_a_folder_without_manifest_is_no_store(tmp_path):
    message = (
        f"{tmp_path} is no gradient store: it has no manifest.json; give the folder "
        "that `datainf collect` wrote."
    )
    with pytest.raises(StoreError, match=f"^{re.escape(message)}$"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"\xff", "é".encode(), b"[" * 100_000], ids=repr
)
def test_what_is_not_json_is_refused(tmp_path, data):
    refused(tmp_path, data[:100_000], "it is not canonical JSON")


@pytest.mark.parametrize("version", [2, 0, "1", True, 1.0])
def test_another_format_version_is_named_before_anything_else(tmp_path, version):
    data = json.dumps({"format_version": version, "new": 1}).encode()
    refused(
        tmp_path,
        data,
        f"it has format version {str(version)!r}, and this version of datainf reads 1",
    )


def test_json_of_something_else_is_refused_by_its_first_missing_key(tmp_path):
    refused(tmp_path, b'{"name": "x"}', "key 'format_version' is missing")


def test_another_text_of_the_same_value_is_refused(tmp_path, folder):
    value = json.loads((folder / "manifest.json").read_bytes())
    refused(tmp_path, json.dumps(value).encode(), "it is not canonical JSON")


def test_a_number_that_json_does_not_have_is_refused(tmp_path, folder):
    value = json.loads((folder / "manifest.json").read_bytes())
    value["coverage"] = [float("nan")]
    data = (json.dumps(value, sort_keys=True, indent=2) + "\n").encode()
    refused(tmp_path, data, "it is not canonical JSON")


def test_a_key_that_comes_twice_is_refused(tmp_path, folder):
    data = (folder / "manifest.json").read_bytes()
    twice = data.replace(b'"complete": true', b'"complete": true,\n  "complete": true')
    refused(tmp_path, twice, "it is not canonical JSON")


def test_changed_content_does_not_fit_its_checksum(tmp_path, folder):
    value = json.loads((folder / "manifest.json").read_bytes())
    said = value["checksum"][:12]
    value["library_version"] = "9.9.9"
    rest = {key: item for key, item in value.items() if key != "checksum"}
    refused(
        tmp_path,
        canonical_json(value).encode(),
        f"its checksum says {said}…, its content gives {sha256_of(rest)[:12]}…",
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"dtype": "fp64"},
            "dtype='fp64' is unknown: expected one of: fp32, bf16, fp16, int8; did you "
            "mean 'fp16'?",
        ),
        ({"shard_rows": 0}, "shard_rows must be a whole number of at least 1, got 0"),
        (
            {"projection": {"kind": "sides", "width": 2, "seed": 0}},
            "key 'projection' is {'kind': 'sides', 'seed': 0, 'width': 2} and "
            "'identity.task.projection' None, which must be the same",
        ),
        (projected(kind="rows"), "key 'projection.kind' must be 'sides', got 'rows'"),
        (projected(width=0), "project must be a whole number of at least 1, got 0"),
        ({"layout": []}, "a layout needs at least one block, got none"),
        (
            {"layout": [{"name": "a", "shape": [2]}, {"name": "a", "shape": [2]}]},
            "key 'layout' names a block twice",
        ),
        (
            {"rows": 8},
            "key 'rows' must be at least 1 and equal to 'examples.rows', got 8 and 7",
        ),
        (
            {"rows": 0, "examples": {"rows": 0, "sha256": "0" * 64}},
            "key 'rows' must be at least 1 and equal to 'examples.rows', got 0 and 0",
        ),
        ({"shards": []}, "key 'complete' is true with 0 of 3 shards"),
        ({"pending": {"1": [0]}}, "key 'pending.1' is no shard that is to be made"),
        ({"pending": {"3": [0]}}, "key 'pending.3' is no shard that is to be made"),
        (
            {"pending": {"01": [0]}},
            "'pending' holds the key '01', not a shard's number",
        ),
    ],
)
def test_values_that_do_not_fit_each_other_are_refused(
    tmp_path, folder, changes, message
):
    refused(tmp_path, changed(folder, **changes), message)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"name": "../shard-00001.safetensors"},
            "key 'shards[1].name' must be shard-00000.safetensors and so on, got "
            "'../shard-00001.safetensors'",
        ),
        (
            {"name": "shard-000001.safetensors"},
            "shard name 'shard-000001.safetensors' must be 'shard-00001.safetensors'",
        ),
        (
            {"name": "shard-00000.safetensors"},
            "key 'shards[1].name' is out of order: shard-00000.safetensors",
        ),
        (
            {"name": "shard-00003.safetensors"},
            "key 'shards[1].name' is out of order: shard-00003.safetensors",
        ),
        ({"start": 2}, "key 'shards[1]' must hold 3 rows from 3, got 3 from 2"),
        ({"rows": 2}, "key 'shards[1]' must hold 3 rows from 3, got 2 from 3"),
    ],
)
def test_a_shard_that_is_not_where_it_belongs_is_refused(
    tmp_path, folder, changes, message
):
    shards = json.loads((folder / "manifest.json").read_bytes())["shards"]
    shards[1].update(changes)
    refused(tmp_path, changed(folder, shards=shards), message)
