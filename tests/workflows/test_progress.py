"""The default reporter: what is told goes to the logger, and nowhere else."""

import logging

from datainf.workflows.progress import Logged, Reporter


def test_the_default_reporter_is_a_reporter():
    assert isinstance(Logged(), Reporter)
    assert not isinstance(object(), Reporter)


def test_findings_and_stages_go_to_the_logger_of_the_package(caplog, capsys):
    with caplog.at_level(logging.INFO, logger="datainf"):
        Logged().say("7 examples\nare there")
        with Logged().stage("gradients", 11) as advance:
            advance(3)
            advance(0.25)
    assert caplog.record_tuples == [
        ("datainf", logging.INFO, "7 examples\nare there"),
        ("datainf", logging.INFO, "gradients: 11"),
    ]
    assert capsys.readouterr() == ("", "")


def test_nothing_is_heard_where_nobody_listens(capsys):
    Logged().say("7 examples")
    assert capsys.readouterr() == ("", "")
    assert logging.getLogger("datainf").level == logging.NOTSET
    assert logging.getLogger("datainf").handlers == []
