"""`ui`: a finished run as a page to ask it about new outputs."""

import threading
import warnings
from contextlib import suppress

from datainf.cli.console import Bars, tell
from datainf.cli.flags import Given
from datainf.core.errors import DatainfWarning, OptionError

_PORTS = range(1, 65536)
_OWN = ("127.0.0.1", "localhost", "::1", "[::1]")


def ui(given: Given) -> None:
    """Ask a finished run, on a web page, what taught it a new output."""
    port, host = given["port"], given["host"] or _OWN[0]
    if port is not None and port not in _PORTS:
        raise OptionError(f"--port must be between 1 and {_PORTS[-1]}, got {port}.")
    from datainf.reports.web_app import gradio, served

    gradio()  # what is missing shows before the model is loaded
    if host not in _OWN:
        warnings.warn(
            f"everybody who can reach {host} can ask this run and read its training "
            "rows; there is no password.",
            DatainfWarning,
            stacklevel=2,
        )
    from datainf.workflows.asking import asking

    run = given.argument or ""
    with (
        asking(run, Bars()) as asker,
        served(asker, host=host, port=port, browse=bool(given["browse"])) as address,
    ):
        tell(f"ask {run} at {address} (Ctrl-C ends it)")
        wait()


def wait() -> None:
    """Wait until the user ends it, by Ctrl-C."""
    with suppress(KeyboardInterrupt):
        threading.Event().wait()
