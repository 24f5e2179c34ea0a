"""Pictures: drawn for what a report lists, kept with a run, none of texts."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from datainf.core.pictures import Pictures
from datainf.core.records import Provenance, Scores
from datainf.core.token_scores import Side
from datainf.workflows.pictures import PICTURES, keep_pictures, pictures
from tests.core.test_pictures import WEBP

TRAIN = [{"number": i} for i in range(11)]
ASKED = [{"number": 50 + i} for i in range(5)]


class Drawing:
    """A task that draws a row as its number after a WebP file."""

    def collate(self, examples):
        raise NotImplementedError

    def losses(self, model, batch):
        raise NotImplementedError

    def describe(self, example):
        return f"{example['number']}"

    def length(self, example):
        raise NotImplementedError

    def settings(self):
        raise NotImplementedError


class Picturing(Drawing):
    def picture(self, example):
        return WEBP + bytes([example["number"]])


def scores() -> Scores:
    """Of rows 1 to 10, for two of five queries."""
    values = np.array([np.arange(-5.0, 5.0), np.arange(-5.0, 5.0)[::-1] / 4])
    none = np.full((2, 0), np.nan)
    made = Scores(values, (), none, none, Provenance("dot"))
    return made.with_rows(
        train=pd.DataFrame({"index": range(1, 11)}),
        queries=pd.DataFrame({"index": [1, 4]}),
    )


def test_the_listed_rows_and_the_queries_are_drawn_by_their_index():
    drawn = pictures(scores(), Picturing(), TRAIN, ASKED, k=1)
    assert drawn is not None
    for side, rows in ((Side.TRAIN, TRAIN), (Side.QUERY, ASKED)):
        for index, picture in zip(
            *(drawn.table.query(f"side == '{side}'")[c] for c in ("index", "picture")),
            strict=True,
        ):
            assert picture == WEBP + bytes([rows[index]["number"]])
    assert set(drawn.of(Side.QUERY)) == {1, 4}
    # the ends of each query are 1 and 10; 7 to 10 raise the mean loss
    assert set(drawn.of(Side.TRAIN)) == {1, 7, 8, 9, 10}


def test_a_task_of_texts_has_no_pictures():
    assert pictures(scores(), Drawing(), TRAIN, ASKED) is None


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    keep_pictures(tmp_path, scores(), Picturing(), TRAIN)
    return tmp_path


def test_a_run_keeps_its_pictures(kept):
    found = Pictures.load(kept / PICTURES)
    assert len(found.of(Side.TRAIN)) == 10
    assert found.of(Side.QUERY) == {}


def test_what_an_earlier_run_drew_is_removed(kept):
    assert keep_pictures(kept, scores(), Drawing(), TRAIN) is None
    assert list(kept.iterdir()) == []
