"""The commands: each is there, explains itself, and takes the flags it should."""

import subprocess
import sys

import pytest
from typer.main import get_command

from datainf.__about__ import __version__
from datainf.cli.app import app
from datainf.cli.flag_table import FLAGS
from tests.cli.command import datainf, refused

COMMANDS = {
    "demo": ("out", "format"),
    "train": (
        "model",
        "task",
        "train",
        "flip_labels",
        "recipe",
        "rank",
        "adapter_folder",
    ),
    "attribute": (
        *("model", "adapter", "task", "train", "queries", "prompt", "completion"),
        *("dtype", "method", "damping", "option", "k", "order", "format", "dry_run"),
    ),
    "mislabeled": (
        *("adapter", "train", "truth", "flip_labels", "validation", "queries_split"),
        *("method", "k", "format", "dry_run"),
    ),
    "clean": ("clean_file", "action", "share", "tool", "retrain", "test", "format"),
    "select": ("select_file", "count", "by", "balance", "k", "format"),
    "collect": ("adapter", "train", "dtype", "shard_rows", "store_folder", "dry_run"),
    "score": ("train_store", "query_store", "method", "damping", "k", "scores_folder"),
    "search": ("train_store", "query_store", "curvature", "method", "k", "order"),
    "top": ("k", "order", "query", "format"),
    "report": ("report_file", "k", "title"),
    "ui": ("port", "host", "browse"),
    "inspect": ("format",),
    "verify": ("format",),
    "methods": ("format",),
    "doctor": ("model", "adapter", "task", "train", "split", "queries", "format"),
    **dict.fromkeys(
        (
            *("reproduce theorem", "reproduce mislabeled", "reproduce approximation"),
            "reproduce text-generation",
            "reproduce text-to-image",
        ),
        ("preset", "model", "data_dir", "datasets", "ranks", "seeds", "publish"),
    ),
    "reproduce filtered": (
        "preset",
        "model",
        "data_dir",
        "datasets",
        "keep",
        "publish",
    ),
    "reproduce counterfactual": ("preset", "model", "data_dir", "subsets", "publish"),
    "evaluate lds": ("adapter", "recipe", "methods", "remove", "subsets", "twins"),
    "evaluate loo": ("adapter", "recipe", "methods", "example", "twins"),
    "evaluate prune": ("adapter", "recipe", "methods", "drop", "each", "subsets"),
}
GROUPS = ("reproduce", "evaluate")
ARGUMENTS = {
    **dict.fromkeys(("train", "attribute", "mislabeled", "collect", "score"), "RUN"),
    **dict.fromkeys(("evaluate lds", "evaluate loo", "evaluate prune"), "RUN"),
    **dict.fromkeys(("top", "report"), "SCORES"),
    **dict.fromkeys(("clean", "select", "ui"), "RUN"),
    "inspect": "FOLDER",
    "verify": "STORE",
}


def command_named(words):
    """A command, or one of a group: `reproduce theorem`."""
    found = get_command(app)
    for word in words.split():
        found = found.commands[word]  # type: ignore[attr-defined]
    return found


def parameters(command):
    """The flags of a command: name in the table -> what typer made of it."""
    found = command_named(command).params
    return {p.name: p for p in found if p.name not in ("argument", "help")}


def test_every_command_of_the_package_is_there_and_no_other():
    assert list(get_command(app).commands) == [  # type: ignore[attr-defined]
        *("demo", "train", "attribute", "mislabeled", "clean", "select"),
        *("collect", "score", "search"),
        *("top", "report", "ui", "inspect", "verify", "methods", "doctor", *GROUPS),
    ]
    assert {name.split()[0] for name in COMMANDS} == set(get_command(app).commands)  # type: ignore[attr-defined]
    for group in GROUPS:
        (*named,) = (n.split()[1] for n in COMMANDS if n.startswith(f"{group} "))
        assert list(command_named(group).commands) == named


@pytest.mark.parametrize("arguments", [(), ("--help",)])
def test_the_help_lists_every_command(arguments):
    ran = datainf(*arguments)
    assert (ran.code, ran.err) == (0, "")
    assert "Which training examples made a LoRA-tuned model behave" in ran.out
    listed = [line.split()[1] for line in ran.out.splitlines() if len(line.split()) > 2]
    groups = list(dict.fromkeys(name.split()[0] for name in COMMANDS))
    assert [name for name in listed if name in groups] == groups


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_and_its_flags(command):
    ran = datainf(*command.split(), "--help")
    assert (ran.code, ran.err) == (0, "")
    first = command_named(command).help
    assert " ".join(first.split()) in " ".join(ran.out.split())
    for name in parameters(command):
        assert all(typed in ran.out for typed in FLAGS[name].names), name


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_its_flags(command):
    found = parameters(command)
    assert set(COMMANDS[command]) <= set(found)
    assert "traceback" in found
    typed = [name for parameter in found.values() for name in parameter.opts]
    assert len(set(typed)) == len(typed)
    for name, parameter in found.items():
        assert tuple(parameter.opts) == FLAGS[name].names
        assert parameter.multiple == FLAGS[name].many
        assert parameter.is_flag == (FLAGS[name].kind is bool)


@pytest.mark.parametrize("command", COMMANDS)
def test_only_commands_that_read_a_run_or_a_folder_take_an_argument(command):
    usage = next(
        line
        for line in datainf(*command.split(), "--help").out.splitlines()
        if line.strip().startswith("Usage:")
    )
    (shown, expected) = usage.split("[OPTIONS]")[1].strip(), ARGUMENTS.get(command, "")
    assert shown.strip("[]{}").removesuffix(".yaml") == expected
    # Brackets stand for what need not be given.
    given = ("clean", "select", "ui")
    assert shown.startswith("[") == (expected == "RUN" and command not in given)


@pytest.mark.parametrize("command", ["top", "report", "inspect", "verify", "clean"])
def test_an_argument_that_is_needed_is_asked_for(command):
    assert refused(command) == f"Missing argument '{ARGUMENTS[command]}'."


def test_the_version_is_told():
    ran = datainf("--version")
    assert (ran.code, ran.out, ran.err) == (0, f"datainf {__version__}\n", "")


@pytest.mark.parametrize("command", [[], ["attribute"]])
def test_help_does_not_wait_for_the_model_libraries(command):
    heavy = ("torch", "transformers", "pandas", "numpy")
    code = (
        f"import sys; from datainf.cli.entry import run; run({[*command, '--help']}); "
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert ran.stdout.splitlines()[-1] == "[]"
