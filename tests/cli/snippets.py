"""The code blocks of README and docs: which there are, and how one is run."""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.cli.command import worked

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OURS = re.compile(r"^(\.venv/bin/)?datainf ")


@dataclass(frozen=True)
class Snippet:
    """One code block.

    Attributes:
        language: As written after the fence.
        text: The code.
        run: Whether it is ours: the code of others says that it is not run.
    """

    language: str
    text: str
    run: bool


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def snippets(page: Path) -> list[Snippet]:
    """Every code block of a page, in its order."""
    found = FENCE.findall(page.read_text(encoding="utf-8"))
    return [Snippet(kind, text, "not run" not in more) for kind, more, text in found]


def commands(snippet: Snippet) -> Iterator[list[str]]:
    """The words of each call of `datainf` in a block."""
    if snippet.language == "python" or not snippet.run:
        return
    for line in snippet.text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if OURS.match(line) and "..." not in words:
            yield words[1:]


def run_page(
    page: Path, given: dict[str, Any], instead: Mapping[str, str] | None = None
) -> None:
    """Run all that is ours on a page, in the folder that is the current one.

    Args:
        page: The page.
        given: Names that its code may use.
        instead: Part of its code -> what stands for it here.
    """
    for found in snippets(page):
        text = found.text
        for part, other in (instead or {}).items():
            text = text.replace(part, other)
        snippet = replace(found, text=text)
        if snippet.run and snippet.language == "python":
            exec(compile(snippet.text, str(page), "exec"), given)
        for words in commands(snippet):
            worked(*words)
