"""The web app: what it draws and hands on; in a browser, that it answers by itself."""

import asyncio
import gc
import socket
import sys

import pytest
from playwright.sync_api import expect

from datainf.core.errors import OptionError
from datainf.core.questions import Entry, Field
from datainf.reports.visible import visible
from datainf.reports.web_app import build_app, gradio, served
from tests.reports.askers import FIELDS, REFUSED, Fake
from tests.reports.browser import needs_chromium, serious, visited
from tests.reports.fakes import NASTY

# gradio's own: a deprecated option of pandas, event loops that are never closed.
pytestmark = pytest.mark.filterwarnings("ignore")

# While it works, gradio fades what is there: colours are looked at when it is done.
AT_REST = (
    "!document.querySelector('#answer .pending') && !document.getAnimations().length"
)

# Its frame would clip what is too wide.
FARTHEST = (
    "Math.max(...[...document.querySelectorAll('.masthead, #answer *')]"
    ".map(node => node.getBoundingClientRect().right))"
)


@pytest.fixture(scope="module", autouse=True)
def _swept():
    """Let gradio's event loops go before tests that allow no warning."""
    yield
    asyncio.set_event_loop(None)
    gc.collect()


@pytest.fixture(scope="module")
def page(browser):
    """The app over a fake run, open in a browser."""
    asker = Fake()
    with served(asker) as address, visited(browser, address) as found:
        found.page.get_by_role("button", name="Find its sources").wait_for()
        yield asker, found


def answered(page, prompt):
    page.get_by_label("Prompt").fill(prompt)
    page.get_by_role("button", name="Find its sources").click()
    return page.locator("#answer")


def test_a_field_is_drawn_for_every_kind():
    assert {one.entry for one in FIELDS} == set(Entry)
    drawn = {
        one.label: type(one).__name__
        for one in build_app(Fake()).blocks.values()
        if getattr(one, "label", None)
    }
    assert drawn == {
        "Prompt": "Textbox",
        "Class": "Dropdown",
        "Classes": "CheckboxGroup",
        "Number": "Number",
        "Most tokens": "Number",
        "Picture. Left empty, it is drawn.": "Image",
        "Examples to list at either end": "Slider",
    }


def test_nothing_is_told_to_gradios_makers(monkeypatch):
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "True")
    assert build_app(Fake()).analytics_enabled is False


@needs_chromium
def test_a_query_is_answered_in_the_page(page):
    asker, found = page
    sources = answered(found.page, "who?")
    expect(sources.locator("section.proponents li[data-train]")).not_to_have_count(0)
    expect(sources.locator("section.opponents li[data-train]")).not_to_have_count(0)
    expect(sources).to_contain_text("What retraining would show was not tested here")
    given, k = asker.asked[-1]
    assert given == {
        "prompt": "who?",
        "class": None,
        "several": [],
        "number": 0.5,
        "tokens": 48,
        "image": None,
    }
    assert k == 5
    assert found.faults == []


@needs_chromium
def test_texts_of_the_data_show_as_text(page):
    _, found = page
    sources = answered(found.page, "again")
    said = sources.locator(".said")
    expect(said).to_have_text(visible(NASTY[1]))
    shown = sources.locator(".words").all_text_contents()
    assert visible(NASTY[0]) in shown
    foreign = sources.locator(":is(script, iframe, em, s, q, a, img, i)")
    expect(foreign).to_have_count(0)
    assert "<i>fake</i>" in found.page.locator(".masthead").inner_text()
    assert found.faults == []


@needs_chromium
def test_what_is_refused_is_said_in_the_page(page):
    _, found = page
    alert = answered(found.page, "refuse").get_by_role("alert")
    expect(alert).to_contain_text(REFUSED)
    assert found.faults == []


@needs_chromium
def test_pictures_fit_a_phone_and_axe_finds_nothing_serious(page):
    _, found = page
    found.page.set_viewport_size({"width": 390, "height": 800})
    sources = answered(found.page, "draw")
    expect(sources.locator(".contact img")).to_have_count(9)
    assert found.page.evaluate(FARTHEST) <= 390
    found.page.wait_for_function(AT_REST)
    expect(sources.locator(".own")).to_be_in_viewport()
    assert serious(found.page) == []
    found.page.emulate_media(color_scheme="dark")
    found.page.locator(".dark").first.wait_for()
    found.page.wait_for_function(AT_REST)
    assert serious(found.page, "color-contrast") == []
    assert found.faults == []


def test_a_port_that_is_taken_is_refused():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        begins = rf"^nothing can be served at 127\.0\.0\.1, port {port}: Cannot find"
        with pytest.raises(OptionError, match=begins), served(Fake(), port=port):
            pass


def test_without_gradio_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    message = r"^the web app needs gradio, .*: pip install 'datainf\[ui\]'\.$"
    with pytest.raises(OptionError, match=message):
        gradio()


def test_a_field_without_a_hint_has_none():
    class Bare(Fake):
        fields = (Field("image", "Image", Entry.PICTURE),)

    labels = [getattr(b, "label", None) for b in build_app(Bare()).blocks.values()]
    assert "Image" in labels
