"""The flags of scoring: in the table, under one heading."""

from datainf.cli.flag import SCORE
from datainf.cli.flag_table import FLAGS
from datainf.cli.score_flags import FOR_SCORE, SCORE_FLAGS


def test_they_are_in_the_table_under_one_heading():
    for name, flag in SCORE_FLAGS.items():
        assert FLAGS[name] is flag
        assert flag.panel == SCORE
    assert set(FOR_SCORE) <= set(SCORE_FLAGS)
    assert len(set(FOR_SCORE)) == len(FOR_SCORE)
