"""One shard's file: what safetensors writes, and checked before it is read."""

import json
import re

import pytest
import torch
from safetensors.torch import load_file, save

from datainf.core.errors import StoreError
from datainf.core.layout import Layout
from datainf.core.store_dtype import StoreDtype
from datainf.store.rounding import TORCH_DTYPES
from datainf.store.shard import ShardFile, ShardForm, write_shard

LAYOUT = Layout.from_shapes({"z": (5,), "ä": (2, 3)})
ROWS = 7


def tensors(dtype: StoreDtype) -> dict[str, torch.Tensor]:
    kind = TORCH_DTYPES[dtype]
    scales = {"scales": torch.randn(ROWS, 2)} if dtype.scaled else {}
    return {
        **scales,
        "z": torch.randn(ROWS, 5).to(kind),
        "ä": torch.randn(ROWS, 6).to(kind),
        "index": torch.arange(ROWS),
        "loss": torch.randn(ROWS),
        "squared_norms": torch.randn(ROWS, 2).double(),
    }


@pytest.mark.parametrize("dtype", list(StoreDtype))
def test_the_file_is_what_the_library_writes_and_reads(tmp_path, dtype):
    path, made = tmp_path / "shard", tensors(dtype)
    written = write_shard(path, made)
    assert path.read_bytes() == save(made)
    assert written.bytes == path.stat().st_size
    form = ShardForm(LAYOUT, dtype, ROWS)
    with ShardFile(path, form) as file:
        mapped = file.map(["z", "ä"])
        assert file.map([]) == {}
        for name, tensor in load_file(path).items():
            assert torch.equal(file.read(name), tensor)
    assert mapped["z"].dtype == TORCH_DTYPES[dtype]
    assert torch.equal(mapped["z"], made["z"])
    assert torch.equal(mapped["ä"], made["ä"])


def test_writing_into_mapped_rows_never_reaches_the_file(tmp_path):
    path = tmp_path / "shard"
    write_shard(path, tensors(StoreDtype.FP32))
    before = path.read_bytes()
    with ShardFile(path, ShardForm(LAYOUT, StoreDtype.FP32, ROWS)) as file:
        file.map(["z"])["z"].fill_(3.0)
    assert path.read_bytes() == before


def refused(path, message: str, rows: int = ROWS) -> None:
    whole = f"{path} is refused: {message}; see `datainf verify`."
    with pytest.raises(StoreError, match=f"^{re.escape(whole)}$"):
        ShardFile(path, ShardForm(LAYOUT, StoreDtype.FP32, rows))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"z": None}, "tensor z is missing"),
        ({"more": torch.ones(ROWS)}, "tensor more does not belong there"),
        ({"z": torch.ones(ROWS, 4)}, "tensor z must be F32 [7, 5], got F32 [7, 4]"),
        (
            {"z": torch.ones(ROWS, 5).double()},
            "tensor z must be F32 [7, 5], got F64 [7, 5]",
        ),
    ],
)
def test_other_tensors_than_the_manifest_says_are_refused(tmp_path, change, message):
    made = {**tensors(StoreDtype.FP32), **change}
    path = tmp_path / "shard"
    write_shard(path, {k: v for k, v in made.items() if v is not None})
    refused(path, message)


def test_a_known_header_still_counts_for_its_own_size_only(tmp_path):
    path = tmp_path / "shard"
    write_shard(path, tensors(StoreDtype.FP32))
    form = ShardForm(LAYOUT, StoreDtype.FP32, ROWS)
    ShardFile(path, form).__exit__()
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(StoreError, match="or the file is cut short"):
        ShardFile(path, form)


def with_header(header: object) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(64)


def entry(**changes: object) -> dict[str, dict[str, object]]:
    good = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    return {"z": {**good, **changes}}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 40,
        with_header([]),
        with_header({"z": 3}),
        with_header(entry(dtype="U8")),
        with_header(entry(shape=[3])),
        with_header(entry(shape=[2.0])),
        with_header(entry(data_offsets=[0, 800], shape=[200])),
        with_header(entry(data_offsets=[-8, 0])),
        with_header(entry(data_offsets=[1, 9])),
        with_header(entry(data_offsets=[0])),
        (4).to_bytes(8, "little") + b"nope" + bytes(9),
    ],
    ids=range(12),
)
def test_what_is_no_safetensors_file_is_refused(tmp_path, data):
    path = tmp_path / "shard"
    path.write_bytes(data)
    refused(path, "its header is no safetensors header, or the file is cut short")


def test_a_missing_file_is_said(tmp_path):
    path = tmp_path / "shard"
    message = (
        f"{path} is missing; run the command that made the store again, it makes what "
        "is missing."
    )
    with pytest.raises(StoreError, match=f"^{re.escape(message)}$"):
        ShardFile(path, ShardForm(LAYOUT, StoreDtype.FP32, ROWS))
