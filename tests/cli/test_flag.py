"""A flag stands by itself unless told otherwise."""

from datainf.cli.flag import Flag


def test_a_flag_is_given_once_and_is_no_place_of_a_run_unless_said():
    flag = Flag(("--seeds",), int, "How many.")
    assert (flag.path, flag.many, flag.panel) == (None, False, "This command")
