"""Kronecker factors beside a store: sums over the tokens of its first shards.

    factors.json                     what the sums cover, checked like the manifest
    factors-00003.safetensors        the sums over the first 3 shards

A file of sums is written under a new name before the note that names it, and the older
one is removed afterwards, so that whatever moment a run dies at, note and sums fit each
other. A reader takes them only where they cover every shard of the store that lies
there: `of` hashes what the rows were made from. i, o: a layer's inputs and outputs.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from datainf.core.canonical import canonical_json, sha256_of
from datainf.core.errors import StoreError
from datainf.core.factors import BlockSums, FactorSums
from datainf.store.atomic import Written, reading, write_whole, writing
from datainf.store.checksum import require_checksum
from datainf.store.manifest import FORMAT_VERSION, Manifest
from datainf.store.parsing import check_form, decode
from datainf.store.schema import SHA256, Map
from datainf.store.shard import write_shard

FACTORS_NAME = "factors.json"
_SUMS_FILE = re.compile(r"factors-\d{5,}\.safetensors")
_SCHEMA = {
    "format_version": int,
    "shards": int,
    "of": SHA256,
    "bytes": int,
    "sha256": SHA256,
    "tokens": Map(r"(?s).+", "a block's name", int),
    "missing": Map(r"(?s).+", "a block's name", str),
    "checksum": SHA256,
}


@dataclass(frozen=True)
class FactorNote:
    """What `factors.json` says.

    Attributes:
        shards: The sums cover so many shards, from the first.
        of: Hash of what their rows were made from.
        written: Size and hash of the file of sums.
        tokens: Block name -> tokens in its sums.
        missing: Block name -> why it has no factors.
    """

    shards: int
    of: str
    written: Written
    tokens: dict[str, int]
    missing: dict[str, str]

    @property
    def name(self) -> str:
        """Name of the file of sums."""
        return f"factors-{self.shards:05d}.safetensors"


def rows_hash(manifest: Manifest, hashes: Sequence[str], shards: int) -> str:
    """Hash what the rows of the first shards are made from.

    Args:
        manifest: The store's.
        hashes: Of every row's example.
        shards: How many shards.

    Returns:
        The hash.
    """
    identity, rows = manifest.identity, shards * manifest.shard_rows
    layout = [[block.name, list(block.shape)] for block in manifest.layout]
    made = [identity.base, identity.adapter, dict(identity.task), layout]
    return sha256_of([*made, list(hashes[:rows])])


def read_note(folder: Path) -> FactorNote | None:
    """Read `factors.json`.

    Args:
        folder: The store.

    Returns:
        What it says; None where there is none.

    Raises:
        StoreError: If it is altered or of another format.
    """
    path = folder / FACTORS_NAME
    if not path.is_file():
        return None
    with reading(path):
        data = path.read_bytes()
    try:
        value = decode(data, _SCHEMA)
        check_form(data, value)
    except StoreError as error:
        raise StoreError(
            f"{path} is refused: {error}; delete it and collect with factors=True "
            "(--factors) again, the gradients stay."
        ) from None
    return FactorNote(
        value["shards"],
        value["of"],
        Written(value["bytes"], value["sha256"]),
        value["tokens"],
        value["missing"],
    )


def write_sums(folder: Path, sums: FactorSums, *, shards: int, of: str) -> FactorNote:
    """Write sums, then the note that names them, then remove older ones.

    Args:
        folder: The store, locked.
        sums: On the CPU.
        shards: How many shards they cover.
        of: `rows_hash` of those.

    Returns:
        The note.
    """
    tokens = {name: block.tokens for name, block in sums.blocks.items()}
    note = FactorNote(shards, of, Written(0, ""), tokens, dict(sums.missing))
    tensors = {}
    for name, block in sums.blocks.items():
        tensors[f"inputs.{name}"] = block.inputs.contiguous()
        tensors[f"outputs.{name}"] = block.outputs.contiguous()
    written = write_shard(folder / note.name, tensors)
    value: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "shards": shards,
        "of": of,
        **vars(written),
        "tokens": tokens,
        "missing": note.missing,
    }
    value["checksum"] = sha256_of(value)
    write_whole(folder / FACTORS_NAME, [canonical_json(value).encode()])
    _sweep(folder, keep=note.name)
    return FactorNote(shards, of, written, tokens, note.missing)


def read_sums(folder: Path, note: FactorNote, *, check: bool = True) -> FactorSums:
    """Read all sums into memory.

    Args:
        folder: The store.
        note: What it says of them.
        check: Whether to check the file's bytes first.

    Returns:
        The sums.
    """
    if check:
        require_checksum(folder / note.name, note.written.sha256)
    found = FactorSums(note.missing)
    found.blocks = {name: read_block(folder, note, name) for name in note.tokens}
    return found


def read_block(folder: Path, note: FactorNote, block: str) -> BlockSums:
    """Read the sums of one block.

    Args:
        folder: The store.
        note: What it says of the sums.
        block: One that has some.

    Returns:
        The sums.

    Raises:
        StoreError: If the file is missing, or holds no such sums.
    """
    path = folder / note.name
    with reading(path):
        path.stat()
    try:
        with safe_open(path, framework="pt") as file:
            inputs, outputs = (
                file.get_tensor(f"{side}.{block}") for side in ("inputs", "outputs")
            )
    except SafetensorError as error:
        raise StoreError(
            f"{path} holds no factors of block {block}: {error}; collect with "
            "factors=True (--factors) again."
        ) from None
    return BlockSums(inputs, outputs, note.tokens[block])


def remove_factors(folder: Path) -> None:
    """Remove note and sums; the note first, so that it never names what is gone.

    Args:
        folder: The store, locked.
    """
    with writing(folder / FACTORS_NAME):
        (folder / FACTORS_NAME).unlink(missing_ok=True)
    _sweep(folder, keep="")


def drop_stale(folder: Path, manifest: Manifest, hashes: Sequence[str]) -> None:
    """Remove factors that are damaged, or of other rows than the store's.

    Args:
        folder: The store, locked.
        manifest: What lies there.
        hashes: Of every row's example.
    """
    try:
        note = read_note(folder)
    except StoreError:
        note = None
    if note is None or not fits(note, manifest, hashes):
        remove_factors(folder)


def fits(note: FactorNote, manifest: Manifest, hashes: Sequence[str]) -> bool:
    """Say whether sums are of a store's rows.

    Args:
        note: About the sums.
        manifest: The store's.
        hashes: Of every row's example.

    Returns:
        Whether they are, of its first shards or of all.
    """
    known = note.shards <= manifest.shard_count
    return known and note.of == rows_hash(manifest, hashes, note.shards)


def factor_faults(folder: Path, manifest: Manifest, hashes: Sequence[str]) -> list[str]:
    """Say everything that is wrong with the factors of a store.

    Args:
        folder: The store.
        manifest: Its manifest.
        hashes: Of every row's example.

    Returns:
        The faults; none where there are no factors.
    """
    try:
        note = read_note(folder)
        if note is None:
            return []
        if not fits(note, manifest, hashes):
            return [f"{FACTORS_NAME}: these are factors of other rows"]
        sums = read_sums(folder, note)
    except StoreError as error:
        return [str(error)]
    # Sums of fewer shards than there are count as none: a store that grew is sound.
    faults = []
    for name, block in sums.blocks.items():
        if not all(
            torch.isfinite(each).all() for each in (block.inputs, block.outputs)
        ):
            faults.append(f"{note.name}: a factor of {name} is NaN or infinite")
    return faults


def factor_files(folder: Path) -> list[str]:
    """Name the files that factors consist of; none where they are unreadable."""
    try:
        note = read_note(folder)
    except StoreError:
        return [FACTORS_NAME]
    return [] if note is None else [FACTORS_NAME, note.name]


def _sweep(folder: Path, *, keep: str) -> None:
    """Remove files of sums but one."""
    with writing(folder / FACTORS_NAME):
        for path in folder.iterdir():
            if _SUMS_FILE.fullmatch(path.name) and path.name != keep:
                path.unlink()
