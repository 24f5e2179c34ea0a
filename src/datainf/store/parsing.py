"""Reading `manifest.json`: nothing foreign, altered or inexact gets past here.

In this order: JSON at all; this format version; the schema; numbers that fit each
other; byte for byte the canonical text; the checksum.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from datainf.core.canonical import canonical_json, sha256_of
from datainf.core.errors import OptionError, StoreError
from datainf.core.identity import Identity
from datainf.core.layout import Layout
from datainf.core.options import CollectOptions, Parameters, word
from datainf.core.side_projection import KIND
from datainf.core.store_dtype import StoreDtype
from datainf.store.atomic import reading
from datainf.store.manifest import (
    FORMAT_VERSION,
    MANIFEST_NAME,
    Examples,
    Manifest,
    Shard,
)
from datainf.store.schema import MANIFEST, check_schema


def read_manifest(folder: str | Path) -> Manifest:
    """Read and check the manifest of a store, finished or not.

    Args:
        folder: The store.

    Returns:
        The manifest.

    Raises:
        StoreError: If there is none, or it is foreign or altered; says in which way.
    """
    path = Path(folder) / MANIFEST_NAME
    if not path.is_file():
        raise StoreError(
            f"{folder} is no gradient store: it has no {MANIFEST_NAME}; give the "
            "folder that `datainf collect` wrote."
        )
    with reading(path):
        data = path.read_bytes()
    try:
        value = decode(data)
        manifest = build(value)
        check_form(data, value)
    except StoreError as error:
        raise StoreError(
            f"{path} is refused: {error}; the store is altered, or of another version "
            "of datainf; use that version, or collect it again."
        ) from None
    return manifest


def decode(data: bytes, schema: Any = MANIFEST) -> Any:
    """Read the bytes of a manifest as JSON of a version that is known.

    Args:
        data: Content of `manifest.json`, or of `factors.json`.
        schema: Which of them.

    Returns:
        The JSON value, of the right schema.

    Raises:
        StoreError: If it is not JSON, of another format version, or of another schema.
    """
    try:
        value = json.loads(data.decode("ascii"))
    except (ValueError, RecursionError):
        raise StoreError("it is not canonical JSON") from None
    if isinstance(value, dict) and "format_version" in value:
        version = value["format_version"]
        if type(version) is not int or version != FORMAT_VERSION:
            raise StoreError(
                f"it has format version {str(version)[:60]!r}, and this version of "
                f"datainf reads {FORMAT_VERSION}"
            )
    check_schema(value, schema)
    return value


def check_form(data: bytes, value: Mapping[str, Any]) -> None:
    """Check that a manifest is byte for byte what a writer writes.

    Args:
        data: Content of `manifest.json`.
        value: The same, decoded.

    Raises:
        StoreError: If the text is not canonical or the checksum is wrong.
    """
    rest = {key: item for key, item in value.items() if key != "checksum"}
    try:
        canonical = canonical_json(value).encode() == data
        checksum = sha256_of(rest)
    except ValueError:  # NaN or infinity, which JSON does not have
        canonical = False
    if not canonical:
        raise StoreError("it is not canonical JSON")
    if checksum != value["checksum"]:
        raise StoreError(
            f"its checksum says {value['checksum'][:12]}…, its content gives "
            f"{checksum[:12]}…"
        )


def build(value: Mapping[str, Any]) -> Manifest:
    """Make a manifest of a value of the right schema.

    Args:
        value: What `decode` gave.

    Returns:
        The manifest.

    Raises:
        StoreError: If its numbers or words do not fit each other; names the key.
    """
    how, identity = value["options"], Identity.from_dict(value["identity"])
    draws = {
        name: given
        for name, given in identity.output.items()
        if name in ("samples", "sample_seed")
    }
    if value["projection"] != identity.projection:
        raise StoreError(
            f"key 'projection' is {value['projection']} and 'identity.task.projection' "
            f"{identity.projection}, which must be the same"
        )
    try:
        options = CollectOptions(
            **_projection(value["projection"]),
            dtype=word(StoreDtype, value["dtype"], "dtype"),
            shard_rows=value["shard_rows"],
            parameters=word(Parameters, how["parameters"], "parameters"),
            output=how["output"],
            batch_tokens=how["batch_tokens"],
            store_text=how["store_text"],
            **draws,
        )
        layout = Layout.from_shapes(_shapes(value["layout"]))
        layout = layout.projected(options.projection)
    except OptionError as error:
        raise StoreError(str(error).removesuffix(".")) from None
    manifest = Manifest(
        library_version=value["library_version"],
        layout=layout,
        identity=identity,
        options=options,
        coverage=tuple(value["coverage"]),
        examples=Examples(**value["examples"]),
        shards=tuple(_shard(entry) for entry in value["shards"]),
        pending={int(k): tuple(v) for k, v in value["pending"].items()},
        complete=value["complete"],
    )
    _check_rows(manifest, value["rows"])
    _check_shards(manifest)
    return manifest


def _shapes(layout: Sequence[Mapping[str, Any]]) -> dict[str, tuple[int, ...]]:
    """Read the layout; a mapping would swallow a name that comes twice."""
    shapes = {block["name"]: tuple(block["shape"]) for block in layout}
    if len(shapes) != len(layout):
        raise StoreError("key 'layout' names a block twice")
    return shapes


def _projection(value: Mapping[str, Any] | None) -> dict[str, Any]:
    """Give the options that make a projection."""
    if value is None:
        return {}
    if value["kind"] != KIND:
        raise StoreError(
            f"key 'projection.kind' must be {KIND!r}, got {value['kind']!r}"
        )
    return {"project": value["width"], "project_seed": value["seed"]}


def _check_rows(manifest: Manifest, rows: int) -> None:
    if rows < 1 or rows != manifest.examples.rows:
        raise StoreError(
            f"key 'rows' must be at least 1 and equal to 'examples.rows', got {rows} "
            f"and {manifest.examples.rows}"
        )


def _check_shards(manifest: Manifest) -> None:
    """Check that shards and pending shards are where they belong."""
    before = -1
    for i, shard in enumerate(manifest.shards):
        rows = manifest.rows_of(shard.number)
        if shard.number <= before or not rows:
            raise StoreError(f"key 'shards[{i}].name' is out of order: {shard.name}")
        if shard.start != rows.start or shard.rows != len(rows):
            raise StoreError(
                f"key 'shards[{i}]' must hold {len(rows)} rows from {rows.start}, "
                f"got {shard.rows} from {shard.start}"
            )
        before = shard.number
    whole = {shard.number for shard in manifest.shards}
    for number in manifest.pending:
        if number in whole or not manifest.rows_of(number):
            raise StoreError(f"key 'pending.{number}' is no shard that is to be made")
    if manifest.complete and len(whole) != manifest.shard_count:
        raise StoreError(
            f"key 'complete' is true with {len(whole)} of {manifest.shard_count} shards"
        )


def _shard(value: Mapping[str, Any]) -> Shard:
    (digits,) = re.findall(r"\d+", value["name"])
    shard = Shard(
        int(digits),
        value["start"],
        value["rows"],
        value["bytes"],
        value["sha256"],
        tuple(value["halved_at"]),
    )
    if shard.name != value["name"]:  # such as shard-000001
        raise StoreError(f"shard name {value['name']!r} must be {shard.name!r}")
    return shard
