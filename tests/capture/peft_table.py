"""Writes the table of docs/adapters.md: `python -m tests.capture.peft_table`.

Ways are those that the cases declare and `test_peft_types.py` holds them to; errors are
measured here, in float64. A test fails when the committed table differs in anything but
its errors.
"""

import re
import warnings
from pathlib import Path

import peft
import pytest
import torch
import transformers

from datainf.capture.session import CaptureSession
from datainf.integrations.peft import adapter_of
from tests.capture.comparing import errors, keep_double
from tests.capture.peft_cases import KINDS, PEFT_CASES, peft_model, task_and_rows

PAGE = Path(__file__).resolve().parents[2] / "docs" / "adapters.md"
START, END = "<!-- the table begins -->", "<!-- the table ends -->"
_ERROR = re.compile(r"\d(\.\d)?e[-+]\d\d|\bpeft \S+, transformers \S+,")


def ways_of(name: str, kind: str) -> str:
    """Name the ways of a type's own tensors, as its case declares them."""
    case = PEFT_CASES[name]
    blocks = [
        block
        for block in adapter_of(peft_model(case, kind)).layout.names
        if not block.startswith("classifier")
    ]
    found = {case.way(block) for block in blocks}
    return ", ".join(way for way in ("rule", "replay", "looped") if way in found)


def error_of(name: str, kind: str) -> float:
    """Measure the largest error of a type's tensors against the autograd loop."""
    case = PEFT_CASES[name]
    model = peft_model(case, kind, dtype=torch.float64)
    task, rows = task_and_rows(case, kind)
    adapter = adapter_of(model)
    with (
        pytest.MonkeyPatch.context() as patch,
        warnings.catch_warnings(),
        CaptureSession(model, adapter, task) as session,
    ):
        keep_double(patch, kind)
        warnings.simplefilter("ignore")
        session.probe(rows[:2])
        return max(errors(model, adapter, task, rows, session=session).values())


def table(*, measure: bool = True) -> str:
    """Make the table, with errors or with a zero for each."""
    head = "| adapter | " + " | ".join(f"{kind} | error" for kind in KINDS) + " |"
    lines = [head, "|" + "---|" * (1 + 2 * len(KINDS))]
    for name in PEFT_CASES:
        cells = [name.replace("|", "/")]
        for kind in KINDS:
            error = error_of(name, kind) if measure else 0.0
            cells += [ways_of(name, kind), f"{error:.0e}"]
        lines.append("| " + " | ".join(cells) + " |")
    made = f"peft {peft.__version__}, transformers {transformers.__version__}, float64."
    return "\n".join([*lines, "", f"Measured with {made}"])


def without_numbers(text: str) -> str:
    """Take out what a machine may change: errors and versions."""
    return _ERROR.sub("", text)


def main() -> None:
    """Put the table between its marks."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    PAGE.write_text(
        f"{before}{START}\n\n{table()}\n\n{END}{after}", encoding="utf-8", newline="\n"
    )


if __name__ == "__main__":
    main()
