"""Queries that are prompts alone: the adapter draws them first.

A query of a task from text to image may lack its image. Then it is drawn with the
adapter that is asked about, from its column `seed` (0 without one), and kept as

    out/drawn/seed-*.png

named by prompt, seed, pipeline and adapter, so that the same run again draws nothing.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from datainf.core.canonical import sha256_of
from datainf.core.errors import DataError
from datainf.core.task import Task
from datainf.integrations.diffusion.denoising import choices_of, denoising_of
from datainf.integrations.diffusion.generated import generated
from datainf.integrations.diffusion.pipelines import as_module, pipeline_fingerprint
from datainf.integrations.fingerprint import hash_adapter, hash_base
from datainf.integrations.image_folders import IMAGES
from datainf.integrations.peft import adapter_of
from datainf.integrations.tasks.text_to_image import TextToImage
from datainf.workflows.progress import Logged, Reporter

DRAWN = "drawn"
SEED = "seed"


def drawn_queries(
    model: Any,
    task: Task | Any,
    queries: Any,
    folder: str | Path,
    *,
    adapter_name: str | None = None,
    progress: Reporter | None = None,
) -> Any:
    """Draw the queries that have no image.

    `attribute` does so by itself; do it before, to look at the pictures or to show them
    with `pictures`.

    Args:
        model: The adapted model, or a pipeline with its LoRA loaded.
        task: Its task; of any but text-to-image the queries are left as they are.
        queries: Rows.
        folder: Where `drawn/` goes.
        adapter_name: Which adapter draws.
        progress: Told how far it is.

    Returns:
        The rows, each with an image, and with the seed it was drawn from; the very
        rows where none is missing.

    Raises:
        DataError: If a row has no prompt, a seed that is none, or its image in a
            column of another name.

    Examples:
        >>> asked = [{"text": "a cat", "seed": 3}]
        >>> asked = drawn_queries(pipe, task, asked, "runs/cat")  # doctest: +SKIP
        >>> scores = datainf.attribute(pipe, train, asked, task)  # doctest: +SKIP
    """
    if not isinstance(task, TextToImage):
        return queries
    rows: list[Mapping[str, Any]] = [queries[i] for i in range(len(queries))]
    bare = [i for i, row in enumerate(rows) if row.get(task.image_column) is None]
    if not bare:
        return queries
    for i in bare:
        _refuse_misnamed(rows[i], task.image_column)
    model = as_module(model)
    adapter = adapter_of(model, adapter_name)
    pipeline = denoising_of(model).pipeline
    own = [
        hash_base(model, adapter),
        hash_adapter(model, adapter),
        pipeline_fingerprint(pipeline),
        # How it samples, of which training says nothing.
        f"{type(pipeline.scheduler).__name__} {choices_of(pipeline.scheduler)}",
        task.resolution,
    ]
    files = {
        i: _file(Path(folder), task.caption(rows[i]), _seed(rows[i]), own) for i in bare
    }
    missing = [i for i in bare if not files[i].is_file()]
    reporter = progress or Logged()
    with (
        reporter.stage("drawing queries", len(missing)) as advance,
        adapter.activated(),
    ):
        for i in missing:
            prompt, seed = task.caption(rows[i]), _seed(rows[i])
            (made,) = generated(
                model, [prompt], seed=seed, side=task.resolution, on_picture=advance
            )
            files[i].parent.mkdir(parents=True, exist_ok=True)
            whole = files[i].with_suffix(".part")
            made.save(whole, "PNG")
            whole.replace(files[i])
    return [
        {**row, task.image_column: str(files[i]), SEED: _seed(row)}
        if i in files
        else row
        for i, row in enumerate(rows)
    ]


def _file(folder: Path, prompt: str, seed: int, own: list[Any]) -> Path:
    """Name a drawn query by all that it depends on."""
    return folder / DRAWN / f"seed-{seed}-{sha256_of([prompt, seed, *own])[:16]}.png"


def _refuse_misnamed(row: Mapping[str, Any], column: str) -> None:
    """Refuse to draw where the row has its picture in a column of another name."""
    for name, value in row.items():
        held = isinstance(value, Mapping) and {"bytes", "path"} <= value.keys()
        drawn = type(value).__module__.startswith("PIL.")
        named = isinstance(value, str | Path) and Path(value).suffix.lower() in IMAGES
        if column not in row and (held or drawn or named):
            raise DataError(
                f"a query has no column {column!r}, and {name!r} holds an image; name "
                f"that column {column!r}, or with task.image_column, or take it out "
                "to have the prompt drawn."
            )


def _seed(row: Mapping[str, Any]) -> int:
    """Read a query's seed."""
    seed = row.get(SEED)
    if seed is None:
        return 0
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise DataError(
            f"column {SEED!r} must hold a whole number of at least 0, got {seed!r}."
        )
    return seed
