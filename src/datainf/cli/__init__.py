"""The command line: arguments -> one workflow call -> exit code. One verb a job."""

from datainf.cli.entry import main

__all__ = ["main"]
