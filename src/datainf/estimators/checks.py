"""What the numbers among a method's options must be."""

import math

from datainf.core.errors import OptionError


def require_positive(method: str, option: str, value: object) -> None:
    """Refuse an option that is not a positive, finite number.

    Args:
        method: The method's name, for the message.
        option: The option's name.
        value: What came.

    Raises:
        OptionError: If it is not.
    """
    if (
        not isinstance(value, (int, float))
        or isinstance(value, bool)
        or not 0 < value < math.inf
    ):
        raise OptionError(
            f"{method}: {option} must be a positive number, got {value!r}."
        )


def require_count(method: str, option: str, value: object, least: int = 1) -> None:
    """Refuse an option that is not a whole number of at least some size.

    Args:
        method: The method's name, for the message.
        option: The option's name.
        value: What came.
        least: The smallest number allowed.

    Raises:
        OptionError: If it is not.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise OptionError(
            f"{method}: {option} must be a whole number of at least {least}, "
            f"got {value!r}."
        )
