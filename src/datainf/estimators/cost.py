"""What a method costs, from shapes alone and this machine's measured rates.

N curvature rows, M candidates, Q queries, d parameters of a curvature group, s = min(d,
N), k the rank of `cg`'s sketch. Counted are multiplications and additions of the matrix
products (2 a pair), and numbers read:

    scaled-dot  2MQd
    datainf     8NQd (+ 2MQd where candidates are not the curvature rows)
    exact       2Nsd + s³/3 + 8NQd or 4d²Q + 2MQd, all in float64
    cg          4Nkd + 6k²d + steps (4NQd + 4Qkd), and 8NQd in float64

`cg` decides itself how many steps it takes; 100 are assumed. Memory is what a method
holds at most for one group, with the scores and some portions of rows. Right within a
factor of about two where nothing else runs: good for choosing, not for promising.
"""

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from resource import RLIM_INFINITY, RLIMIT_AS, RLIMIT_DATA, getrlimit

import torch

from datainf.core.errors import OptionError

# Steps that `cg` is taken to need: what gradients with a slowly falling spectrum took.
CG_STEPS = 100

# `cg`'s checks in float64: one a run of float32 steps, for the tolerance of 1e-6.
_CHECKS = 2

# Portions of rows in float32 and float64 that any method holds for a moment.
_PORTIONS = 128 * 2**20

_UNITS = {"": 1, "B": 1}
_UNITS |= {
    f"{letter}{kind}B": base**power
    for power, letter in enumerate("KMGT", start=1)
    for kind, base in (("", 1000), ("i", 1024))
}


@dataclass(frozen=True)
class Shape:
    """What is to be scored, in numbers.

    Attributes:
        rows: Curvature rows, N.
        candidates: Rows to be scored, M.
        queries: Q.
        sizes: d of each curvature group.
        shared: Whether candidates are the curvature rows.
        own: Whether every candidate is a query too.
    """

    rows: int
    candidates: int
    queries: int
    sizes: tuple[int, ...]
    shared: bool = True
    own: bool = False


@dataclass(frozen=True)
class Work:
    """What one group takes.

    Attributes:
        flops: In the gradients' own arithmetic.
        wide_flops: In float64.
        numbers: Read, all readings together.
        held: Bytes held at most.
    """

    flops: float
    wide_flops: float
    numbers: float
    held: float


@dataclass(frozen=True)
class Cost:
    """What a method takes.

    Attributes:
        seconds: Time.
        bytes: Memory beyond what is there already.
    """

    seconds: float
    bytes: float

    def __str__(self) -> str:
        """Write it as in "about 2.1 s and 0.31 GiB"."""
        time = f"{self.seconds:.2g}" if self.seconds >= 0.1 else "0.1"
        return f"about {time} s and {self.bytes / 2**30:.2g} GiB"


@dataclass(frozen=True)
class Machine:
    """What this machine does in a second.

    Attributes:
        flops: Of float32 matrix products.
        wide_flops: Of float64 ones.
        numbers: Read and converted to float64.
    """

    flops: float
    wide_flops: float
    numbers: float


@cache
def machine(device: str = "cpu", threads: int = 0) -> Machine:
    """Measure the machine, once for each number of threads; some milliseconds.

    Args:
        device: Where to measure.
        threads: The number of threads now, which the measurement belongs to.

    Returns:
        Its rates.
    """
    del threads
    narrow = torch.ones(512, 512, device=device)
    wide, many = narrow.double(), torch.ones(2048, 512, device=device)
    return Machine(
        2 * 512**3 / _fastest(lambda: narrow @ narrow),
        2 * 512**3 / _fastest(lambda: wide @ wide),
        2048 * 512 / _fastest(many.double),
    )


def _fastest(work: Callable[[], torch.Tensor]) -> float:
    """Time the best of a few calls, in seconds."""
    found = []
    for _ in range(4):
        start = time.perf_counter()
        float(work()[0, 0])  # waits for an accelerator
        found.append(time.perf_counter() - start)
    return max(min(found), 1e-6)


def scaled_dot_work(shape: Shape, d: int) -> Work:
    """Count one group of `scaled-dot`."""
    _, m, q = _counts(shape)
    return Work(2 * m * q * d, 0, m * d, 4 * shape.queries * d * 2)


def datainf_work(shape: Shape, d: int) -> Work:
    """Count one group of `datainf`."""
    n, m, q = _counts(shape)
    again = 0 if shape.shared else m
    return Work(
        8 * n * q * d + 2 * again * q * d,
        0,
        2 * n * d + again * d,
        4 * shape.queries * (3 * d + 2 * n),
    )


def exact_work(shape: Shape, d: int) -> Work:
    """Count one group of `exact`."""
    n, m, q = _counts(shape)
    side = min(d, n)
    by_rows = n < d
    again = 0 if by_rows and shape.shared else m
    solving = 8 * n * q * d + 2 * n * n * q if by_rows else 4 * d * d * q
    return Work(
        0,
        2 * n * side * d + side**3 / 3 + solving + 2 * again * q * d,
        (1 + 3 * by_rows) * n * d + again * d,
        8 * (2 * side**2 + shape.queries * (4 * d + n)),
    )


def cg_work(shape: Shape, d: int, *, rank: int = 100) -> Work:
    """Count one group of `cg`."""
    n, m, q = _counts(shape)
    k = min(rank, d, n)
    # so few rows or columns are sketched whole, and solved in a step or two
    steps = 2 if k == min(d, n) else CG_STEPS
    again = 0 if shape.shared else m
    return Work(
        4 * n * k * d + 6 * k * k * d + steps * 4 * q * d * (n + k),
        _CHECKS * 4 * n * q * d + 2 * again * q * d,
        (1 + steps + _CHECKS) * n * d + again * d,
        12 * k * d + shape.queries * (48 * d + 8 * n),
    )


def _counts(shape: Shape) -> tuple[int, int, int]:
    """Give N, M and all queries, those that are candidates included."""
    own = shape.candidates if shape.own else 0
    return shape.rows, shape.candidates, shape.queries + own


WORK: Mapping[str, Callable[[Shape, int], Work]] = {
    "exact": exact_work,
    "cg": cg_work,
    "datainf": datainf_work,
    "scaled-dot": scaled_dot_work,
}


def cost(method: str, shape: Shape, *, wide: bool = False, device: str = "cpu") -> Cost:
    """Estimate a method's cost.

    Args:
        method: A name of `WORK`.
        shape: What is to be scored.
        wide: Whether the gradients are float64.
        device: Where the work is done.

    Returns:
        Time and memory.
    """
    rates = machine(device, torch.get_num_threads())
    narrow = rates.wide_flops if wide else rates.flops
    seconds, held = 0.0, 0.0
    for d in shape.sizes:
        work = WORK[method](shape, d)
        seconds += work.flops / narrow + work.wide_flops / rates.wide_flops
        seconds += work.numbers / rates.numbers
        held = max(held, work.held)
    return Cost(seconds, held + 8 * shape.queries * shape.candidates + _PORTIONS)


def available_bytes(device: torch.device | str = "cpu") -> int:
    """Say how much memory this process could still take.

    Args:
        device: Whose memory.

    Returns:
        Bytes: what the system calls available, within the limits of a container and
        of the process (`ulimit -d`, `ulimit -v`).
    """
    if torch.device(device).type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        known = Path("/proc/meminfo").read_text(encoding="ascii")
        (found,) = re.findall(r"^MemAvailable:\s+(\d+) kB", known, re.MULTILINE)
        free = int(found) * 1024
    except (OSError, ValueError):  # not Linux
        free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    with suppress(OSError, ValueError):  # no container, or one without a limit ("max")
        limit, used = (
            int(Path(f"/sys/fs/cgroup/memory.{name}").read_text(encoding="ascii"))
            for name in ("max", "current")
        )
        free = min(free, limit - used)
    return max(0, min([free, *_within_own_limits()]))


def _within_own_limits() -> Iterator[int]:
    """Say what the limits of this process leave, limit by limit."""
    for limit, counted in ((RLIMIT_DATA, "VmData"), (RLIMIT_AS, "VmSize")):
        most, _ = getrlimit(limit)
        if most == RLIM_INFINITY:
            continue
        used = 0
        with suppress(OSError, ValueError):  # not Linux
            known = Path("/proc/self/status").read_text(encoding="ascii")
            (found,) = re.findall(rf"^{counted}:\s+(\d+) kB", known, re.MULTILINE)
            used = int(found) * 1024
        yield most - used


def bytes_of(given: object, option: str) -> int:
    """Read an amount of memory.

    Args:
        given: A number of bytes, or a text such as "2GiB" or "500 MB".
        option: The option's name, for the message.

    Returns:
        Bytes.

    Raises:
        OptionError: If it is no such amount.

    Examples:
        >>> bytes_of("2GiB", "max_memory") == bytes_of(2**31, "max_memory")
        True
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?i?B)?", str(given).strip())
    amount = 0
    if found and not isinstance(given, bool) and (found[2] or "") in _UNITS:
        amount = int(float(found[1]) * _UNITS[found[2] or ""])
    if amount < 1:
        raise OptionError(
            f"{option} must be a number of bytes or a text such as '2GiB', got "
            f"{given!r}."
        )
    return amount
