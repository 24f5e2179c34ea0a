"""The page: whole, safe, offline, and equal to the scores."""

import base64
import errno
import gzip
import hashlib
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from datainf.core.errors import DataError, OptionError, StoreError
from datainf.reports.render import page_script, render_report
from datainf.reports.visible import visible
from tests.reports.fakes import NASTY, N, Q, bare_scores, listed, nasty_scores
from tests.reports.unpacked import listed_rows, page_data, page_scores

OWN_SCRIPTS = ["data", "scores", "library", None]
VOID = {"meta", "link", "img", "br", "input"}


class Page(HTMLParser):
    """The elements of a page, and the text of some of them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[int] = []
        self.text: dict[int, str] = {}
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs) -> None:
        self.elements.append((tag, dict(attrs)))
        self.text[len(self.elements) - 1] = ""
        if tag not in VOID:
            self.open.append(len(self.elements) - 1)

    def handle_endtag(self, tag) -> None:
        while self.open and self.elements[self.open.pop()][0] != tag:
            raise AssertionError(f"</{tag}> closes another element")

    def handle_data(self, data) -> None:
        for number in self.open:
            self.text[number] += data

    def all(self, tag: str, **wanted: str) -> list[tuple[dict[str, str | None], str]]:
        return [
            (attributes, self.text[number])
            for number, (name, attributes) in enumerate(self.elements)
            if name == tag
            and all(
                value in (attributes.get(key.rstrip("_")) or "").split()
                for key, value in wanted.items()
            )
        ]


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    return render_report(
        nasty_scores(),
        tmp_path_factory.mktemp("report") / "new" / "report.html",
        k=12,
        title="A title with <i>markup</i>\x00",
        highlights=pd.DataFrame(
            {
                "index": [101],
                "<u>": [0.5],
                "text": pd.Series([NASTY[1] + NASTY[6]], dtype=object),
            }
        ),
        facts={
            "<em>exact match": {"<s>": "<q>"},
            "rows": N,
            "methods": pd.DataFrame({"<h6>": ["</td><script>"]}),
        },
    )


@pytest.fixture(scope="module")
def page(report: Path) -> Page:
    return Page(report.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def data(report: Path) -> dict:
    return page_data(report)


def test_no_element_comes_from_the_data(page: Page) -> None:
    scripts = page.all("script")
    assert [attributes.get("id") for attributes, _ in scripts] == OWN_SCRIPTS
    found = {tag for tag, _ in page.elements}
    assert not found & {"img", "a", "em", "s", "q", "u", "h6", "iframe", "object"}
    assert [text for _, text in page.all("i")] == ["−", "+"]  # of our own header
    handlers = [
        name for _, attrs in page.elements for name in attrs if name[:2] == "on"
    ]
    assert handlers == []


def test_all_text_is_there_as_text(page: Page, data: dict) -> None:
    held = [row.get("text") for row in (*data["rows"], *data["queries"])]
    for text in NASTY:
        assert visible(text) in held
    assert page.all("h1")[0][1] == "A title with <i>markup</i>␀"
    said = " ".join(page.text[0].split())
    for piece in ("<em>exact match", "<q>", "</td><script>", "1 of 17 gradients is"):
        assert piece in said
    words = [text for _, text in page.all("div", class_="words")]
    assert visible(NASTY[1] + NASTY[6]) in words


def test_the_script_makes_no_markup_of_texts() -> None:
    script = page_script()
    for way in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval("):
        assert way not in script


def test_nothing_is_loaded_from_anywhere(page: Page) -> None:
    loads = [
        (tag, name, value)
        for tag, attributes in page.elements
        for name, value in attributes.items()
        if name in {"src", "href", "srcset", "action", "data", "poster", "background"}
    ]
    assert loads == [("link", "href", "data:,")]
    styles = page.all("style")[0][1]
    assert not re.search(r"url\(|@import|https?:", styles)


def test_the_policy_allows_our_scripts_alone(page: Page) -> None:
    (policy,) = [
        attributes["content"]
        for _, attributes in page.elements
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    *_, library, script = (text for _, text in page.all("script"))
    unpacked = gzip.decompress(base64.b64decode(library)).decode("utf-8")
    for code in (script, unpacked):
        digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in str(policy)
    assert str(policy).count("'sha256-") == 2
    assert str(policy).startswith("default-src 'none'; ")


def test_every_query_is_there(data: dict) -> None:
    assert [query["index"] for query in data["queries"]] == ["5", "7", "11"]


def test_the_rows_are_those_of_top(data: dict) -> None:
    scores = nasty_scores()
    expected = []
    for q in range(Q):
        for order in ("proponents", "opponents"):
            top = listed(scores, 12, order, q)
            expected += list(zip(top["train"], top["score"], strict=True))
    assert listed_rows(data) == expected


def test_the_charts_count_every_example(data: dict) -> None:
    charts = [query["chart"] for query in data["queries"]]
    assert [sum(chart["counts"]) for chart in charts] == [N] * Q


def test_the_page_holds_the_scores_of_every_query_and_row(report: Path) -> None:
    held = page_scores(report).reshape(Q, N)
    np.testing.assert_array_equal(held, nasty_scores().values.astype("f4"))


def test_the_page_says_what_was_asked_and_how_to_read_signs(page: Page) -> None:
    said = " ".join(page.text[0].split())
    assert "Which of 17 training examples" in said
    assert "Negative − proponent. More weight on the example" in said
    assert "Positive + opponent. More weight on it raises the query's loss" in said
    assert "datainf solved its own equation closely (residual 0.05)." in said


def test_the_file_is_utf_8_without_control_characters(report: Path) -> None:
    text = report.read_bytes().decode("utf-8")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)


def test_a_report_weighs_two_megabytes(report: Path) -> None:
    # the packed library; the rest of the page is the data and 30 kB
    assert 1.8e6 < report.stat().st_size < 2.2e6


def test_the_same_scores_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = (
        render_report(nasty_scores(), tmp_path / f"{name}.html").read_bytes()
        for name in "ab"
    )
    assert first == second


def test_scores_alone_are_enough(tmp_path: Path) -> None:
    scores = bare_scores(np.array([[-1.0, 0.0, -0.5]]))
    file = render_report(scores, str(tmp_path / "bare.html"))
    page = Page(file.read_text(encoding="utf-8"))
    said = " ".join(page.text[0].split())
    assert "Influence of 3 training examples on 1 query" in said
    assert "dot solves no linear system" in said
    for name in ("facts", "highlights"):
        assert [a for a, _ in page.all("section") if a.get("id") == name] == []


def test_many_queries_stay_small(tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((211, 101))
    file = render_report(bare_scores(values), tmp_path / "many.html", k=5)
    assert file.stat().st_size < 2.2e6 + 211 * 1_500
    assert len(page_data(file)["queries"]) == 211


def test_rows_that_hurt_are_shown_unasked_and_none_where_none_does(tmp_path) -> None:
    file = render_report(bare_scores(np.array([[-1.0, 2.0]])), tmp_path / "x.html")
    assert "number 1 of 2 in raising the loss" in file.read_text(encoding="utf-8")
    file = render_report(bare_scores(np.array([[-1.0, -2.0]])), tmp_path / "y.html")
    assert 'id="highlights"' not in file.read_text(encoding="utf-8")


@pytest.mark.parametrize("shape", [(0, 7), (3, 0)])
def test_nothing_to_report_is_an_error(shape, tmp_path: Path) -> None:
    message = (
        f"there is nothing to report: scores of {shape[0]} queries and {shape[1]} "
        "training examples."
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        render_report(bare_scores(np.zeros(shape)), tmp_path / "x.html")


def test_at_least_one_example_must_be_listed(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"^top: k must be at least 1, got 0\.$"):
        render_report(nasty_scores(), tmp_path / "x.html", k=0)
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_leaves_the_old_file_whole(tmp_path, monkeypatch) -> None:
    file = tmp_path / "report.html"
    file.write_text("old")

    def full(handle: int) -> None:
        assert handle >= 0
        assert (tmp_path / "report.html.partial").is_file()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    message = (
        f"the report {file} could not be written: No space left on device; choose "
        "another path."
    )
    with pytest.raises(StoreError, match=f"^{re.escape(message)}$"):
        render_report(nasty_scores(), file)
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(StoreError, match=r"taken/report\.html could not be written: "):
        render_report(nasty_scores(), tmp_path / "taken" / "report.html")


def test_reports_and_metrics_load_no_torch() -> None:
    code = (
        "import sys, datainf.reports.render, datainf.evaluation.baselines, "
        "datainf.evaluation.retrieval, datainf.evaluation.detection, "
        "datainf.evaluation.bootstrap; print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
