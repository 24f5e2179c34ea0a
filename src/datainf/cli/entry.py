"""The entry point: run a command, turn what goes wrong into one line and an exit code.

0    done
1    something unforeseen: one line, and where the traceback lies
2    the user's mistake: one line that says what to do
130  interrupted (Ctrl-C): what is finished is kept, the same command resumes
"""

import logging
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import typer
from typer.main import get_command

from datainf.cli.app import app
from datainf.cli.console import complain, warnings_as_lines
from datainf.core.errors import DatainfError, RankError
from datainf.core.launch import Launch

# click's own errors, whichever click typer brings: BadParameter < UsageError <
# ClickException.
USAGE_ERRORS: Any = typer.BadParameter.__mro__[2]


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and leave the process.

    Args:
        argv: Arguments; the process's own when not given.

    Raises:
        SystemExit: Always, with the exit code.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if "--traceback" not in arguments:
        sys.excepthook = _unforeseen
    raise SystemExit(run(arguments))


def run(arguments: Sequence[str]) -> int:
    """Run the command line.

    Args:
        arguments: What was typed after `datainf`.

    Returns:
        The exit code.

    Raises:
        OSError: If it is no answer of the operating system, or with `--traceback`.
    """
    # Our messages and bars stand for those of the libraries below.
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # It says of every call in 8 bits on a CPU that it rounds.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    launch = Launch.read()
    with warnings_as_lines(shown=launch.leads):
        try:
            code = get_command(app).main(
                args=list(arguments) or ["--help"],
                prog_name="datainf",
                standalone_mode=False,
            )
        except USAGE_ERRORS as error:
            if launch.leads:  # all were given the same flags
                complain("error", error.format_message())
            return 2
        except DatainfError as error:
            if not isinstance(error, RankError):
                complain("error", f"{launch.said}{error}")
            elif not error.told:
                complain("error", str(error))  # it says of whom it speaks
            return 2
        except OSError as error:
            # What the system refuses (a file where a folder should be, no permission,
            # a full disk) is told in its own words.
            if error.strerror is None or "--traceback" in arguments:
                raise
            place = f"{error.filename}: " if error.filename else ""
            complain(
                "error", f"{launch.said}{place}{error.strerror}; choose another path."
            )
            return 2
        except (KeyboardInterrupt, typer.Abort):
            code = 130
    if code == 130 and launch.leads:
        complain(
            "error", "interrupted; what is finished is kept: rerun the same command."
        )
    return int(code or 0)


def _unforeseen(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Write the traceback of a bug to a file, and one line that says where."""
    text = "".join(traceback.format_exception(kind, error, trace))
    with tempfile.NamedTemporaryFile(
        "w", prefix="datainf-", suffix=".log", delete=False, encoding="utf-8"
    ) as file:
        file.write(text)
    complain(
        "error",
        f"{Launch.read().said}unforeseen {kind.__name__}: {error}. The traceback is in "
        f"{file.name}; --traceback shows it.",
    )
