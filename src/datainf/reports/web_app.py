"""The web app over a finished run: a form, a button, and the sources below it.

gradio is an extra (`pip install datainf[ui]`) and is imported here alone. The page is
served to this machine unless the user says otherwise, asks no other machine for
anything (gradio's analytics and web fonts are off), and shows text of the data as text.
One query is worked on at a time: there is one model.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from datainf.core.errors import DatainfError, OptionError
from datainf.core.extras import needed
from datainf.core.questions import Answer, Asker, Entry, Field
from datainf.reports.answer import render_answer, render_failure, render_heading
from datainf.reports.visible import visible

HOST = "127.0.0.1"
_STYLE = Path(__file__).parent / "assets" / "app.css"
_SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
_MONO = ("ui-monospace", "SF Mono", "Menlo", "Consolas", "DejaVu Sans Mono")
_WAITING = (
    '<p class="waiting">Its sources appear here: the training examples that taught '
    "the adapter to say it, and those that pull the other way.</p>"
)
# On a phone the sources stand below the form.
_SHOW = """() => {
  if (matchMedia("(max-width: 700px)").matches)
    document.getElementById("answer").scrollIntoView({ block: "start" });
}"""
_HOUR, _EXAMPLE = 3600, 200


def gradio() -> Any:
    """Import gradio, or name its extra.

    Returns:
        The library.
    """
    with needed("the web app", "gradio", "ui"):
        import gradio as library
    return library


@contextmanager
def served(
    asker: Asker, *, host: str = HOST, port: int | None = None, browse: bool = False
) -> Iterator[str]:
    """Serve the web app, for the scope.

    Args:
        asker: Answers the queries.
        host: Name or address that is listened at; this machine alone when not given.
        port: The port; the first free one from 7860 on when None.
        browse: Whether to open the user's browser.

    Yields:
        The page's address.

    Raises:
        OptionError: If gradio is not installed, or nothing can be served there.
    """
    library = gradio()
    app = build_app(asker)
    try:
        _, address, _ = app.launch(
            server_name=host,
            server_port=port,
            inbrowser=browse,
            prevent_thread_lock=True,
            quiet=True,
            share=False,
            ssr_mode=False,
            enable_monitoring=False,
            footer_links=[],
            theme=_theme(library),
            # Not by `css`, which takes selectors apart at every comma.
            head=f"<style>{_STYLE.read_text(encoding='utf-8')}</style>",
        )
    # gradio says OSError of a port that is taken, ValueError of a page it cannot reach.
    except (OSError, ValueError) as error:
        place = host if port is None else f"{host}, port {port}"
        raise OptionError(
            f"nothing can be served at {place}: {error} Give another --port or --host."
        ) from error
    try:
        yield address
    finally:
        app.close(verbose=False)


def build_app(asker: Asker) -> Any:
    """Lay out the page.

    Args:
        asker: Says what a query is made of, and answers it.

    Returns:
        gradio's `Blocks`.
    """
    ui = gradio()
    # What was uploaded goes after an hour, and all of it when the app is closed.
    with ui.Blocks(
        title=f"datainf · {asker.name}",
        analytics_enabled=False,
        delete_cache=(_HOUR, _HOUR),
    ) as app:
        ui.HTML(render_heading(asker.name, asker.scores), apply_default_css=False)
        with ui.Row():
            with ui.Column(scale=2, min_width=300):
                entries = [_component(ui, one) for one in asker.fields]
                rows = ui.Slider(
                    1, 50, value=5, step=1, label="Examples to list at either end"
                )
                button = ui.Button("Find its sources", variant="primary")
            with ui.Column(scale=5, min_width=300):
                found = ui.HTML(_WAITING, elem_id="answer", apply_default_css=False)
        button.click(
            _answering(asker.ask, asker.fields),
            [rows, *entries],
            found,
            concurrency_limit=1,
            api_visibility="private",
        ).then(None, js=_SHOW, api_visibility="private")
    return app


def _answering(
    ask: Callable[[Mapping[str, Any], int], Answer], fields: Sequence[Field]
) -> Callable[..., str]:
    """Make what the button calls."""

    def found(k: float, *values: Any) -> str:
        given = dict(zip((one.name for one in fields), values, strict=True))
        try:
            return render_answer(ask(given, int(k)), int(k))
        except DatainfError as error:
            return render_failure(str(error))

    return found


def _component(ui: Any, one: Field) -> Any:
    """Draw a field."""
    common = {"label": one.label, "info": one.hint or None, "value": one.value}
    if one.entry is Entry.TEXT:
        shown = visible(one.example).strip()[:_EXAMPLE]
        hint = f"such as: {shown}" if shown else None
        return ui.Textbox(lines=3, max_lines=20, placeholder=hint, **common)
    if one.entry is Entry.CHOICE:
        return ui.Dropdown(list(one.choices), **common)
    if one.entry is Entry.CHOICES:
        return ui.CheckboxGroup(list(one.choices), **common)
    if one.entry is Entry.PICTURE:
        # It has no line for a hint.
        hint = f"{one.label}. {one.hint}" if one.hint else one.label
        return ui.Image(type="pil", sources=["upload"], label=hint, height=220)
    precision = 0 if one.entry is Entry.WHOLE else None
    return ui.Number(precision=precision, **common)


def _theme(ui: Any) -> Any:
    """Give gradio's plainest theme the report's colours, and no web font."""
    pages = {
        "body_background_fill": ("#fbfaf7", "#14161a"),
        "body_text_color": ("#1d1c1a", "#e9e6df"),
        "body_text_color_subdued": ("#5f5b55", "#b0ada6"),
        "block_label_text_color": ("#1d1c1a", "#e9e6df"),
        "block_title_text_color": ("#1d1c1a", "#e9e6df"),
        "block_info_text_color": ("#5f5b55", "#b0ada6"),
        "block_background_fill": ("#ffffff", "#1b1e23"),
        "block_border_color": ("#e5e1d9", "#30343b"),
        "input_background_fill": ("#ffffff", "#14161a"),
        "input_border_color": ("#c9c4ba", "#454a52"),
        "input_border_width": ("1px", "1px"),
        "button_primary_background_fill": ("#1c67a8", "#7db8ee"),
        "button_primary_background_fill_hover": ("#17568d", "#9accf5"),
        "button_primary_text_color": ("#ffffff", "#10212f"),
        "slider_color": ("#1c67a8", "#7db8ee"),
    }
    both = {
        name: colour
        for key, (light, dark) in pages.items()
        for name, colour in ((key, light), (f"{key}_dark", dark))
    }
    plain = ui.themes.Base(font=list(_SANS), font_mono=list(_MONO))
    return plain.set(**both, button_transition="none")
