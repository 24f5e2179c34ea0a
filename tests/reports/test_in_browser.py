"""The page in a browser: all is text, it folds, draws and prints, and asks nobody."""

import pytest
from playwright.sync_api import expect

from datainf.reports.visible import visible
from tests.reports.browser import needs_chromium, opened, serious
from tests.reports.fakes import NASTY

pytestmark = needs_chromium


def test_texts_with_markup_and_scripts_show_as_text(rich):
    words = rich.locator("#query-1 .side .words")
    expect(words.first).to_be_visible()
    shown = words.all_text_contents()
    for text in NASTY:
        assert visible(text) in shown
    rich.locator("[data-position] >> nth=0").click()
    assert rich.locator("#row-detail .words").text_content() == visible(NASTY[8])
    foreign = rich.locator("body :is(iframe, object, em, s, q, u, a[onclick], img)")
    expect(foreign).to_have_count(0)


def test_a_query_has_rows_while_it_is_open(rich):
    second = rich.locator("#query-2")
    expect(second.locator(".body")).to_have_count(0)
    second.locator("summary").first.click()
    expect(second.locator(".side")).to_have_count(2)
    assert second.locator("li[data-train]").count() > 5
    second.locator("summary").first.click()
    expect(second.locator(".body")).to_have_count(0)


def test_all_queries_open_and_close_at_once(rich):
    rich.get_by_role("button", name="Open all").click()
    expect(rich.locator("details.query > .body")).to_have_count(3)
    rich.get_by_role("button", name="Close all").click()
    expect(rich.locator("details.query > .body")).to_have_count(0)


def test_a_chart_is_drawn_of_the_scores_and_again_in_the_dark(rich):
    rich.locator("#query-1 .chart").scroll_into_view_if_needed()
    bars = rich.locator("#query-1 .chart .bars path")
    bars.first.wait_for()
    caption = rich.locator("#query-1 figcaption").first.text_content()
    assert caption.startswith("Scores of all training examples")
    assert "[object" not in caption
    before = bars.first.get_attribute("style")
    rich.emulate_media(color_scheme="dark")
    expect(bars.first).not_to_have_attribute("style", before)


def test_a_long_text_is_folded_and_unfolds(rich):
    long = rich.locator("#query-1 .long").first
    folded = long.bounding_box()["height"]
    button = long.get_by_role("button")
    assert button.text_content() == f"Show all {len(NASTY[8]):,} characters"
    button.click()
    expect(button).to_have_text("Show less")
    assert long.bounding_box()["height"] > 2 * folded


def test_near_duplicates_are_folded_under_the_first(rich):
    twins = rich.locator("#query-1 details.twins")
    expect(twins).to_have_count(1)
    assert twins.locator("summary").text_content() == "and 1 near-duplicate"
    repeated = twins.locator("> ol > li")
    expect(repeated).to_be_hidden()
    twins.locator("summary").click()
    expect(repeated).to_contain_text("example 114")


def test_tokens_are_coloured_and_named_by_side(rich):
    scored = rich.locator("#query-1 .by-token .token")
    expect(scored).to_have_count(4)
    expect(scored.first).to_have_attribute("title", "proponent −2.000")
    colours = {
        scored.nth(i).evaluate("node => getComputedStyle(node).borderBottomStyle")
        for i in (0, 1)
    }
    assert colours == {"solid", "dashed"}


def test_layers_say_where_the_listed_scores_come_from(rich):
    rich.locator("#query-1 .layers summary").click()
    names = rich.locator("#query-1 .layers tbody th").all_text_contents()
    assert names == ["h.0", "h.1"]


def test_a_suspicious_row_opens_with_the_queries_it_matters_to(rich):
    rich.locator("#highlights").get_by_role("button", name="104").click()
    dialog = rich.locator("#row-dialog")
    expect(dialog.locator("h2")).to_have_text("Training example 104")
    dialog.locator("a").first.click()
    expect(dialog).to_be_hidden()
    expect(rich.locator("details.query[open]")).not_to_have_count(0)


def test_axe_finds_nothing_serious_in_light_and_dark(rich):
    rich.locator("#query-1 .side").first.wait_for()
    for details in rich.locator("#query-1 details").all():
        details.evaluate("node => { node.open = true; }")
    rich.locator("#query-1 .chart").scroll_into_view_if_needed()
    rich.locator("#query-1 .chart svg").first.wait_for()
    assert serious(rich) == []
    rich.emulate_media(color_scheme="dark")
    assert serious(rich, "color-contrast") == []
    rich.locator("#row-body tr[tabindex]").first.click()
    assert serious(rich, "color-contrast", "aria-dialog-name") == []


def test_axe_finds_nothing_serious_among_pictures(pictured):
    assert serious(pictured) == []


def test_pictures_stand_on_a_contact_sheet_that_fits_a_phone(pictured):
    sheet = pictured.locator("#query-1 ol.contact")
    expect(sheet).to_have_count(2)
    pictured.wait_for_function(
        "[...document.querySelectorAll('#query-1 .contact img')].slice(0, 2)"
        ".every(image => image.naturalWidth === 160)"
    )
    first, second = (sheet.first.locator("li").nth(i).bounding_box() for i in (0, 1))
    assert first["y"] == second["y"]  # side by side
    assert pictured.evaluate("document.documentElement.scrollWidth") <= 390


def test_print_is_ink_on_white_without_controls(browser, rich_file):
    with opened(browser, rich_file, color_scheme="dark") as found:
        page = found.page
        paper = "() => getComputedStyle(document.body).backgroundColor"
        assert page.evaluate(paper) != "rgb(255, 255, 255)"
        page.emulate_media(media="print")
        assert page.evaluate(paper) == "rgb(255, 255, 255)"
        expect(page.locator("#row-search")).to_be_hidden()
        expect(page.locator("#query-1 .side").first).to_be_visible()
        page.emulate_media(media="screen")
        assert page.pdf()[:5] == b"%PDF-"
        expect(page.locator("#row-body tr[tabindex]").first).to_be_visible()


def test_without_scripts_the_page_says_so_and_shows_the_rest(browser, rich_file):
    with opened(browser, rich_file, java_script_enabled=False) as found:
        page = found.page
        expect(page.locator("#overview")).to_contain_text("Half of the proponents'")
        expect(page.locator("noscript p")).to_contain_text("switched off")
        expect(page.locator("#rows")).to_be_hidden()


@pytest.mark.parametrize(
    "script",
    [
        "console.error('broken')",
        "setTimeout(() => { throw new Error('broken') })",
        "fetch('https://example.org/').catch(() => {})",
    ],
)
def test_the_watch_over_a_page_sees_faults(browser, tmp_path, script):
    file = tmp_path / "broken.html"
    file.write_text(f"<!doctype html><html data-ready><script>{script}</script>")
    with (
        pytest.raises(AssertionError, match=r"^the page is at fault: "),
        opened(browser, file) as found,
    ):
        found.page.wait_for_timeout(100)
