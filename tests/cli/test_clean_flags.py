"""The flags of `clean` and `select`: in the table, and none a place of a run."""

from datainf.cli.clean_flags import CLEAN_FLAGS, FOR_CLEAN, FOR_SELECT
from datainf.cli.flag_table import FLAGS


def test_they_are_in_the_table_and_change_no_run():
    for name, flag in CLEAN_FLAGS.items():
        assert FLAGS[name] is flag
        assert flag.path is None
    assert set(FOR_CLEAN) | set(FOR_SELECT) == set(CLEAN_FLAGS)
