"""Real processes that work together over gloo: forked, one thread each, on one port."""

import json
import os
import signal
import socket
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from datainf.core.launch import Launch
from datainf.integrations.ranks import Ranks, joined

Work = Callable[[Ranks], Any]

FINE = ("", "")


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes:
        value: What it found.
        error: Class and message of what it raised; empty where all went well.
        signal: What killed it.
    """

    value: Any = None
    error: tuple[str, str] = FINE
    signal: int = 0


def in_ranks(
    count: int, work: Work, folder: Path, *, timeout: float = 20, within: float = 60
) -> list[Ended]:
    """Let processes meet and work together.

    Args:
        count: How many.
        work: What each does; what it gives must be JSON.
        folder: Where they leave what they found.
        timeout: Seconds that they wait for each other.
        within: Seconds after which all must have ended.

    Returns:
        How each ended, by rank.
    """

    def meet(rank: int) -> Any:
        with joined(Launch(rank, count, rank, count, "here"), timeout) as ranks:
            return work(ranks)

    return forked(count, meet, folder, within=within)


def forked(
    count: int, work: Callable[[int], Any], folder: Path, *, within: float = 60
) -> list[Ended]:
    """Start processes as a launcher does, each with its rank.

    Args:
        count: How many.
        work: What each does; what it gives must be JSON.
        folder: Where they leave what they found.
        within: Seconds after which all must have ended.

    Returns:
        How each ended, by rank.
    """
    folder.mkdir(exist_ok=True)
    port = _free_port()
    children = []
    for rank in range(count):
        child = os.fork()
        if not child:
            os.environ.update(
                RANK=str(rank),
                WORLD_SIZE=str(count),
                LOCAL_RANK=str(rank),
                LOCAL_WORLD_SIZE=str(count),
                MASTER_ADDR="127.0.0.1",
                MASTER_PORT=str(port),
            )
            _run(rank, work, folder / f"{rank}.json")
        children.append(child)
    end = time.monotonic() + within
    statuses: dict[int, int] = {}
    while len(statuses) < count:
        for child in set(children) - set(statuses):
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                statuses[child] = status
        if time.monotonic() > end:
            for child in set(children) - set(statuses):
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
            raise AssertionError(f"processes hang: {statuses} of {children} ended")
        time.sleep(0.01)
    return [
        _ended(folder / f"{rank}.json", statuses[child])
        for rank, child in enumerate(children)
    ]


def _run(rank: int, work: Callable[[int], Any], file: Path) -> None:
    """Work, leave what came of it, and end; in a forked child."""
    code = 0
    try:
        warnings.simplefilter("ignore")
        torch.set_num_threads(1)
        found = {"value": work(rank)}
    except BaseException as error:  # noqa: BLE001 - told to the parent
        found, code = {"error": [type(error).__name__, str(error)]}, 1
        file.with_suffix(".traceback").write_text(traceback.format_exc())
    file.write_text(json.dumps(found))
    os._exit(code)


def _ended(file: Path, status: int) -> Ended:
    killed = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    found = json.loads(file.read_text()) if file.is_file() else {}
    kind, message = found.get("error", FINE)
    return Ended(found.get("value"), (kind, message), killed)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
