"""The entry: what goes wrong is one line and an exit code."""

import errno
import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest
import typer

from datainf.cli import entry, main
from datainf.cli.entry import run
from datainf.core.errors import AdapterError, OptionError, StoreError
from tests.cli.command import datainf, refused

LISTED = "datainf.estimators.table.methods"


@pytest.fixture
def failing(monkeypatch):
    """Make `datainf methods` fail with an error of one's choice."""

    def choose(error: BaseException) -> None:
        def fail() -> None:
            raise error

        monkeypatch.setattr(LISTED, fail)

    return choose


def test_a_command_that_works_gives_zero():
    ran = datainf("methods")
    assert (ran.code, ran.err) == (0, "")


@pytest.mark.parametrize("kind", [OptionError, AdapterError, StoreError])
def test_our_own_errors_are_one_line(failing, kind):
    failing(kind("no such thing;\n  [bold]take[/bold] another."))
    said = refused("methods")
    assert said == "no such thing; [bold]take[/bold] another."


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--colour"], "No such option: --colour"),
        (["methods", "more"], "Got unexpected extra argument"),
        (["methods", "--format"], "Option '--format' requires an argument."),
        (["top", "x", "--k", "ten"], "Invalid value for '--k'"),
        (["top", "x", "--traceback=1"], "Option '--traceback' does not take a value."),
        (["atribute"], "No such command 'atribute'. Did you mean 'attribute'?"),
        (["attribute", "--metod", "dot"], "No such option: --metod"),
    ],
)
def test_what_was_typed_wrong_is_one_line(arguments, message):
    assert refused(*arguments).startswith(message)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            NotADirectoryError(errno.ENOTDIR, "Not a directory", "a/b"),
            "a/b: Not a directory; choose another path.",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            "No space left on device; choose another path.",
        ),
    ],
)
def test_what_the_system_refuses_is_told_in_its_words(failing, error, message):
    failing(error)
    assert refused("methods") == message


@pytest.mark.parametrize("arguments", [["methods"], ["methods", "--traceback"]])
def test_an_error_of_a_library_is_no_answer_of_the_system(failing, arguments):
    failing(OSError("the hub is shut"))
    with pytest.raises(OSError, match=r"^the hub is shut$"):
        datainf(*arguments)


def test_the_traceback_of_what_the_system_refuses_can_be_had(failing):
    failing(PermissionError(errno.EACCES, "Permission denied", "x"))
    with pytest.raises(PermissionError):
        datainf("methods", "--traceback")


INTERRUPTED = (
    "datainf: error: interrupted; what is finished is kept: rerun the same command."
)


def test_an_interruption_gives_130(failing):
    failing(KeyboardInterrupt())
    ran = datainf("methods")
    assert (ran.code, ran.out) == (130, "")
    assert ran.err.strip() == INTERRUPTED


@pytest.mark.parametrize("kind", [KeyboardInterrupt, typer.Abort])
def test_an_interruption_that_typer_passes_on_gives_130_too(monkeypatch, kind):
    command = Mock()
    command.main.side_effect = kind
    monkeypatch.setattr(entry, "get_command", lambda _: command)
    ran = datainf("methods")
    assert (ran.code, ran.out, ran.err) == (130, "", INTERRUPTED + "\n")


def test_a_bug_is_not_swallowed(failing):
    failing(ZeroDivisionError("division by zero"))
    with pytest.raises(ZeroDivisionError):
        datainf("methods")


def test_settings_of_the_user_are_left_alone(monkeypatch):
    monkeypatch.setenv("TRANSFORMERS_VERBOSITY", "info")
    monkeypatch.delenv("HF_HUB_DISABLE_PROGRESS_BARS", raising=False)
    assert run(["methods"]) == 0
    assert os.environ["TRANSFORMERS_VERBOSITY"] == "info"
    assert os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] == "1"
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # so that it is undone


@pytest.mark.parametrize(("arguments", "code"), [(["methods"], 0), (["no"], 2)])
def test_main_leaves_with_the_code(capsys, monkeypatch, arguments, code):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == code
    assert (capsys.readouterr().err == "") == (code == 0)


def test_main_reads_what_was_typed(capsys, monkeypatch):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(sys, "argv", ["datainf", "--version"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 0
    assert capsys.readouterr().out.startswith("datainf ")


def test_the_traceback_of_a_bug_is_kept_in_a_file(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    hook = sys.excepthook
    monkeypatch.setattr(sys, "excepthook", hook)
    with pytest.raises(SystemExit):
        main(["methods", "--traceback"])
    assert sys.excepthook is hook
    with pytest.raises(SystemExit):
        main(["--version"])
    assert sys.excepthook is not hook
    try:
        raise ZeroDivisionError("[b]by zero[/b]")
    except ZeroDivisionError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    (file,) = tmp_path.glob("datainf-*.log")
    assert capsys.readouterr().err == (
        "datainf: error: unforeseen ZeroDivisionError: [b]by zero[/b]. The traceback "
        f"is in {file}; --traceback shows it.\n"
    )
    kept = file.read_text(encoding="utf-8")
    assert kept.startswith("Traceback (most recent call last):")
    assert kept.endswith("ZeroDivisionError: [b]by zero[/b]\n")


@pytest.mark.parametrize("traceback", [False, True])
def test_a_bug_is_one_line_and_gives_one_in_a_process_of_its_own(tmp_path, traceback):
    code = (
        "import datainf.cli.commands.about as about\n"
        "from datainf.cli.app import _add\n"
        "from datainf.cli import main\n"
        "def broken(given):\n    raise ZeroDivisionError('by zero')\n"
        "_add('broken', broken, ())\n"
        "main()"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, "broken", *["--traceback"] * traceback],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    if traceback:
        assert ran.stderr.startswith("Traceback (most recent call last):")
        assert list(tmp_path.iterdir()) == []
        return
    (line,) = ran.stderr.splitlines()
    (file,) = tmp_path.iterdir()
    assert line.startswith("datainf: error: unforeseen ZeroDivisionError: by zero.")
    assert str(file) in line
    assert "in broken" in file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "command",
    [
        [sys.executable, "-m", "datainf"],
        [str(Path(sys.executable).with_name("datainf"))],
    ],
    ids=["module", "script"],
)
def test_the_package_and_its_script_are_this_command(command):
    ran = subprocess.run(
        [*command, "top", "nowhere"], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("datainf: error: nowhere holds no scores")
    assert ran.stderr.count("\n") == 1


def test_the_codes_are_those_that_the_file_promises():
    promised = (entry.__doc__ or "").split("\n\n")[1]
    assert [line.split()[0] for line in promised.splitlines()] == ["0", "1", "2", "130"]
