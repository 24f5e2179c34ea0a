"""Number formats of a store say how many bytes they take."""

import pytest

from datainf.core.store_dtype import StoreDtype
from datainf.store.rounding import TORCH_DTYPES


@pytest.mark.parametrize("dtype", list(StoreDtype))
def test_a_number_takes_the_bytes_of_its_torch_dtype(dtype):
    assert dtype.bytes == TORCH_DTYPES[dtype].itemsize


def test_only_int8_has_scales():
    assert [dtype.value for dtype in StoreDtype if dtype.scaled] == ["int8"]
