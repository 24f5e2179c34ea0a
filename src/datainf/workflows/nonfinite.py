"""Examples whose loss or gradient is NaN or infinite: refused by name, or left out."""

import warnings
from collections.abc import Callable
from typing import NoReturn

from datainf.capture.collect import Nonfinite
from datainf.capture.session import CaptureSession
from datainf.core.errors import DatainfWarning, NonFiniteError
from datainf.core.options import OnNonfinite
from datainf.store.excluded import said
from datainf.store.reader import GradientStore
from datainf.workflows.rows import Rows

# Probes of short examples that may fail before the model itself is to blame.
_PROBES = 5


def probe(session: CaptureSession, rows: Rows, choice: OnNonfinite | str) -> None:
    """Probe the session with short examples; name those that are no numbers.

    Args:
        session: An entered capture session.
        rows: The examples.
        choice: Whether such an example is refused or another one takes its place.

    Raises:
        NonFiniteError: If one is refused, or one after the other is no number.
    """
    spoilt: dict[int, str] = {}
    for _ in range(_PROBES):
        numbers = rows.probe_numbers(spoilt)
        if not numbers:
            break
        try:
            session.probe(rows.read(numbers))
        except NonFiniteError as error:
            found = {numbers[row]: reason for row, reason in error.rows.items()}
            # Where every example fails, the model is to blame: say it as the probe did.
            refused = choice == OnNonfinite.REFUSE
            if not found or (refused and len(found) == len(numbers) > 1):
                raise
            if refused:
                number, reason = next(iter(found.items()))
                refuse(rows.name(number), reason)
            spoilt |= found
        else:
            return
    number, reason = next(iter(spoilt.items()))
    raise NonFiniteError(
        f"each of the {len(spoilt)} shortest examples has a loss or gradient that is "
        f"NaN or infinite ({rows.name(number)}: {reason}); check the model's weights "
        "and number format."
    )


def watch(
    rows: Rows, numbers: list[int], choice: OnNonfinite | str, reasons: dict[int, str]
) -> Callable[[Nonfinite], None]:
    """Make what is called for each example that is no number.

    Args:
        rows: The examples.
        numbers: Place in the data of each example of the shard.
        choice: Whether it is refused or left out.
        reasons: Gets, for those to leave out, their place and what is wrong.

    Returns:
        The function; it raises where the example is refused.
    """

    def found(one: Nonfinite) -> None:
        number = numbers[one.position]
        name = rows.name(number)
        if not one.alone:
            raise NonFiniteError(
                f"{name}: {one.reason}, in a batch with others and not alone; "
                "collect with batch_tokens=1."
            )
        if choice == OnNonfinite.REFUSE:
            refuse(name, one.reason)
        # The store knows rows alone; which draw of which example one is stands here.
        told = f"{name}: {one.reason}" if rows.draws > 1 else one.reason
        reasons[number] = told

    return found


def refuse(name: str, reason: str) -> NoReturn:
    """Refuse an example.

    Args:
        name: As `Rows.name` says.
        reason: Which number of it is NaN or infinite.

    Raises:
        NonFiniteError: Always.
    """
    raise NonFiniteError(
        f"{name}: {reason}; mend it, compute in float32, or leave such "
        "examples out with on_nonfinite='skip' (--on-nonfinite skip)."
    )


def tell_excluded(store: GradientStore) -> None:
    """Warn of the examples that a store leaves out.

    Args:
        store: The store.
    """
    if store.excluded:
        warnings.warn(
            f"{store.path} leaves out {said(store.excluded)} of "
            f"{len(store) + len(store.excluded)}.",
            DatainfWarning,
            stacklevel=3,
        )
