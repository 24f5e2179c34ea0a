"""What a collection will need, by a few real batches: the answer of `--dry-run`.

N examples of L blocks and D parameters, b bytes a stored number:

    disk    N (b D + 8 L + 16) and the examples' texts; with Kronecker factors, 4 bytes
            for each number of them
    memory  the process's peak after its heaviest batch + twice one shard (as computed,
            and as written) + three times the factors
    time    measured seconds per padded token × padded tokens of the whole plan
"""

import resource
import sys
import time
from collections.abc import Container, Sequence
from dataclasses import dataclass

import torch

from datainf.capture.collect import collect_shard
from datainf.capture.session import CaptureSession
from datainf.core.batch import budget_of, plan_batches
from datainf.core.layout import Layout
from datainf.core.options import CollectOptions
from datainf.core.store_dtype import StoreDtype
from datainf.core.task import Task
from datainf.workflows.rows import Rows

# The longest batch, which needs most memory, and others spread over the plan.
_TRIED = 3


@dataclass(frozen=True)
class Estimate:
    """What a collection will need.

    Attributes:
        rows: Examples, N.
        blocks: Adapter tensors, L.
        parameters: Numbers in one gradient row, D.
        disk_bytes: Size of the finished store.
        memory_bytes: Peak of the process.
        device_bytes: Peak on the accelerator; 0 where there is none.
        seconds: Time for the model's work, this machine's other load included.
        truncated: Examples cut at the task's limit.
    """

    rows: int
    blocks: int
    parameters: int
    disk_bytes: int
    memory_bytes: int
    device_bytes: int
    seconds: float
    truncated: int

    def facts(self) -> dict[str, str]:
        """Write the estimate for people: name -> value."""
        found = {
            "rows": f"{self.rows:,} ({self.truncated:,} cut at the length limit)",
            "blocks": f"{self.blocks:,} of {self.parameters:,} parameters together",
            "disk": human_bytes(self.disk_bytes),
            "memory": f"{human_bytes(self.memory_bytes)} at most",
            "time": human_seconds(self.seconds),
        }
        if self.device_bytes:
            found["accelerator"] = f"{human_bytes(self.device_bytes)} at most"
        return found


def store_bytes(rows: Rows, layout: Layout, dtype: StoreDtype | str) -> int:
    """Compute the size of a finished store.

    Args:
        rows: The examples.
        layout: Their blocks.
        dtype: Number format on disk.

    Returns:
        Bytes.
    """
    text = rows.table["text"].str.len().sum() if "text" in rows.table else 0
    kind = StoreDtype(dtype)
    scales = 4 * len(layout) if kind.scaled else 0
    row = kind.bytes * layout.total + scales + 8 * len(layout) + 16
    return len(rows.table) * row + int(text)


def factor_bytes(layout: Layout, without: Container[str]) -> int:
    """Compute the size of Kronecker factors.

    Args:
        layout: The blocks.
        without: Blocks that have none.

    Returns:
        Bytes: two square matrices a block, of its two sides.
    """
    sides = [side for b in layout if b.name not in without for side in b.shape]
    return 4 * sum(side * side for side in sides)


def estimate(
    session: CaptureSession,
    task: Task,
    rows: Rows,
    *,
    layout: Layout,
    options: CollectOptions,
    shard_rows: int,
) -> Estimate:
    """Run a few batches and scale up.

    Args:
        session: An entered, probed capture session.
        task: Makes the batches.
        rows: The examples.
        layout: The blocks.
        options: How they would be collected.
        shard_rows: Examples a shard.

    Returns:
        The estimate.
    """
    lengths = rows.lengths
    plans = [
        [
            [start + i for i in batch]
            for batch in plan_batches(part, budget_of(options.batch_tokens))
        ]
        for start in range(0, len(lengths), shard_rows)
        for part in [lengths[start : start + shard_rows]]
    ]
    batches = sorted(
        (batch for plan in plans for batch in plan),
        key=lambda batch: -_padded(batch, lengths),
    )
    tried = batches[:: max(1, len(batches) // _TRIED)][:_TRIED]
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    spent = sum(_seconds(session, task, rows, batch) for batch in tried)
    done = sum(_padded(batch, lengths) for batch in tried)
    total = sum(_padded(batch, lengths) for batch in batches)
    shard = min(shard_rows, len(lengths)) * layout.total * 4
    factors = factor_bytes(layout, session.unfactored) if options.factors else 0
    return Estimate(
        rows=len(lengths),
        blocks=len(layout),
        parameters=layout.total,
        disk_bytes=store_bytes(rows, layout, options.dtype) + factors,
        memory_bytes=peak_memory() + 2 * shard + 3 * factors,
        device_bytes=(
            torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
        ),
        seconds=spent * total / done,
        truncated=rows.truncated,
    )


def peak_memory() -> int:
    """Give the most memory this process has held so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in KiB, macOS in bytes.
    return peak if sys.platform == "darwin" else peak * 1024


def human_bytes(count: float) -> str:
    """Write a number of bytes for people.

    Args:
        count: Bytes.

    Returns:
        As in "1.5 GiB".

    Examples:
        >>> human_bytes(1536 * 2**20)
        '1.5 GiB'
    """
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def human_seconds(seconds: float) -> str:
    """Write a time for people.

    Args:
        seconds: How long.

    Returns:
        As in "3 min 20 s".

    Examples:
        >>> human_seconds(200)
        '3 min 20 s'
    """
    whole = round(seconds)
    if seconds < 10:
        return f"{seconds:.1f} s"
    hours, rest = divmod(whole, 3600)
    minutes, rest = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _padded(batch: Sequence[int], lengths: Sequence[int]) -> int:
    return len(batch) * max(lengths[i] for i in batch)


def _seconds(
    session: CaptureSession, task: Task, rows: Rows, batch: Sequence[int]
) -> float:
    """Run one batch as a shard of its own and take the time."""
    lengths = [rows.lengths[i] for i in batch]
    examples = rows.read(batch)
    began = time.perf_counter()
    collect_shard(
        session,
        task,
        examples,
        lengths=lengths,
        budget=len(batch) * max(lengths),
    )
    return time.perf_counter() - began
