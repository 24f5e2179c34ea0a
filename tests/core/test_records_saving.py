"""Saving scores on a disk that does not take them: old ones or none, one clear line."""

import errno
import os
import re

import numpy as np
import pytest

from datainf.core.errors import StoreError
from datainf.core.records import Provenance, Scores


def scores(value: float) -> Scores:
    numbers = np.full((2, 3), value)
    return Scores(numbers, ("g",), numbers[:, :1], numbers[:, :1], Provenance("dot"))


@pytest.mark.parametrize("name", ["replace", "fsync"])
def test_a_full_disk_is_one_clear_line_and_leaves_no_mix(tmp_path, monkeypatch, name):
    scores(1.0).save(tmp_path)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, name, full)
        message = (
            f"the scores could not be written to {tmp_path}: No space left on device; "
            "free some space or choose another folder, and score again."
        )
        with pytest.raises(StoreError, match=f"^{re.escape(message)}$"):
            scores(2.0).save(tmp_path)
    with pytest.raises(StoreError, match="holds no scores"):
        Scores.load(tmp_path)
    scores(2.0).save(tmp_path)
    np.testing.assert_array_equal(Scores.load(tmp_path).values, 2.0)
