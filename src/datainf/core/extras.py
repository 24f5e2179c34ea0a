"""Libraries that only some users need: extras of the package, named where one lacks."""

from collections.abc import Iterator
from contextlib import contextmanager

from datainf.core.errors import OptionError


@contextmanager
def needed(what: str, library: str, extra: str) -> Iterator[None]:
    """Import a library of an extra, inside of this scope.

    Args:
        what: What needs it, as the message begins.
        library: Its name.
        extra: The extra that installs it.

    Yields:
        Nothing.

    Raises:
        OptionError: If it cannot be imported.
    """
    try:
        yield
    except ImportError as error:
        raise OptionError(
            f"{what} needs {library}, which cannot be imported ({error}): pip install "
            f"'datainf[{extra}]'."
        ) from error
