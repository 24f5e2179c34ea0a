"""A contact sheet: small pictures in lines, with words under them, as one SVG.

For pages of the documentation, where a picture is a file beside the text: the pictures
are inside of it, nothing is fetched. `templates/contact_sheet.svg.j2` writes it down.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from datainf.reports.templating import environment

_SIDE, _GAP, _LINE, _TOP, _LEFT = 96, 12, 13, 36, 12
_HEAD, _WIDEST = 22, 17


@dataclass(frozen=True)
class Shown:
    """One picture.

    Attributes:
        picture: The bytes of a WebP file in base64.
        text: Under it; broken into lines.
        note: A line of its own over the text, such as a score.
        frame: Whether it stands in a frame, as what the others are about.
    """

    picture: str
    text: str
    note: str = ""
    frame: bool = False


@dataclass(frozen=True)
class Strip:
    """Pictures in one line.

    Attributes:
        title: Over them.
        pictures: From left to right.
        start: Places that are left free before the first.
    """

    title: str
    pictures: Sequence[Shown]
    start: int = 0


def contact_sheet(strips: Sequence[Strip], title: str) -> str:
    """Write a contact sheet.

    Args:
        strips: From top to bottom.
        title: Over all.

    Returns:
        The SVG.
    """
    placed, top, widest = [], _TOP, 0
    for strip in strips:
        cells = []
        for number, shown in enumerate(strip.pictures, start=strip.start):
            lines = [shown.note] * bool(shown.note) + _lines(shown.text)
            cells.append((_LEFT + number * (_SIDE + _GAP), shown, lines))
        deepest = max((len(lines) for _, _, lines in cells), default=0)
        placed.append((top, strip.title, cells))
        widest = max(widest, strip.start + len(cells))
        top += _HEAD + _SIDE + _LINE * deepest + 2 * _GAP
    return (
        environment()
        .get_template("contact_sheet.svg.j2")
        .render(
            title=title,
            strips=placed,
            size=(2 * _LEFT + widest * (_SIDE + _GAP) - _GAP, top),
            side=_SIDE,
            head=_HEAD,
            line=_LINE,
        )
    )


def _lines(text: str) -> list[str]:
    """Break a text into lines that fit under a picture; longer words stay whole."""
    lines: list[str] = []
    for word in text.split():
        if lines and len(lines[-1]) + 1 + len(word) <= _WIDEST:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
