"""What a record says about its machine: the class, and no name or place."""

import platform
import re
from importlib.metadata import version
from pathlib import Path

from datainf.experiments.surroundings import surroundings


def test_versions_and_class_of_machine_are_told_and_nothing_else():
    found = surroundings()
    assert found["torch"] == version("torch")
    assert re.match(r"\d+-core \w+ CPU, 1 thread($|, )", found["machine"])
    said = " ".join(found.values())
    assert platform.node() not in said
    assert str(Path.home()) not in said
