"""Writes the tables of docs/faults.md: `python -m tests.faults`.

The messages are those that `tests/laws/test_faults.py` holds every fault to; a test
fails when the committed page says something else.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from tests.fault_table import ELSEWHERE, REFUSED, WARNED, WORKS, Fault

PAGE = Path(__file__).resolve().parents[1] / "docs" / "faults.md"
START, END = "<!-- the tables begin -->", "<!-- the tables end -->"


def shown(text: str) -> str:
    """Write a template as a reader would meet it: places by their kind."""
    kinds = {"out": "OUT", "run_yaml": "run.yaml", "section_yaml": "run.yaml"}
    adapters = "lm films t5 norms nan inf small other pickled".split()  # noqa: SIM905
    kinds |= dict.fromkeys(adapters, "ADAPTER")

    def place(match: re.Match[str]) -> str:
        name = match[1]
        if name in kinds:
            return kinds[name]
        if name.endswith("base"):
            return "BASE"
        if name.startswith("s_"):
            return "STORE"
        stem, _, ending = name.rpartition("_")
        known = ending in {"jsonl", "json", "csv", "tsv", "parquet", "xlsx"}
        if name == "latin":
            return "latin.csv"
        return f"{stem}.{ending}" if known else f"{name}.jsonl"

    text = re.sub(r"(?<!\{)\{(\w+)\}", place, text)
    return text.replace("{{", "{").replace("}}", "}").replace("|", "\\|")


def rows_of(faults: Iterable[Fault], code: int) -> list[str]:
    """Write one row a fault."""
    return [f"| {f.what} | `` {shown(f.says)} `` | {code} |" for f in faults]


def tables() -> str:
    """Write all tables of the page."""
    head = ["| fault | what is said | exit code |", "|---|---|---|"]
    return "\n".join(
        [
            "## Refused",
            "",
            *head,
            *rows_of(REFUSED, 2),
            "",
            "## Said, and done",
            "",
            *head,
            *rows_of(WARNED, 0),
            "",
            "## No fault",
            "",
            "Each of these is collected, scored by every method and reported:",
            "",
            *(f"- {what}" for what in WORKS),
            "",
            "## Tested elsewhere",
            "",
            "| fault | where |",
            "|---|---|",
            *(f"| {what} | `{path}` |" for what, path in ELSEWHERE.items()),
        ]
    )


def main() -> None:
    """Put the tables between their marks."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    PAGE.write_text(
        f"{before}{START}\n\n{tables()}\n\n{END}{after}", encoding="utf-8", newline="\n"
    )


if __name__ == "__main__":
    main()
