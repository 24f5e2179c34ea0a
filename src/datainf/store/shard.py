"""One shard: a safetensors file with some rows of every block.

n rows, L blocks, d parameters of a block. Beside one tensor `[n, d]` a block it holds
`index` int64 [n], `loss` float32 [n] and `squared_norms` float64 [n, L]; where rows
have scales, `scales` float32 [n, L].

The file is written piece by piece from the tensors themselves, in the order that the
safetensors library writes (widest numbers first, then by name), and read through a
private mapping of just the bytes that hold the wanted blocks: such pages are the
kernel's, not the process's, and writing into them never reaches the file.
"""

import json
import math
import mmap
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from jaxtyping import Shaped
from torch import Tensor

from datainf.core.errors import StoreError
from datainf.core.layout import Layout
from datainf.core.store_dtype import StoreDtype
from datainf.store.atomic import Written, reading, write_whole
from datainf.store.rounding import TORCH_DTYPES

INDEX, LOSS, SQUARED_NORMS = "index", "loss", "squared_norms"
SCALES = "scales"
RESERVED = (INDEX, LOSS, SQUARED_NORMS, SCALES, "__metadata__")
# safetensors' names, in the order in which it writes: widest first.
_NAMES = {
    torch.int64: "I64",
    torch.float64: "F64",
    torch.float32: "F32",
    torch.bfloat16: "BF16",
    torch.float16: "F16",
    torch.int8: "I8",
}
_DTYPES = {name: dtype for dtype, name in _NAMES.items()}
_ALIGN = 8


@dataclass(frozen=True)
class Entry:
    """Where a tensor lies in its file, and what it is."""

    begin: int
    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """Its size."""
        return math.prod(self.shape) * self.dtype.itemsize


def write_shard(path: Path, tensors: Mapping[str, Tensor]) -> Written:
    """Write a shard's file, whole or not at all.

    Args:
        path: Where.
        tensors: Contiguous tensors on the CPU.

    Returns:
        Size and hash of the file.
    """
    ranks = list(_NAMES)
    order = sorted(tensors, key=lambda name: (ranks.index(tensors[name].dtype), name))
    return write_whole(path, _pieces({name: tensors[name] for name in order}))


def _pieces(tensors: Mapping[str, Tensor]) -> Iterator[bytes | memoryview]:
    """Give the file's bytes: length of the header, header, tensors."""
    header, begin = {}, 0
    for name, tensor in tensors.items():
        end = begin + tensor.nbytes
        header[name] = {
            "dtype": _NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [begin, end],
        }
        begin = end
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % _ALIGN)
    yield len(text).to_bytes(8, "little") + text
    for tensor in tensors.values():
        yield tensor.reshape(-1).view(torch.uint8).numpy().data


class ShardForm:
    """Which tensors the shards of one store hold that have the same number of rows.

    It remembers the last header that it checked: shards of equal form have equal
    headers, so that going through a store parses one or two.
    """

    def __init__(self, layout: Layout, dtype: StoreDtype, rows: int) -> None:
        """Work out the tensors.

        Args:
            layout: The blocks of the store.
            dtype: The store's number format.
            rows: Rows of the shard.
        """
        kind = TORCH_DTYPES[dtype]
        self.tensors: dict[str, tuple[torch.dtype, tuple[int, ...]]] = {
            **{name: (kind, (rows, size)) for name, size in layout.sizes.items()},
            INDEX: (torch.int64, (rows,)),
            LOSS: (torch.float32, (rows,)),
            SQUARED_NORMS: (torch.float64, (rows, len(layout))),
        }
        if dtype.scaled:
            self.tensors[SCALES] = (torch.float32, (rows, len(layout)))
        self._known: tuple[bytes, int] | None = None
        self._entries: dict[str, Entry] = {}

    def entries(self, header: bytes, size: int) -> dict[str, Entry]:
        """Parse and check a header.

        Args:
            header: The header's bytes.
            size: Bytes of the whole file.

        Returns:
            Where each tensor lies.
        """
        if self._known != (header, size):
            found = _parsed(header, size)
            _check(found, self.tensors)
            self._known, self._entries = (header, size), found
        return self._entries


class ShardFile:
    """A shard's file, open for reading, its header checked against what it must hold.

    A context manager; tensors taken from it live on after it is closed.
    """

    def __init__(self, path: Path, form: ShardForm) -> None:
        """Open the file and check its header.

        Args:
            path: The file.
            form: What it must hold.

        Raises:
            StoreError: If the file is missing, no safetensors file, or holds other
                tensors than it must; names the first.
        """
        self._path = path
        with reading(path):
            self._file: BinaryIO = path.open("rb")
        try:
            with reading(path):
                size = os.fstat(self._file.fileno()).st_size
                length = int.from_bytes(self._file.read(8), "little")
                header = self._file.read(length) if length < size else b""
            self._entries = form.entries(header, size)
        except StoreError as error:
            self._file.close()
            raise StoreError(
                f"{path} is refused: {str(error).removesuffix('.')}; see "
                "`datainf verify`."
            ) from None

    def __enter__(self) -> "ShardFile":
        """Give the file."""
        return self

    def __exit__(self, *raised: object) -> None:
        """Close the file; mapped tensors stay."""
        self._file.close()

    def read(self, name: str) -> Shaped[Tensor, "..."]:
        """Read a tensor into memory.

        Args:
            name: One of the shard's tensors.

        Returns:
            A tensor of its own.
        """
        entry = self._entries[name]
        with reading(self._path):
            self._file.seek(entry.begin)
            data = bytearray(self._file.read(entry.bytes))
        return _tensor(data, entry, entry.begin)

    def map(self, names: Iterable[str]) -> dict[str, Shaped[Tensor, "n _"]]:
        """Map tensors without reading them.

        Args:
            names: Some of the shard's tensors.

        Returns:
            Views of one mapping that spans them; it ends with the last of them.
        """
        wanted = {name: self._entries[name] for name in names}
        if not wanted:
            return {}
        begin = min(entry.begin for entry in wanted.values())
        begin -= begin % mmap.ALLOCATIONGRANULARITY
        end = max(entry.begin + entry.bytes for entry in wanted.values())
        with reading(self._path):
            mapped = mmap.mmap(
                self._file.fileno(), end - begin, access=mmap.ACCESS_COPY, offset=begin
            )
        return {name: _tensor(mapped, entry, begin) for name, entry in wanted.items()}


def _tensor(
    data: bytearray | mmap.mmap, entry: Entry, origin: int
) -> Shaped[Tensor, "..."]:
    """See part of some bytes as a tensor."""
    count = math.prod(entry.shape)
    flat = torch.frombuffer(
        data, dtype=entry.dtype, count=count, offset=entry.begin - origin
    )
    return flat.view(entry.shape)


def _parsed(header: bytes, size: int) -> dict[str, Entry]:
    """Parse a header; every tensor must lie within the file."""
    try:
        parsed = json.loads(header)
        parsed.pop("__metadata__", None)
        found = {
            name: _entry(value, 8 + len(header), size) for name, value in parsed.items()
        }
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise StoreError(
            "its header is no safetensors header, or the file is cut short"
        ) from None
    return found


def _entry(value: Mapping[str, Any], origin: int, size: int) -> Entry:
    """Parse one tensor's place."""
    begin, end = value["data_offsets"]
    entry = Entry(origin + begin, _DTYPES[value["dtype"]], tuple(value["shape"]))
    whole = all(type(number) is int for number in (begin, end, *entry.shape))
    within = origin <= entry.begin <= origin + end <= size
    aligned = entry.begin % entry.dtype.itemsize == 0
    if not (whole and within and aligned) or entry.bytes != end - begin:
        raise ValueError
    return entry


def _check(
    found: Mapping[str, Entry],
    expected: Mapping[str, tuple[torch.dtype, tuple[int, ...]]],
) -> None:
    """Compare a shard's tensors with what the manifest says."""
    for name, (dtype, shape) in expected.items():
        if name not in found:
            raise StoreError(f"tensor {name} is missing")
        entry = found[name]
        if (entry.dtype, entry.shape) != (dtype, shape):
            raise StoreError(
                f"tensor {name} must be {_NAMES[dtype]} {list(shape)}, "
                f"got {_NAMES[entry.dtype]} {list(entry.shape)}"
            )
    for name in found:
        if name not in expected:
            raise StoreError(f"tensor {name} does not belong there")
