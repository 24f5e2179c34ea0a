"""A byte that flips on the disk is noticed, whichever it is, and changes no score.

One thousand flips of one bit, drawn over all files of a store.
"""

import random

import numpy as np
import pytest

from datainf.core.errors import DatainfError
from datainf.store.reader import open_store
from datainf.store.verify import verify
from datainf.workflows.score import score
from tests.store.stores import files, write_store

PARTS, FLIPS = 10, 100


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flips")
    write_store(folder / "train")
    return folder / "train", write_store(folder / "queries")


def scores_of(stores, *, check: bool = True):
    path, queries = stores
    return score(open_store(path, check=check), queries, method="datainf")


@pytest.mark.parametrize("part", range(PARTS))
def test_no_flipped_byte_goes_unnoticed_or_gives_other_scores_silently(stores, part):
    path, _ = stores
    chance = random.Random(part)
    right = scores_of(stores)
    # By size, so that each byte of the store is as likely as any other.
    sizes = {name: len(data) for name, data in files(path).items()}
    silent = 0
    for name in chance.choices(list(sizes), list(sizes.values()), k=FLIPS):
        file = path / name
        good = file.read_bytes()
        bad, at = bytearray(good), chance.randrange(len(good))
        bad[at] ^= 1 << chance.randrange(8)
        file.write_bytes(bad)
        assert not verify(path).ok, (name, at)
        try:
            found = scores_of(stores)
        except DatainfError:
            pass
        else:
            silent += 1
            np.testing.assert_array_equal(found.values, right.values)
        file.write_bytes(good)
    assert silent == 0
    assert verify(path).ok


def test_without_the_check_a_flipped_byte_gives_other_scores(stores):
    """What the check is for: squared norms and a finite loss would not tell."""
    path, _ = stores
    right = scores_of(stores)
    file = path / "shard-00000.safetensors"
    good = file.read_bytes()
    bad = bytearray(good)
    bad[-15] ^= 1  # before the 12 bytes of losses: a lower bit of the last gradient
    file.write_bytes(bad)
    found = scores_of(stores, check=False)
    file.write_bytes(good)
    assert not np.array_equal(found.values, right.values)
