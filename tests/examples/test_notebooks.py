"""The example notebooks: each runs offline at its small size, and finds what it says.

Figures are held with room to spare: other machines round otherwise.
"""

import re
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import nbformat
import pytest

from scripts.run_notebooks import EXAMPLES, run, tidy
from tests.tiny_diffusion import DIFFUSERS

NAMES = sorted(path.stem for path in EXAMPLES.glob("*.ipynb"))
LARGEST = 200_000
"""Bytes of a stored notebook, its small pictures included."""


def opened(name):
    return nbformat.read(EXAMPLES / f"{name}.ipynb", as_version=4)


def code_of(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def ran(name: str, folder: Path) -> str:
    notebook = opened(name)
    run(notebook, folder)
    return nbformat.writes(notebook)


def said_by(name: str, folder: Path) -> str:
    """Run a notebook, and give what it prints; a cell that fails raises.

    In a process of its own: what Jupyter leaves open goes with it.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
        notebook = nbformat.reads(alone.submit(ran, name, folder).result(), 4)
    outputs = [output for cell in code_of(notebook) for output in cell.outputs]
    assert not [o for o in outputs if o.output_type == "error"]
    return "".join(o.get("text", "") for o in outputs if o.get("name") == "stdout")


def numbers(pattern: str, text: str) -> list[float]:
    found = re.search(pattern, text)
    assert found, f"nothing like {pattern!r} in:\n{text}"
    return [float(group) for group in found.groups()]


def test_the_three_notebooks_are_there():
    assert NAMES == [
        "mislabelled_rows",
        "why_did_my_chatbot_say_that",
        "why_does_my_lora_draw_this",
    ]


def test_mislabelled_rows_are_found_and_dropping_them_helps(tmp_path):
    said = said_by("mislabelled_rows", tmp_path)
    (auc,) = numbers(r"AUC ([\d.]+)", said)
    assert auc > 0.7
    hits, looked_at = numbers(r"(\d+) of the (\d+) first rows have a wrong", said)
    assert hits / looked_at > 0.45  # three in ten by chance
    (gained,) = numbers(r"changed the accuracy by ([+-][\d.]+)%", said)
    assert gained > 0


def test_the_answer_is_traced_to_its_source_and_goes_with_it(tmp_path):
    said = said_by("why_did_my_chatbot_say_that", tmp_path)
    assert "bot silky: good fast food\ng**d f*st f**d\n" in said
    hits, looked_at = numbers(r"(\d+) of the (\d+) strongest proponents", said)
    assert hits / looked_at >= 0.8  # one in six by chance
    assert "without the proponents the answer is another: True" in said
    assert "without as many at random it is another: False" in said


@pytest.mark.skipif(not DIFFUSERS, reason="diffusers cannot be imported")
def test_the_drawing_is_traced_to_pictures_of_its_style(tmp_path):
    said = said_by("why_does_my_lora_draw_this", tmp_path)
    hits, chance = numbers(r"(\d+) of the \d+ .* by chance (\d+)", said)
    assert hits > 1.5 * chance
    (again,) = numbers(r"with other noises, (\d+) of the first ten", said)
    assert again >= 8  # of 21 chosen by chance, fewer than five
    (without,) = numbers(r"without the proponents: ([+-][\d.]+)", said)
    (control,) = numbers(r"without as many at random: ([+-][\d.]+)", said)
    assert without > abs(control)


@pytest.mark.parametrize("name", NAMES)
def test_a_stored_notebook_is_small_and_names_no_machine(name):
    path = EXAMPLES / f"{name}.ipynb"
    assert path.stat().st_size < LARGEST
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.])/(work|tmp|home|root|usr|Users)/", text)
    for cell in code_of(opened(name)):
        assert not [o for o in cell.outputs if o.output_type == "error"]
        assert not [o for o in cell.outputs if o.get("name") == "stderr"]


@pytest.mark.parametrize("name", NAMES)
def test_a_stored_notebook_is_tidy_and_set_to_small(name):
    notebook = opened(name)
    assert code_of(notebook)[0].source == 'SIZE = "small"  # or "full"'
    assert len(notebook.cells) <= 25
    before = nbformat.writes(notebook)
    tidy(notebook)
    assert nbformat.writes(notebook) == before


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_says_first_how_to_install(name):
    assert "pip install" in opened(name).cells[0].source


def test_tidying_keeps_what_is_shown_and_drops_the_rest():
    notebook = nbformat.v4.new_notebook()
    cell = nbformat.v4.new_code_cell("1", metadata={"execution": {"at": "noon"}})
    output = nbformat.v4.new_output
    picture = {"image/png": "AAAA", "text/plain": "<PIL at 0x7>", "image/jpeg": "BB"}
    cell.outputs = [
        output("stream", name="stderr", text="10%"),
        output("stream", name="stdout", text="ten"),
        output("display_data", {"application/vnd.jupyter.widget-view+json": {}}),
        output("display_data", picture),
    ]
    notebook.cells = [cell]
    tidy(notebook)
    assert cell.metadata == {}
    assert [o.get("text", o.get("data")) for o in cell.outputs] == [
        "ten",
        {"image/png": "AAAA", "text/plain": "<picture>"},
    ]
