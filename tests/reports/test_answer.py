"""The sources of one query as HTML: the report's rows and words, all text escaped."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np

from datainf.core.questions import Said
from datainf.reports import overview
from datainf.reports.answer import render_answer, render_failure, render_heading
from datainf.reports.visible import visible
from tests.reports.askers import ALL, ONE, REFUSED, pictured_answer, plain_answer
from tests.reports.fakes import NASTY, listed

OURS = {
    *("div", "section", "p", "h1", "h2", "small", "ol", "ul", "li", "b", "code"),
    *("span", "bdi", "details", "summary", "img"),
}


class Seen(HTMLParser):
    """The tags and texts of a page."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.texts, self.attributes = set(), [], set()
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return " ".join("".join(self.texts).split())


def rows_of(page, side):
    (part,) = re.findall(rf'<section class="side {side}".*?</section>', page, re.DOTALL)
    return [int(i) for i in re.findall(r'data-train="(\d+)"', part)]


def test_the_strongest_rows_of_either_sign_are_listed():
    page = render_answer(plain_answer(), 4)
    for side in ("proponents", "opponents"):
        best = listed(ONE, 5, side, 0)["train"].tolist()
        assert set(rows_of(page, side)) <= set(best)
    # The repeated text is folded under the first of its kind, below the four.
    assert len(rows_of(render_answer(plain_answer(), 12), "proponents")) == 13
    assert len(rows_of(page, "opponents")) == 4


def test_every_text_is_text():
    seen = Seen(render_answer(plain_answer(), 12))
    assert seen.tags <= OURS
    assert not {name for name in seen.attributes if name.startswith("on")}
    for text in NASTY[:-1]:
        assert " ".join(visible(text).split()) in seen.text
    assert "Warning 1 example is <cut>." in seen.text
    assert "1 of 17 gradients is <zero>." in seen.text


def test_the_words_of_confidence_are_those_of_the_report():
    seen = Seen(render_answer(plain_answer(), 3))
    for sentence in overview.verdicts(ONE):
        assert sentence.replace("`", "") in seen.text
    assert f"Certificate: {overview.certificate(ONE)}." in seen.text


def test_a_side_without_rows_says_so():
    one = replace(ONE, values=-np.abs(ONE.values))
    page = render_answer(replace(plain_answer(), scores=one), 3)
    assert "No training example has a positive score for this query." in page
    assert rows_of(page, "opponents") == []


def test_small_scores_share_their_unit():
    one = replace(ONE, values=ONE.values * 1e-7)
    seen = Seen(render_answer(replace(plain_answer(), scores=one), 3))
    assert "strongest of 13, in units of 10^-7" in seen.text


def test_pictures_stand_in_the_page():
    page = render_answer(pictured_answer(), 3)
    assert page.count('src="data:image/webp;base64,') == 7
    assert 'alt="The query&#39;s picture"' in page or "The query's picture" in page
    assert page.count('<ol class="contact">') == 2


def test_an_answer_of_nothing_is_called_that():
    silent = replace(plain_answer(), said=Said("The adapter wrote", ""))
    assert "The adapter wrote nothing" in Seen(render_answer(silent, 3)).text
    given = replace(plain_answer(), said=None)
    assert "The adapter" not in Seen(render_answer(given, 3)).text


def test_what_is_refused_is_an_alert():
    page = render_failure(REFUSED)
    assert 'role="alert"' in page
    assert Seen(page).text == f"Not answered {REFUSED}"


def test_the_heading_says_whose_sources_they_are():
    seen = Seen(render_heading("runs/<i>a</i>", ALL))
    assert "17 training examples of the run runs/<i>a</i>" in seen.text
    assert "method datainf" in seen.text
    assert seen.tags <= OURS
