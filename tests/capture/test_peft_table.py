"""The table in docs/adapters.md says what the cases say."""

import pytest

from tests.capture.peft_cases import OLD, PEFT_CASES
from tests.capture.peft_table import END, PAGE, START, table, without_numbers


def test_the_committed_table_is_not_stale() -> None:
    if OLD:
        pytest.skip("the table is made with the newest versions")
    text = PAGE.read_text(encoding="utf-8")
    committed = text.partition(START)[2].partition(END)[0].strip()
    assert committed.count("\n| ") == len(PEFT_CASES)
    assert without_numbers(committed) == without_numbers(table(measure=False)), (
        "run `python -m tests.capture.peft_table`"
    )
