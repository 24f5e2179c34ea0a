"""The templates' environment: values are escaped, missing names are errors."""

import jinja2
import pytest

from datainf.reports.templating import environment


def test_values_are_escaped_and_missing_names_are_errors():
    made = environment()
    assert made.from_string("{{ x }}").render(x="<b>&") == "&lt;b&gt;&amp;"
    with pytest.raises(jinja2.UndefinedError):
        made.from_string("{{ missing }}").render()


def test_every_template_is_found():
    assert {"page.html.j2", "figure.svg.j2"} <= set(environment().list_templates())
