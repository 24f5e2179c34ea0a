"""Numbers among options: what is refused."""

import re

import pytest

from datainf.core.errors import OptionError
from datainf.estimators.checks import require_count, require_positive


def refuses(kind, message):
    return pytest.raises(kind, match=f"^{re.escape(message)}$")


@pytest.mark.parametrize("value", [True, "0.1", None])
def test_what_is_no_number_is_refused(value):
    with refuses(OptionError, f"m: damping must be a positive number, got {value!r}."):
        require_positive("m", "damping", value)
    with refuses(
        OptionError,
        f"m: steps must be a whole number of at least 1, got {value!r}.",
    ):
        require_count("m", "steps", value)
