"""10,007 rows in a browser: searched, sorted, filtered, by key, with few nodes."""

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.reports.browser import needs_chromium, nodes
from tests.reports.pages import ASKED, MANY, large_scores

pytestmark = needs_chromium
FEW = 2500


@pytest.fixture(scope="module")
def scores():
    return large_scores()


def cells(page, column=0):
    rows = page.locator("#row-body tr[tabindex]")
    return [row.locator("td").nth(column).text_content() for row in rows.all()[:5]]


def test_few_nodes_exist_wherever_the_table_is_scrolled_to(large, scores):
    assert nodes(large) < FEW
    order = np.argsort(scores.values.mean(axis=0, dtype=float), kind="stable")
    assert cells(large) == [str(i) for i in order[:5]]
    large.locator("#row-viewport").scroll_into_view_if_needed()
    large.locator("#row-viewport").evaluate("node => { node.scrollTop = 1e9; }")
    last = large.locator("#row-body tr[tabindex]").last
    expect(last.locator("td").first).to_have_text(str(order[-1]))
    expect(last).to_be_in_viewport()
    assert nodes(large) < FEW


def test_queries_are_laid_as_the_list_is_scrolled(large):
    listed = large.locator("details.query")
    expect(listed).to_have_count(60)
    listed.last.scroll_into_view_if_needed()
    expect(listed).to_have_count(ASKED)
    assert nodes(large) < FEW


def test_a_column_sorts_both_ways_numbers_as_numbers(large):
    head = large.locator("#row-head")
    head.get_by_role("button", name="index").click()
    assert cells(large) == ["0", "1", "2", "3", "4"]
    expect(head.locator("th").first).to_have_attribute("aria-sort", "ascending")
    head.get_by_role("button", name="index").click()
    assert cells(large)[:2] == [str(MANY - 1), str(MANY - 2)]
    head.get_by_role("button", name="size").click()
    assert set(cells(large, 4)) == {"0"}


def test_rows_are_those_of_the_chosen_query_and_side(large, scores):
    large.locator("#row-query").select_option("7")
    large.locator("#row-side").select_option("1")
    row = scores.values[7]
    order = np.argsort(row, kind="stable")
    assert cells(large) == [str(i) for i in order[row[order] > 0][:5]]
    large.get_by_role("button", name="score").click()
    assert cells(large) == [str(i) for i in np.argsort(-row, kind="stable")[:5]]
    expect(large.locator("#rows-found")).to_have_text(
        f"{(row > 0).sum():,} of 10,007 training examples"
    )


def test_words_and_columns_filter_together(large):
    large.locator("#row-search").fill("ROW 77")
    expected = sum("77" in str(i) for i in range(MANY))
    expect(large.locator("#rows-found")).to_have_text(
        f"{expected} of 10,007 training examples"
    )
    large.locator("#row-search").fill("row 7777")
    large.locator("#row-filters").get_by_label("kind").select_option("red")
    expect(large.locator("#rows-found")).to_have_text("0 of 10,007 training examples")
    large.locator("#row-filters").get_by_label("kind").select_option("green")
    expect(large.locator("#rows-found")).to_have_text("1 of 10,007 training examples")
    assert cells(large) == ["7777"]


def test_queries_are_searched_and_sorted_by_their_strongest_row(large, scores):
    large.locator("#query-sort").select_option("proponent")
    strongest = int(scores.values.min(axis=1).argmin())
    first = large.locator("details.query").first
    expect(first).to_have_attribute("data-query", str(strongest))
    large.locator("#query-search").fill("Question topic-5")
    expected = sum(q % 7 == 5 for q in range(ASKED))
    expect(large.locator("#queries-found")).to_have_text(f"{expected} of 83 queries")


def test_groups_are_those_of_by_group(large, scores):
    large.locator("#group-column").select_option(label="kind")
    large.locator("#group-query").select_option("11")
    known = scores.by_group("kind", "mean")
    known = known[known["query"] == 11]
    rows = large.locator("#group-table tbody tr")
    assert rows.locator("th").all_text_contents() == known["group"].tolist()
    written = rows.first.locator(".amount").text_content().replace("−", "-")
    assert float(written) == pytest.approx(known["score"].iloc[0], rel=1e-3)


def test_keys_search_move_open_and_close(large):
    large.keyboard.press("/")
    search = large.locator("#query-search")
    expect(search).to_be_focused()
    large.keyboard.type("number-3x ")
    expect(large.locator("details.query")).to_have_count(1)
    large.keyboard.press("Escape")
    expect(search).to_have_value("")
    expect(large.locator("details.query")).to_have_count(60)
    large.keyboard.press("j")
    large.keyboard.press("j")
    expect(large.locator("#query-2 > summary")).to_be_focused()
    large.keyboard.press("Enter")
    expect(large.locator("#query-2")).to_have_attribute("open", "")
    large.keyboard.press("k")
    expect(large.locator("#query-1 > summary")).to_be_focused()
    large.keyboard.press("?")
    expect(large.locator("#help-dialog")).to_be_visible()
    large.keyboard.press("Escape")
    expect(large.locator("#help-dialog")).to_be_hidden()


def test_the_table_is_walked_by_keys(large, scores):
    order = np.argsort(scores.values.mean(axis=0, dtype=float), kind="stable")
    large.locator("#row-body tr[tabindex='0']").focus()
    for key, at in (("ArrowDown", 1), ("End", MANY - 1), ("ArrowUp", MANY - 2)):
        large.keyboard.press(key)
        focused = large.locator("#row-body tr:focus")
        expect(focused).to_have_attribute("data-position", str(order[at]))
    large.keyboard.press("Enter")
    expect(large.locator("#row-detail h2")).to_have_text(
        f"Training example {order[MANY - 2]}"
    )


def test_the_theme_is_the_readers_choice(large):
    paper = "getComputedStyle(document.body).backgroundColor"
    system = large.evaluate(paper)
    large.keyboard.press("t")
    large.keyboard.press("t")
    assert large.evaluate(paper) != system
    large.get_by_role("button", name="Theme: dark").click()
    assert large.evaluate(paper) == system
