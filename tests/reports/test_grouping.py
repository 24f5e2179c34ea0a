"""Groups of every column that makes groups, equal to `Scores.by_group`."""

import numpy as np
import pandas as pd
import pytest

from datainf.reports.grouping import groupings
from tests.reports.fakes import bare_scores, nasty_scores


def test_means_are_those_of_by_group():
    scores = nasty_scores()
    (by_class, planted) = groupings(scores)
    assert (by_class.column, planted.column) == ("class", "planted")
    assert planted.names == ("yes", "no")
    table = scores.by_group("class", "mean").set_index(["query", "group"])
    for q, query in enumerate(scores.queries["index"]):
        for g, name in enumerate(by_class.names):
            known = table.loc[(query, name)]
            assert by_class.counts[g] == known["examples"]
            assert by_class.means[q, g] == pytest.approx(known["score"], rel=1e-12)


def test_columns_of_one_value_or_too_many_make_no_groups():
    scores = bare_scores(np.ones((2, 61)))
    columns = {
        "one": "x",
        "own": range(61),
        "text": "t",
        "pair": [[0, 1], [2]] * 30 + [[2]],
    }
    scores = scores.with_rows(train=pd.DataFrame({"index": range(61), **columns}))
    (found,) = groupings(scores)
    assert (found.column, found.names, found.counts) == (
        "pair",
        ("0, 1", "2"),
        (30, 31),
    )
