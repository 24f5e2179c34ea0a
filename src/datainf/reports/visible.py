"""Text and values as a reader can see them, and as any UTF-8 file can hold them.

Training data holds what it holds: NUL bytes, half surrogate pairs, control characters.
Each becomes a visible sign instead of breaking the file or vanishing. Escaping of
markup is not done here: the templates do it for all they are given.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

_PICTURES = 0x2400  # ␀: the visible signs of the control characters, in their order
_DELETE, _DELETE_PICTURE = 0x7F, 0x2421
_KEPT = "\t\n\r"
_LONG, _MANY_LINES = 320, 5
MISSING = "–"


def _signs() -> dict[int, str]:
    """Map each code point that cannot be shown to a sign that can."""
    unseen = {code: chr(_PICTURES + code) for code in range(0x20)}
    unseen |= dict.fromkeys(range(0x80, 0xA0), "\ufffd")
    unseen |= dict.fromkeys(range(0xD800, 0xE000), "\ufffd")
    unseen |= {0xFFFE: "\ufffd", 0xFFFF: "\ufffd", _DELETE: chr(_DELETE_PICTURE)}
    return {code: sign for code, sign in unseen.items() if chr(code) not in _KEPT}


_SIGNS = _signs()


def visible(text: str) -> str:
    """Replace what cannot be written or seen by a sign that can.

    Args:
        text: Anything that came out of data.

    Returns:
        Text that encodes as UTF-8 and holds no control character but tab and newline.

    Examples:
        >>> visible("a" + chr(0) + "b")
        'a␀b'
    """
    return text.translate(_SIGNS).replace("\r\n", "\n").replace("\r", "\n")


@dataclass(frozen=True)
class Passage:
    """A text of the data.

    Attributes:
        text: All of it.
        long: Whether it is first shown in part.
    """

    text: str
    long: bool

    @property
    def size(self) -> str:
        """Its length in words."""
        return f"{len(self.text):,} characters"

    @property
    def opening(self) -> str:
        """Its beginning on one line, for a heading."""
        line = " ".join(self.text[:_LONG].split())
        return line if len(line) <= _LONG // 2 else line[: _LONG // 2].rstrip() + "…"


def passage(value: object) -> Passage | None:
    """Take a text of the data, or nothing where none was kept.

    Args:
        value: A string, or None or NaN.

    Returns:
        The passage.
    """
    if is_missing(value):
        return None
    text = visible(str(value))
    return Passage(text, len(text) > _LONG or text.count("\n") >= _MANY_LINES)


def is_missing(value: object) -> bool:
    """Tell whether a table has nothing in this place (None, NaN, NaT)."""
    if value is None:
        return True
    # NaN, NaT and pandas.NA are the values that are not equal to themselves; NA will
    # not even be asked, so it goes by its name.
    if type(value).__name__ in {"NAType", "NaTType"}:
        return True
    return isinstance(value, (float, np.floating)) and math.isnan(value)


def shown(value: object) -> str:
    """Write any value of a table or of the settings for a reader.

    Args:
        value: A number, text, flag, list or mapping.

    Returns:
        `yes`/`no` for flags, four significant digits for fractions.

    Examples:
        >>> shown(True), shown(0.123456), shown(4500), shown([1, None])
        ('yes', '0.1235', '4,500', '1, –')
    """
    if is_missing(value):
        return MISSING
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, np.integer)):
        return f"{int(value):,}".replace("-", "−")
    if isinstance(value, (float, np.floating)):
        return f"{float(value):.4g}".replace("-", "−")
    if isinstance(value, Mapping):
        return ", ".join(f"{visible(str(k))}: {shown(v)}" for k, v in value.items())
    if isinstance(value, Sequence | np.ndarray) and not isinstance(value, str | bytes):
        return ", ".join(shown(each) for each in value)
    return visible(str(value))


def shown_index(value: object) -> str:
    """Write a row's index as it is: a name to look it up by, without separators."""
    return visible(str(value))


@dataclass(frozen=True)
class Scale:
    """How the numbers that stand under each other are written alike.

    Attributes:
        decimals: Digits after the point.
        power: They are shown in units of 10 to this power.
    """

    decimals: int
    power: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Scale":
        """Choose digits so that the largest has four significant ones.

        Args:
            values: Finite numbers.

        Returns:
            The scale.
        """
        largest = max((abs(value) for value in values), default=0.0)
        if largest == 0:
            return cls(decimals=0, power=0)
        exponent = math.floor(math.log10(largest))
        if -4 < exponent < 5:
            return cls(decimals=max(0, 3 - max(exponent, -2)), power=0)
        # 10 to the power itself must be a number, also for the smallest ones there are
        return cls(decimals=3, power=max(exponent, -300))

    def write(self, value: float, *, sign: bool = True) -> str:
        """Write a number, in units of `power`.

        Args:
            value: A finite number.
            sign: Whether a positive number carries a plus.

        Returns:
            The number with a true minus sign.

        Examples:
            >>> Scale.of([-12.5, 0.25]).write(0.25)
            '+0.25'
        """
        scaled = value / 10.0**self.power
        form = f"{scaled:{'+' if sign else ''}.{self.decimals}f}"
        if value != 0 and float(form) == 0:
            form = f"{scaled:{'+' if sign else ''}.1e}"
        return form.replace("-", "−")
