"""A store lies in a folder."""

from pathlib import Path

import pytest

from datainf.core.errors import OptionError
from datainf.core.places import local_path
from datainf.store.reader import open_store


def test_folders_are_taken_as_they_are() -> None:
    assert (
        local_path("runs/train") == local_path(Path("runs/train")) == Path("runs/train")
    )


@pytest.mark.parametrize("place", ["s3://bucket/store", "gs://a/b", "hf://datasets/x"])
def test_addresses_are_refused_and_make_no_folder(place: str) -> None:
    with pytest.raises(OptionError, match="is an address"):
        local_path(place)
    with pytest.raises(OptionError, match="is an address"):
        open_store(place)
