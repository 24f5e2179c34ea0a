"""A run that answers at once, for the tests of the web app: every kind of field."""

from dataclasses import replace

import pandas as pd

from datainf.core.errors import DataError
from datainf.core.pictures import Pictures
from datainf.core.questions import Answer, Entry, Field, Said
from tests.reports.fakes import NASTY
from tests.reports.pages import picture, rich_scores

ALL = rich_scores()
ONE = replace(
    ALL,
    values=ALL.values[:1],
    residual=ALL.residual[:1],
    scale=ALL.scale[:1],
    agreement=ALL.agreement[:1],
    queries=ALL.queries[:1],
    per_block=None,
)
FIELDS = (
    Field("prompt", "Prompt", hint="Spaces count.", needed=True, value="start"),
    Field("class", "Class", Entry.CHOICE, "The adapter's own.", choices=("a", "b")),
    Field("several", "Classes", Entry.CHOICES, choices=("a", "b")),
    Field("number", "Number", Entry.NUMBER, value=0.5),
    Field("tokens", "Most tokens", Entry.WHOLE, value=48),
    Field("image", "Picture", Entry.PICTURE, "Left empty, it is drawn."),
)
REFUSED = "<b>no</b> token to learn from"


def plain_answer() -> Answer:
    """Texts that try to break out, a warning, and what the adapter said."""
    said = Said("The adapter wrote", NASTY[1])
    return Answer(ONE, NASTY[0], said, warnings=("1 example is <cut>.",))


def pictured_answer() -> Answer:
    """The same rows as pictures."""
    index = list(ONE.train["index"])
    rows = [("train", i, picture(9 * k)) for k, i in enumerate(index)]
    drawn = Pictures(pd.DataFrame(rows, columns=["side", "index", "picture"]))
    return Answer(ONE, "a.png → a cat", picture=picture(99), pictures=drawn)


class Fake:
    """Keeps what it was asked; the prompt chooses what it does."""

    name = "runs/<i>fake</i>"
    scores = ALL
    fields = FIELDS

    def __init__(self):
        self.asked = []

    def ask(self, given, k):
        self.asked.append((given, k))
        if given["prompt"] == "refuse":
            raise DataError(REFUSED)
        return pictured_answer() if given["prompt"] == "draw" else plain_answer()
