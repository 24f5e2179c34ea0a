"""Settings, sources, facts and tables say what the scores hold."""

import numpy as np
import pandas as pd

from datainf.reports.sections import Setting, fact, settings, sources, table
from datainf.reports.visible import Passage
from tests.reports.fakes import bare_scores, nasty_scores


def test_settings_explain_the_common_options() -> None:
    found = settings(nasty_scores())
    assert [(line.name, line.value) for line in found] == [
        ("method", "datainf"),
        ("damping", "0.1"),
        ("blocks", "tensor"),
        ("normalize", "none"),
        ("curvature groups", "2"),
        ("version", "0.1.0"),
    ]
    assert "mean squared gradient entry" in found[1].meaning
    assert settings(bare_scores(np.zeros((1, 1))))[-1] == Setting(
        "version", "not recorded"
    )


def test_sources_are_named_by_their_path() -> None:
    assert sources(nasty_scores()) == {
        "train": (
            Setting("base", "ab12"),
            Setting("task · eos", "yes"),
            Setting("task · <i>", "–"),
        )
    }


def test_a_table_writes_each_column_alike() -> None:
    found = table(
        pd.DataFrame(
            {
                "index": [12345, 7],
                "AUC": [0.98123, 0.5],
                "small": [0.0012, 0.00034],
                "gap": [1.5, np.nan],
                "tiny": [1e-9, 1.0e-8],
                "count": [4500, 3],
                "flag": [True, False],
                "text": ["a word", "two\nlines"],
                3: ["x" * 41, None],
            }
        )
    )
    assert found.columns == (
        ("index", True),
        ("AUC", True),
        ("small", True),
        ("gap", True),
        ("tiny", True),
        ("count", True),
        ("flag", False),
        ("text", False),
        ("3", False),
    )
    assert found.rows == (
        (
            *("12345", "0.981", "0.00120", "1.5", "1e−09", "4,500", "yes", "a word"),
            Passage("x" * 41, long=False),
        ),
        (
            *("7", "0.500", "0.00034", "–", "1e−08", "3", "no"),
            Passage("two\nlines", long=False),
            "–",
        ),
    )


def test_a_table_may_be_empty_or_repeat_a_column() -> None:
    assert table(pd.DataFrame({"a": []})).rows == ()
    twice = pd.DataFrame([[1, 2]], columns=["a", "a"])
    assert table(twice).rows == (("1", "2"),)


def test_facts_take_values_mappings_and_tables() -> None:
    assert fact("rows", 4500).value == "4,500"
    assert fact("match", {"math": 0.5}).parts == (Setting("math", "0.5"),)
    shown = fact("methods", pd.DataFrame({"AUC": [0.5]})).table
    assert shown is not None
    assert shown.rows == (("0.500",),)
