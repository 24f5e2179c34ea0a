"""Commands under `torchrun`: what is shared among processes, and what is not.

Only the process that leads prints results and draws bars; each tells its own errors.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from datainf.cli.console import Bars
from datainf.cli.flags import Given
from datainf.core.errors import OptionError, RankError
from datainf.core.launch import Launch

if TYPE_CHECKING:
    from datainf.integrations.ranks import Ranks
    from datainf.workflows.progress import Reporter


def alone(command: Callable[[Given], None]) -> Callable[[Given], None]:
    """Keep a command from running in several processes at once.

    Args:
        command: Its body.

    Returns:
        The same, refused where a launcher started more than one.
    """

    def run(given: Given) -> None:
        with _told_once(launch := Launch.read()):
            launch.require_alone(f"datainf {command.__name__.replace('_', '-')}")
        command(given)

    run.__doc__, run.__name__ = command.__doc__, command.__name__
    return run


@contextmanager
def together(given: Given) -> Iterator["Ranks"]:
    """Meet the other processes of a command that can be shared, for the scope.

    Args:
        given: The flags; `--world-size` and `--rank-timeout` are read.

    Yields:
        The processes.
    """
    with _told_once(launch := Launch.read()):
        launch.require(given["world_size"])  # before torch is loaded
    from datainf.integrations.ranks import TIMEOUT, joined

    seconds = given["rank_timeout"]
    with joined(launch, TIMEOUT if seconds is None else seconds) as ranks:
        yield ranks


def reporter_of(ranks: "Ranks") -> "Reporter":
    """Give what shows progress: bars in the process that leads, nothing in the others.

    Args:
        ranks: The processes.

    Returns:
        The reporter.
    """
    from datainf.workflows.progress import Logged

    return Bars() if ranks.leads else Logged()


@contextmanager
def _told_once(launch: Launch) -> Iterator[None]:
    """Let what is wrong with the launch be told by the process that leads alone."""
    try:
        yield
    except OptionError as error:
        if launch.ranks == 1:
            raise
        raise RankError(str(error), told=not launch.leads) from error
