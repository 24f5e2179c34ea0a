"""`ui`, from what is typed to a query that is answered in the browser."""

import asyncio
import gc

import pytest
from playwright.sync_api import expect

from datainf.cli.commands import ui
from tests.cli.command import datainf, refused, worked
from tests.reports.browser import chromium, needs_chromium, visited

# gradio's own: a deprecated option of pandas, event loops that are never closed.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module", autouse=True)
def _swept():
    """Let gradio's event loops go before tests that allow no warning."""
    yield
    asyncio.set_event_loop(None)
    gc.collect()


@needs_chromium
def test_a_run_is_asked_in_the_browser(attributed, monkeypatch, capfd):
    told, seen = [], []
    monkeypatch.setattr(ui, "tell", told.append)

    def ask() -> None:
        """Stand in for the user: type, press, read; then end it."""
        (line,) = told
        address = line.split()[3]
        with chromium() as browser, visited(browser, address) as found:
            page = found.page
            page.get_by_label("Prompt").fill("say a")
            page.get_by_role("button", name="Find its sources").click()
            answer = page.locator("#answer")
            expect(answer.locator("li[data-train]")).not_to_have_count(0)
            expect(answer).to_contain_text("The adapter wrote")
            expect(answer).to_contain_text("datainf ranks the examples")
            seen.extend(answer.locator(".proponents .words").all_text_contents())

    monkeypatch.setattr(ui, "wait", ask)
    worked("ui", attributed)
    assert told[0].startswith(f"ask {attributed} at http://127.0.0.1:")
    assert all(text.startswith(("say ", "[bold]x")) for text in seen)
    assert len(seen) == 5
    assert "Traceback" not in capfd.readouterr().err


def test_ctrl_c_ends_it(monkeypatch):
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ui.threading.Event, "wait", interrupted)
    ui.wait()


def test_a_page_for_others_is_warned_of(attributed, monkeypatch):
    monkeypatch.setattr(ui, "wait", lambda: None)
    ran = datainf("ui", attributed, "--host", "0.0.0.0")
    assert ran.code == 0
    assert "warning: everybody who can reach 0.0.0.0 can ask this run" in ran.err


def test_mistakes_show_before_the_model_is_loaded(tmp_path):
    message = "--port must be between 1 and 65535, got 0."
    assert refused("ui", tmp_path, "--port", 0) == message
    message = (
        f"{tmp_path} is no finished run (no scores/scores.json); give the --out folder "
        "of `datainf mislabeled` or `datainf attribute`."
    )
    assert refused("ui", tmp_path) == message
