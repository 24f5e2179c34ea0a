"""A described field is shown with its default and its description."""

import griffe

from scripts.described_fields import DescribedFields

SOURCE = '''
from dataclasses import dataclass
from datainf.core.options import described

@dataclass
class Task:
    """A task.

    Attributes:
        named: Its own words.
    """

    named: int = described(3, "Other words.")
    length: int | None = described(
        None, "Most tokens of an example; "
        "longer ones are cut.", late=True
    )
    plain: int = 5
'''


def test_a_described_field_has_its_default_and_its_description():
    with griffe.temporary_visited_package(
        "package",
        {"__init__.py": SOURCE},
        extensions=griffe.load_extensions(DescribedFields),
    ) as package:
        task = package["Task"]
        defaults = {p.name: str(p.default) for p in task.parameters}
        assert defaults == {
            "self": "None",
            "named": "3",
            "length": "None",
            "plain": "5",
        }
        sections = task.docstring.parse("google")
    (listed,) = (
        s for s in sections if s.kind is griffe.DocstringSectionKind.parameters
    )
    assert [(each.name, each.description) for each in listed.value] == [
        ("length", "Most tokens of an example; longer ones are cut.")
    ]
