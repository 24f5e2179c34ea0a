"""A library that is not there is named, with the extra that installs it."""

import pytest

from datainf.core.errors import OptionError
from datainf.core.extras import needed


def test_what_cannot_be_imported_is_named_with_its_extra() -> None:
    message = (
        r"^the map needs nowhere, which cannot be imported \(No module named "
        r"'nowhere_at_all'\): pip install 'datainf\[maps\]'\.$"
    )
    with (
        pytest.raises(OptionError, match=message),
        needed("the map", "nowhere", "maps"),
    ):
        __import__("nowhere_at_all")


def test_other_errors_pass_through() -> None:
    with pytest.raises(KeyError), needed("the map", "nowhere", "maps"):
        raise KeyError("a")
