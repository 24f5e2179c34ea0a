"""The facts about a store that `datainf inspect` shows; finished or not."""

from pathlib import Path
from typing import Any

from datainf.core.batch import budget_of
from datainf.core.side_projection import said
from datainf.store.atomic import reading
from datainf.store.excluded import excluded_in, parameters_in
from datainf.store.manifest import FORMAT_VERSION
from datainf.store.parsing import read_manifest


def describe_store(path: str | Path) -> dict[str, Any]:
    """Say what a store holds, from its manifest alone.

    Args:
        path: The folder.

    Returns:
        JSON values, the most asked first.
    """
    folder = Path(path)
    manifest = read_manifest(folder)
    with reading(folder):
        size = sum(entry.stat().st_size for entry in folder.iterdir())
    identity, options = manifest.identity, manifest.options
    return {
        "path": str(folder),
        "complete": manifest.complete,
        "rows": manifest.rows,
        "blocks": len(manifest.layout),
        "parameters": sum(manifest.layout.parameters.values()),
        "numbers": manifest.layout.total,
        "dtype": manifest.dtype.value,
        "projection": said(identity.projection),
        "bytes": size,
        "shards": f"{len(manifest.shards)} of {manifest.shard_count}",
        "shard_rows": manifest.shard_rows,
        "halvings": sum(len(shard.halved_at) for shard in manifest.shards),
        "base": identity.base,
        "adapter": identity.adapter,
        "data": identity.data,
        "task": dict(identity.task),
        "about": dict(identity.about),
        "collected": str(options.parameters),
        "output": str(options.output),
        "batch_tokens": budget_of(options.batch_tokens),
        "text": options.store_text,
        "excluded": [row.to_dict() for row in excluded_in(manifest.coverage)],
        "coverage": parameters_in(manifest.coverage),
        "library_version": manifest.library_version,
        "format_version": FORMAT_VERSION,
    }
