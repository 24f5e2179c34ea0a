"""The flags of `evaluate`: in the table, under one heading, each a place of a run."""

from datainf.cli.evaluate_flags import EVALUATE_FLAGS, FOR_EVALUATE
from datainf.cli.flag import EVALUATE
from datainf.cli.flag_table import FLAGS


def test_they_are_in_the_table_under_one_heading_and_lead_to_evaluate():
    for name, flag in EVALUATE_FLAGS.items():
        assert FLAGS[name] is flag
        assert flag.panel == EVALUATE
        assert flag.path is not None
        assert flag.path[0] == "evaluate"
    assert set(FOR_EVALUATE) <= set(EVALUATE_FLAGS)
