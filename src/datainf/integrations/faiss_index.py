"""An approximate index over gradient rows, by faiss: inner products in some cells.

Rows are sorted into cells around centres that k-means finds in a sample, and kept with
a byte a number (faiss' `IndexIVFScalarQuantizer`); a query looks into the `probes`
cells nearest to it. What it gives are candidates: whoever asks multiplies them again,
so that their products are exact, and some of the best rows may be missing.

faiss is an extra (`pip install datainf[faiss]`) and is imported here alone. Memory of
the index: N D bytes. N rows, Q queries, D numbers of a row.
"""

import os
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from datainf.core.durable import PARTIAL
from datainf.core.extras import needed
from datainf.core.source import GradientSource, RowBlock

# faiss' own advice for k-means: so many sampled rows a cell are enough.
_SAMPLED = 40
_PORTION_BYTES = 64 * 2**20


def build_cells(source: GradientSource, file: Path, *, cells: int, seed: int) -> None:
    """Sort every row of a source into cells, and write the index.

    Args:
        source: The rows; read twice.
        file: Where to write.
        cells: How many centres, at most N.
        seed: Of k-means.
    """
    faiss = _faiss()
    size = sum(source.layout.sizes.values())
    centres = faiss.IndexFlatIP(size)
    index = faiss.IndexIVFScalarQuantizer(
        centres,
        size,
        cells,
        faiss.ScalarQuantizer.QT_8bit,
        faiss.METRIC_INNER_PRODUCT,
    )
    index.cp.seed = seed
    # faiss warns on stdout of few rows a cell, which the caller has chosen.
    index.cp.min_points_per_centroid = 1
    step = max(1, len(source) // (_SAMPLED * cells))
    rows = max(1, _PORTION_BYTES // (4 * size))
    sampled = [
        joined(part)[(-part.start) % step :: step] for part in source.rows(size=rows)
    ]
    index.train(torch.cat(sampled).numpy())
    for part in source.rows(size=rows):
        index.add(joined(part).numpy())
    partial = file.with_name(file.name + PARTIAL)
    faiss.write_index(index, str(partial))
    os.replace(partial, file)


def nearest_rows(
    file: Path, x: Float[Tensor, "Q D"], *, count: int, probes: int
) -> Int64[Tensor, "Q count"]:
    """Give the rows whose products with each query are the largest that were found.

    Args:
        file: The index.
        x: The queries.
        count: How many rows a query.
        probes: Cells that are looked into.

    Returns:
        Their places; −1 where the cells hold fewer.
    """
    faiss = _faiss()
    index = faiss.read_index(str(file), faiss.IO_FLAG_MMAP)
    index.nprobe = probes
    _, places = index.search(x.contiguous().numpy(), count)
    return torch.from_numpy(places)


def joined(part: RowBlock) -> Float[Tensor, "n D"]:
    """Put a portion's blocks side by side, in float32 on the CPU."""
    return torch.cat([g.to("cpu", torch.float32) for g in part.gradients.values()], 1)


def _faiss() -> Any:
    """Import faiss, or name its extra."""
    with needed("an approximate index", "faiss", "faiss"):
        import faiss
    return faiss
