"""The experiments' own flags: in the table, under one heading, no place of a run."""

from datainf.cli.flag import STUDY
from datainf.cli.flag_table import FLAGS
from datainf.cli.study_flags import STUDY_FLAGS


def test_they_are_in_the_table_under_one_heading_and_in_no_run_yaml():
    for name, flag in STUDY_FLAGS.items():
        assert FLAGS[name] is flag
        assert (flag.panel, flag.path) == (STUDY, None)
