"""The command line in this process: what was typed -> code, stdout, stderr."""

import io
import os
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from unittest.mock import patch

from datainf.cli.entry import run


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str


def datainf(*arguments: object, terminal: bool = False) -> Ran:
    """Run a command; `terminal` makes it believe that stdout is one."""
    out, err = io.StringIO(), io.StringIO()
    # It is told to a real terminal alone: rich would draw in colours.
    out.isatty = lambda: terminal  # type: ignore[method-assign]
    with patch.dict(os.environ), redirect_stdout(out), redirect_stderr(err):
        code = run([str(argument) for argument in arguments])
    return Ran(code, out.getvalue(), err.getvalue())


def worked(*arguments: object) -> Ran:
    """Run a command that must work, and leave no error or warning behind."""
    ran = datainf(*arguments)
    assert ran.code == 0, ran.err
    assert "datainf:" not in ran.err
    return ran


def refused(*arguments: object) -> str:
    """Run a command that must refuse its user's mistake; give its one line."""
    ran = datainf(*arguments)
    assert ran.code == 2, ran
    assert ran.out == ""
    lines = [line for line in ran.err.splitlines() if line.startswith("datainf: ")]
    assert lines == ran.err.splitlines()[-1:], ran.err
    assert "Traceback" not in ran.err
    return lines[0].removeprefix("datainf: error: ")
