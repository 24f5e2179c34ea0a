"""What goes to stderr: single lines, taken for no markup, harmless to a terminal."""

import io
import sys
import warnings

import numpy as np
import pytest

from datainf.cli.console import (
    Bars,
    complain,
    plain,
    printable,
    tell,
    warnings_as_lines,
)
from datainf.core.errors import DatainfWarning
from datainf.workflows.progress import Reporter

STEERING = "\x1b[31mred\x07\r\x9b2J\u202e"


def test_a_problem_is_one_line_on_stderr(capsys):
    complain("error", "the first line\nthe second,   and blanks")
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "datainf: error: the first line the second, and blanks\n"


def test_a_line_is_never_broken_nor_cut(capsys):
    complain("warning", "word " * 99)
    assert capsys.readouterr().err == f"datainf: warning: {'word ' * 98}word\n"


@pytest.mark.parametrize("write", [tell, Bars().say])
def test_nothing_is_taken_for_markup_or_for_an_emoji(capsys, write):
    write("[bold]x[/bold] [/] :smile: 'quoted' 12")
    assert capsys.readouterr().err == "[bold]x[/bold] [/] :smile: 'quoted' 12\n"


@pytest.mark.parametrize("write", [tell, Bars().say])
def test_lines_keep_their_breaks_and_indents(capsys, write):
    write("adapter\n  rule Linear")
    assert capsys.readouterr().err == "adapter\n  rule Linear\n"


@pytest.mark.parametrize(
    "write", [tell, Bars().say, lambda text: complain("error", text)]
)
def test_control_characters_do_not_reach_the_terminal(capsys, write):
    write(STEERING)
    said = capsys.readouterr().err
    assert said.endswith("\n")
    assert said[:-1].isprintable()
    assert "[31mred" in said


def test_printable_keeps_the_length_and_the_line_breaks():
    assert printable("a\tb\nc\x1b") == "a b\nc "
    assert len(printable(STEERING)) == len(STEERING)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.123456, "0.1235"),
        (-1387.25, "-1387"),
        (np.float64(1e-13), "1e-13"),
        (float("nan"), "–"),
        (7, "7"),
        (True, "True"),
        (None, "None"),
        ("two\nlines  and\ttabs ", "two lines and tabs"),
        ("\x1b[31mred\x07", "[31mred"),
    ],
)
def test_a_cell_is_one_printable_line(value, shown):
    assert plain(value) == shown


def test_bars_are_a_reporter():
    assert isinstance(Bars(), Reporter)


def test_a_stage_leaves_one_line_where_there_is_no_terminal(capsys):
    with Bars().stage("gradients", 3) as advance:
        advance(1)
        advance(2)
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert line.startswith("gradients ")
    assert "100%" in line


def test_a_stage_that_fails_shows_how_far_it_came(capsys):
    def fail() -> None:
        with Bars().stage("gradients", 4) as advance:
            advance(1)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert "25%" in capsys.readouterr().err


def test_each_warning_of_ours_is_one_line_and_shown_once(capsys):
    with warnings_as_lines():
        for text in ("cut [red]3[/red] rows", "another", "cut [red]3[/red] rows"):
            warnings.warn(text, DatainfWarning, stacklevel=1)
    assert capsys.readouterr().err.splitlines() == [
        "datainf: warning: cut [red]3[/red] rows",
        "datainf: warning: another",
    ]


@pytest.mark.parametrize("kind", [UserWarning, DeprecationWarning, FutureWarning])
def test_warnings_of_others_are_silent(capsys, kind):
    with warnings_as_lines():
        warnings.warn("not ours", kind, stacklevel=1)
    assert capsys.readouterr().err == ""


def test_warnings_are_handled_as_before_afterwards():
    shown, filters = warnings.showwarning, list(warnings.filters)
    with warnings_as_lines():
        assert warnings.showwarning is not shown
    assert warnings.showwarning is shown
    assert warnings.filters == filters
    with pytest.warns(DatainfWarning, match="^again$"):
        warnings.warn("again", DatainfWarning, stacklevel=1)


def test_stderr_is_the_one_of_this_moment(monkeypatch):
    here = io.StringIO()
    monkeypatch.setattr(sys, "stderr", here)
    tell("now")
    assert here.getvalue() == "now\n"
