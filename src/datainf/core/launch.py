"""Launch: which of several processes this one is, as `torchrun` told it.

`torchrun` and `accelerate launch` start the same command several times, on one machine
or many, and tell each its rank (`RANK`), how many there are (`WORLD_SIZE`), and the
same within its machine (`LOCAL_RANK`, `LOCAL_WORLD_SIZE`). Without them one process is
all there is.
"""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from datainf.core.errors import OptionError

_HOW = "torchrun --nproc-per-node N -m datainf ..."


@dataclass(frozen=True)
class Launch:
    """A process's place among those that were started together.

    Attributes:
        rank: Which it is, from 0, the leader.
        ranks: How many there are.
        local_rank: Which it is on its machine.
        local_ranks: How many its machine has.
        host: Its machine's name.
    """

    rank: int = 0
    ranks: int = 1
    local_rank: int = 0
    local_ranks: int = 1
    host: str = ""

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> "Launch":
        """Read what the launcher told.

        Args:
            environ: The environment.

        Returns:
            The place; that of the only process where nothing was told.
        """
        keys = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
        rank, ranks, local, locals_ = (_number(environ, key) for key in keys)
        if ranks is None:
            return cls()
        return cls(rank or 0, ranks, local or 0, locals_ or 1, socket.gethostname())

    @property
    def leads(self) -> bool:
        """Whether this process prints and writes results."""
        return self.rank == 0

    @property
    def name(self) -> str:
        """The process for people, as in "rank 1 of 4 (node7)"."""
        return f"rank {self.rank} of {self.ranks} ({self.host})"

    @property
    def said(self) -> str:
        """What its messages begin with: nothing where it is the only one."""
        return f"{self.name}: " if self.ranks > 1 else ""

    def require(self, asked: int | None) -> None:
        """Refuse to start with another number of processes than was asked for.

        Args:
            asked: What the user said; None where nothing was said.

        Raises:
            OptionError: If another number came: some launchers start one process
                whatever they are told.
        """
        if asked is None:
            return
        if asked < 1:
            raise OptionError(f"--world-size must be at least 1, got {asked}.")
        if asked != self.ranks:
            raise OptionError(
                f"--world-size {asked} asks for {asked} processes, and the launcher "
                f"started {self.ranks}; start them together: "
                f"{_HOW.replace('N', str(asked))}"
            )

    def require_alone(self, command: str) -> None:
        """Refuse to do the work of one process in several at once.

        Args:
            command: What cannot be shared, for the message.

        Raises:
            OptionError: If several were started.
        """
        if self.ranks > 1:
            raise OptionError(
                f"{command} works in one process, and the launcher started "
                f"{self.ranks}; run it without one. collect and score can be shared."
            )


def _number(environ: Mapping[str, str], key: str) -> int | None:
    """Read a number that a launcher gives; None where there is none."""
    text = environ.get(key)
    return int(text) if text is not None and text.isdecimal() else None
