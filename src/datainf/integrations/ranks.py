"""Ranks: what processes that work on one job tell each other, by torch.distributed.

The only file that knows of it. The backend is gloo for what lies in memory and nccl for
what lies on a GPU. Messages are JSON, so that nothing that comes over the network can
run. A process that fails tells the others why before it ends; one that is killed is
noticed by its closed connection, one that hangs by the timeout. N rows, n of them one
process's own, Q queries.
"""

import datetime
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor

from datainf.core.errors import DatainfError, OptionError, RankError
from datainf.core.launch import Launch
from datainf.core.share import Share

TIMEOUT = 1800.0
"""Seconds that a process waits for the others: longer than any of them works alone."""


@dataclass(frozen=True)
class Ranks:
    """The processes of a job, seen by one of them.

    Attributes:
        here: This process's place.
        timeout: Seconds that it waits for the others.
    """

    here: Launch = field(default_factory=Launch)
    timeout: float = TIMEOUT

    @property
    def count(self) -> int:
        """How many there are."""
        return self.here.ranks

    @property
    def leads(self) -> bool:
        """Whether this one prints and writes results."""
        return self.here.leads

    def share(self, rows: range) -> Share:
        """Make a share of rows whose sums go over all processes.

        Args:
            rows: This process's own; those of a higher rank come later.

        Returns:
            The share.
        """
        if self.count == 1:
            return Share(rows)
        return Share(
            rows, self.here.rank, self.count, self._sum, self._largest, self._bring
        )

    def told(self, value: Any) -> list[Any]:
        """Tell every process something, and hear what each tells.

        Args:
            value: What JSON can hold.

        Returns:
            The processes' values, by rank.
        """
        if self.count == 1:
            return [value]
        said = torch.frombuffer(
            bytearray(json.dumps(value).encode()), dtype=torch.uint8
        )
        sizes = [torch.zeros(1, dtype=torch.int64) for _ in range(self.count)]
        with self._waiting():
            dist.all_gather(sizes, torch.tensor([len(said)]))
            longest = max(int(size) for size in sizes)
            padded = torch.zeros(longest, dtype=torch.uint8)
            padded[: len(said)] = said
            found = [torch.empty_like(padded) for _ in range(self.count)]
            dist.all_gather(found, padded)
        return [
            json.loads(bytes(each[: int(size)].tolist()))
            for each, size in zip(found, sizes, strict=True)
        ]

    @contextmanager
    def step(self) -> Iterator[None]:
        """Do a piece of work that every process does; all fail if one does.

        Yields:
            Nothing.

        Raises:
            RankError: If another process failed, with its name and message.
        """
        error: Exception | None = None
        try:
            yield
        except Exception as found:
            if self.count == 1:
                raise
            error = found
        if self.count > 1:
            self.end_step(error)

    def end_step(self, error: Exception | None) -> None:
        """Tell the others how a piece of work ended, and hear how it went with them.

        Args:
            error: What went wrong here, if anything did.

        Raises:
            RankError: If anything went wrong anywhere. The process that leads says
                what, and where.
        """
        mine = None
        if error is not None:
            known = isinstance(error, DatainfError)
            mine = [self.here.name, str(error) if known else repr(error)]
        try:
            found = [each for each in self.told(mine) if each is not None]
        except RankError:
            if error is not None:
                raise error from None  # what went wrong here was first
            raise
        if not found:
            return
        if error is not None and not isinstance(error, DatainfError | OSError):
            raise error  # a bug: its traceback is told where it happened
        messages = list(dict.fromkeys(message for _, message in found))
        said = "; ".join(
            f"{', '.join(name for name, text in found if text == message)}: {message}"
            for message in messages
        )
        if len(found) == self.count and len(messages) == 1:
            said = messages[0]  # everybody's
        raise RankError(said, told=not self.leads) from error

    def _sum(self, tensor: Tensor) -> Tensor:
        """Add a tensor up over the processes, in place; the same to the bit in each."""
        return self._reduced(tensor, dist.ReduceOp.SUM)

    def _largest(self, tensor: Tensor) -> Tensor:
        """Take the largest over the processes, entry by entry."""
        return self._reduced(tensor, dist.ReduceOp.MAX)

    def _reduced(self, tensor: Tensor, how: Any) -> Tensor:
        tensor = tensor.contiguous()
        with self._waiting():
            dist.all_reduce(tensor, how)
        return tensor

    def _bring(self, own: Float[Tensor, "Q n"]) -> Float[Tensor, "Q _"]:
        """Gather the processes' columns in the one that leads."""
        widths = self.told(own.shape[1])
        own = own.contiguous()
        if not self.leads:
            if own.numel():
                with self._waiting():
                    dist.send(own, dst=0)
            return own
        whole = own.new_empty(len(own), sum(widths))
        whole[:, : widths[0]] = own
        start = widths[0]
        for rank, width in enumerate(widths[1:], start=1):
            part = own.new_empty(len(own), width)
            if part.numel():
                with self._waiting():
                    dist.recv(part, src=rank)
            whole[:, start : start + width] = part
            start += width
        return whole

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        """Turn what torch says of a lost connection into our own error."""
        try:
            yield
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[0]
            raise RankError(
                f"{self.here.name}: another process ended (its own line says why; "
                "without one it was killed, or its machine is gone) or was silent for "
                f"{self.timeout:g} s: {reason}. What is finished is kept: run the same "
                "command again, with as many ranks as there are."
            ) from error


ALONE = Ranks()


@contextmanager
def joined(launch: Launch, timeout: float = TIMEOUT) -> Iterator[Ranks]:
    """Meet the other processes, for the scope; each takes the GPU of its own number.

    Args:
        launch: This process's place.
        timeout: Seconds that one waits for another.

    Yields:
        The processes.

    Raises:
        OptionError: If the timeout is none, or there are more processes on this
            machine than it has GPUs.
        RankError: If they do not meet.
    """
    if not timeout > 0:
        raise OptionError(f"--rank-timeout must be above 0 seconds, got {timeout}.")
    if launch.ranks == 1:
        yield ALONE
        return
    backend = "gloo"
    if torch.accelerator.is_available():
        devices = torch.accelerator.device_count()
        if launch.local_rank >= devices:
            raise OptionError(
                f"{launch.name} has no GPU of its own: {launch.local_ranks} processes "
                f"were started on a machine where {devices} are visible; start as many "
                "as there are GPUs."
            )
        torch.accelerator.set_device_index(launch.local_rank)
        if dist.is_nccl_available():
            backend = "cpu:gloo,cuda:nccl"
    try:
        dist.init_process_group(
            backend,
            rank=launch.rank,
            world_size=launch.ranks,
            timeout=datetime.timedelta(seconds=timeout),
        )
    except (RuntimeError, ValueError) as error:
        raise RankError(
            f"{launch.name} did not meet the others: {error}; start all of them by "
            "torchrun, with one --rdzv-endpoint that every machine reaches."
        ) from error
    yield Ranks(launch, timeout)
    # Not after an error: the others may be gone, and the end of the process closes all.
    dist.destroy_process_group()
