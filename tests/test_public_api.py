"""One door: what `datainf` shows is what it promises, explains and documents."""

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import datainf

ROOT = Path(__file__).resolve().parent.parent
VISIBLE = {
    name
    for name in dir(datainf)
    if not name.startswith("_") and not isinstance(getattr(datainf, name), ModuleType)
}


@pytest.fixture(scope="module")
def prose() -> str:
    """README.md and all of docs/ as one text."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return "\n".join(page.read_text(encoding="utf-8") for page in pages)


def test_all_equals_the_visible_names() -> None:
    assert {name for name in datainf.__all__ if not name.startswith("_")} == VISIBLE


def test_all_names_each_thing_once() -> None:
    assert len(datainf.__all__) == len(set(datainf.__all__))


@pytest.mark.parametrize("name", sorted(VISIBLE))
def test_every_public_name_has_a_docstring_of_its_own(name: str) -> None:
    thing = getattr(datainf, name)
    assert inspect.isclass(thing) or inspect.isroutine(thing)
    own = vars(thing).get("__doc__") if inspect.isclass(thing) else thing.__doc__
    text = inspect.cleandoc(own or "")
    # A dataclass without a docstring is given its signature for one.
    assert text
    assert not text.startswith(f"{thing.__name__}(")


@pytest.mark.parametrize("name", sorted(VISIBLE))
def test_every_public_name_is_in_the_docs(name: str, prose: str) -> None:
    assert re.search(rf"\b{name}\b", prose), f"{name} is in no page of docs/ or README"


def test_every_public_name_is_in_the_reference_exactly_once() -> None:
    pages = sorted((ROOT / "docs" / "reference").glob("*.md"))
    listed = [
        name
        for page in pages
        for name in re.findall(
            r"^::: datainf\.(\S+)$", page.read_text(encoding="utf-8"), re.MULTILINE
        )
    ]
    assert sorted(listed) == sorted(VISIBLE)
    # A page has its names in the order of `__all__`.
    places = {name: number for number, name in enumerate(datainf.__all__)}
    for page in pages:
        own = re.findall(r"::: datainf\.(\S+)", page.read_text(encoding="utf-8"))
        assert own == sorted(own, key=places.__getitem__), page.name


@pytest.mark.parametrize("name", sorted(VISIBLE))
def test_examples_stand_under_a_heading_that_the_reference_reads(name: str) -> None:
    assert "Example:" not in (getattr(datainf, name).__doc__ or "")


def test_the_version_is_the_one_of_the_distribution() -> None:
    from importlib.metadata import version

    assert datainf.__version__ == version("datainf")


def test_importing_waits_for_no_library() -> None:
    code = (
        "import sys; before = {m.partition('.')[0] for m in sys.modules}; "
        "import datainf; now = {m.partition('.')[0] for m in sys.modules}; "
        "print(sorted(now - before - set(sys.stdlib_module_names)))"
    )
    run = [sys.executable, "-c", code]
    out = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert out.strip() == "['datainf']"


def test_importing_changes_nothing_outside() -> None:
    code = """
import json, logging, os, random, warnings
import torch  # what torch itself changes is not ours
def world():
    return [logging.root.handlers, dict(os.environ), len(warnings.filters),
            torch.get_default_dtype(), torch.get_num_threads(), random.getstate(),
            torch.is_grad_enabled(), torch.cuda.is_initialized()]
before = world()
import transformers, peft, datasets, accelerate  # nor what these do
settled = world()
import datainf
print(json.dumps([str(a) == str(b) for a, b in zip(settled, world())]))
"""
    run = [sys.executable, "-c", code]
    out = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert json.loads(out) == [True] * 8
