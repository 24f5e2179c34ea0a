"""`search` on the command line: the rows that `score` and `top` would list."""

import io

import pandas as pd
import pytest

from tests.cli.command import datainf, worked


def test_search_lists_what_score_lists(stores, tmp_path):
    of = ("--train", stores[0], "--queries", stores[1], "--k", 3, "--format", "csv")
    how = ("--method", "datainf", "--damping", 0.3, "--order", "magnitude")
    found, right = (
        pd.read_csv(io.StringIO(worked(*command, *of, *how).out))
        for command in (("search",), ("score", "--out", tmp_path / "scores"))
    )
    pd.testing.assert_frame_equal(found, right, rtol=1e-4)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--k", 0), "--k must be at least 1, got 0."),
        (("--normalize", "relatif"), "all rows must be scored: use score"),
        (("--method", "auto"), "search does not score; name a method."),
    ],
)
def test_what_is_no_search_is_refused(stores, given, said):
    ran = datainf("search", "--train", stores[0], "--queries", stores[1], *given)
    assert ran.code == 2
    assert said in " ".join(ran.err.split())
