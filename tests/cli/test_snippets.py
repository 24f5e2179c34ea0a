"""Every snippet of README and docs is understood; those of the pages below are run."""

import ast
import json
import re
import shutil

import pytest
from peft import AutoPeftModelForCausalLM
from transformers import AutoTokenizer
from typer.core import TyperCommand

import datainf as library
from tests.cli.command import datainf
from tests.cli.prepared import PREPARED, SMALLER, Loading
from tests.cli.snippets import (
    PAGES,
    ROOT,
    Snippet,
    commands,
    name_of,
    run_page,
    snippets,
)

WITH_COMMANDS = [p for p in PAGES if any(c for s in snippets(p) for c in commands(s))]
WITH_PYTHON = [p for p in PAGES if any(s.language == "python" for s in snippets(p))]
RUN = [
    "docs/quickstart.md",
    "docs/choosing.md",
    "docs/jobs/attribute.md",
    "docs/jobs/mislabeled.md",
    "docs/jobs/tokens.md",
    "docs/store.md",
    *(name_of(page) for page in PAGES if page.parent.name == "migrating"),
]
"""What needs no more than every page does; `PREPARED` has the others."""


@pytest.fixture
def place(lm, films, attributed, tmp_path, monkeypatch):
    """A folder where what the pages name lies; names that their code may use."""
    shutil.copytree(attributed, tmp_path / "runs" / "first")
    for name, there in {
        "base": lm.base,
        "my-adapter": lm.adapter,
        "train.jsonl": lm.train,
        "questions.jsonl": lm.queries,
        "my-encoder": films.base,
        "my-classifier": films.adapter,
        "train.tsv": films.train,
        "val.tsv": films.queries,
    }.items():
        (tmp_path / name).symlink_to(there)
    monkeypatch.chdir(tmp_path)
    rows = [json.loads(line) for line in lm.train.read_text().splitlines()]
    return Loading(
        datainf=library,
        model=AutoPeftModelForCausalLM.from_pretrained(lm.adapter),
        tokenizer=AutoTokenizer.from_pretrained(lm.adapter),
        rows=rows,
        questions=rows[:3],
    )


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=name_of)
def test_every_command_of_a_page_has_the_flags_that_it_shows(page, monkeypatch):
    asked = []
    monkeypatch.setattr(
        TyperCommand, "invoke", lambda _, context: asked.append(context)
    )
    shown = [words for snippet in snippets(page) for words in commands(snippet)]
    for words in shown:
        ran = datainf(*words)
        assert (ran.code, ran.err) == (0, ""), words
    assert len(asked) == len(shown)


@pytest.mark.parametrize("page", WITH_PYTHON, ids=name_of)
def test_every_python_snippet_of_a_page_is_python_and_uses_names_that_exist(page):
    for snippet in snippets(page):
        if snippet.language == "python":
            ast.parse(snippet.text)
        if snippet.run:
            named = re.findall(r"\bdatainf\.([A-Za-z]\w*)\(", snippet.text)
            assert set(named) <= set(library.__all__)


@pytest.mark.parametrize("page", [*RUN, *PREPARED])
def test_the_snippets_of_a_page_run(page, place, tmp_path):
    if page in PREPARED:
        PREPARED[page](tmp_path, place)
    run_page(ROOT / page, place, SMALLER.get(page))


def test_code_of_others_is_not_run(tmp_path, place):
    page = tmp_path / "page.md"
    page.write_text(
        '```python title="other 1.0, not run here"\nraise SystemExit\n```\n'
        "```python\nseen = 1\n```\n```python\nseen += 1\n```\n",
        encoding="utf-8",
    )
    run_page(page, place)
    assert place["seen"] == 2


def test_a_command_goes_over_several_lines_and_ends_at_its_comment():
    text = (
        ".venv/bin/datainf top x \\\n    --k 5  # best\nmake demo\ndatainf score ...\n"
    )
    (words,) = commands(Snippet("bash", text, run=True))
    assert words == ["top", "x", "--k", "5"]


@pytest.mark.parametrize("page", PAGES[1:], ids=name_of)
def test_the_code_of_a_page_fits_beside_the_menus(page):
    if page.parent.name == "results":
        return  # commands as they were typed
    lines = [line for s in snippets(page) for line in s.text.splitlines()]
    assert [line for line in lines if len(line) > 88] == []
