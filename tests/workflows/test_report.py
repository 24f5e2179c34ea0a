"""Report: every argument reaches the page, and charts cost nothing until then."""

import subprocess
import sys

import pandas as pd
import pytest

from datainf.workflows.report import report
from tests.reports.fakes import Q, bare_scores, listed, nasty_scores
from tests.reports.unpacked import listed_rows, page_data


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    file = tmp_path_factory.mktemp("report") / "deeper" / "page.html"
    found = report(
        nasty_scores(),
        str(file),
        k=2,
        title="Seventeen rows",
        highlights=pd.DataFrame({"rank": [1], "note": ["look at me"]}),
        facts={"auc": 0.6173},
    )
    assert found == file
    return file


@pytest.mark.parametrize("shown", ["Seventeen rows", "look at me", "0.617"])
def test_title_highlights_and_facts_are_shown(page, shown):
    assert shown in page.read_text(encoding="utf-8")


def test_k_rows_are_shown_at_either_end(page):
    scores, expected = nasty_scores(), []
    for query in range(Q):
        for order in ("proponents", "opponents"):
            expected += listed(scores, 2, order, query)["train"].tolist()
    assert [index for index, _ in listed_rows(page_data(page))] == expected


def test_scores_of_which_nothing_else_is_known_make_a_page(tmp_path):
    values = nasty_scores().values
    file = report(bare_scores(values), tmp_path / "page.html")
    assert "3 queries" in file.read_text(encoding="utf-8")


def test_the_chart_library_is_read_only_where_a_report_is_written():
    code = (
        "import sys, datainf.workflows.report;"
        "sys.exit('plotly' in sys.modules or 'jinja2' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
