"""Completion in bash: installed as a user would, then asked as the Tab key asks."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
SCRIPTS = Path(sys.executable).parent
TAB = """
tab() {
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
    _datainf_completion datainf; echo "${COMPREPLY[@]}"
}
"""


def bash(home: Path, *lines: str) -> list[str]:
    """Run lines in bash, at home in a folder of one's own; give what it wrote."""
    ran = subprocess.run(
        ["bash", "--norc", "-c", "\n".join(lines)],
        capture_output=True,
        text=True,
        check=True,
        env={
            **os.environ,
            "HOME": str(home),
            "PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}",
        },
    )
    assert ran.stderr == ""
    return ran.stdout.splitlines()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home in whose bash completion was installed."""
    folder = tmp_path_factory.mktemp("home")
    # Two lines: of one alone bash makes itself the command, which then finds no shell.
    bash(folder, "datainf --install-completion", ":")
    return folder


def test_the_completion_that_is_shown_is_the_one_that_is_installed(home):
    shown = bash(home, "datainf --show-completion", ":")  # not in bash's own place
    installed = home / ".bash_completions" / "datainf.sh"
    assert shown[-1] == "complete -o default -F _datainf_completion datainf"
    assert "\n".join(shown).strip() == installed.read_text(encoding="utf-8").strip()


TYPED = {
    "datainf attr": "attribute",
    "datainf attribute --adapter x --norm": "--normalize",
    "datainf evaluate ''": "lds loo prune",
    "datainf evaluate --rem": "--remove",
    "datainf evaluate prune --dr": "--drop",
    "datainf attribute --normalize ''": "none example block relatif",
    "datainf attribute --method tr": "tracin trak",
    "datainf attribute --task text": "text-to-image",
}


def test_bash_completes_commands_flags_and_values_once_it_is_installed(home):
    tabs = [f"tab {typed}" for typed in TYPED]
    found = bash(home, "source ~/.bashrc", TAB, *tabs)
    assert dict(zip(TYPED, found, strict=True)) == TYPED
