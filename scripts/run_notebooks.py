"""Run the example notebooks, and store what they show.

    python -m scripts.run_notebooks [--only NAME]

Every notebook of `examples/` runs at the size that it is stored with, in a kernel of
this very interpreter and a folder of its own. Tables, texts and small pictures are
kept; what goes to stderr (progress bars, notes of libraries), widgets and times are
not, so that a run that finds the same stores the same.
"""

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
LONGEST = 1800
"""Seconds that one cell may take, on a machine that is busy with much else."""
_KEPT = ("text/plain", "text/html", "image/png")


class _ThisInterpreter(KernelSpecManager):
    """Starts any kernel with the interpreter that asks for it."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Give the only one there is."""
        started = ("-m", "ipykernel_launcher", "-f", "{connection_file}")
        return KernelSpec(
            argv=[sys.executable, *started],
            display_name=kernel_name,
            language="python",
        )


def run(notebook: Any, folder: Path) -> None:
    """Run every cell, and put what it shows into the notebook.

    Args:
        notebook: The notebook.
        folder: Where it runs.
    """
    NotebookClient(
        notebook,
        km=AsyncKernelManager(kernel_spec_manager=_ThisInterpreter()),
        timeout=LONGEST,
        resources={"metadata": {"path": str(folder)}},
    ).execute()


def tidy(notebook: Any) -> None:
    """Leave out what a stored notebook should not hold.

    Args:
        notebook: A notebook that ran.
    """
    notebook.metadata.language_info = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = [_tidied(one) for one in cell.outputs if _is_kept(one)]


def _is_kept(output: Any) -> bool:
    widget = "application/vnd.jupyter.widget-view+json"
    return output.get("name") != "stderr" and widget not in output.get("data", ())


def _tidied(output: Any) -> Any:
    """Keep the plainest forms of what is shown."""
    if "data" in output:
        output.metadata = {}
        output.data = {kind: output.data[kind] for kind in _KEPT if kind in output.data}
        if "image/png" in output.data:  # its text names a place in memory
            output.data["text/plain"] = "<picture>"
    return output


def main(arguments: list[str] | None = None) -> None:
    """Run and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", help="name of one notebook, without its ending")
    given = parser.parse_args(arguments)
    for path in sorted(EXAMPLES.glob(f"{given.only or '*'}.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        with TemporaryDirectory() as folder:
            run(notebook, Path(folder))
        tidy(notebook)
        nbformat.write(notebook, path)
        print(path.name)


if __name__ == "__main__":
    main()
