"""A store grows by rows at its end; what is no growth is told apart."""

from dataclasses import replace

import pytest

from datainf.store.growth import grown, grows
from datainf.store.parsing import read_manifest
from tests.store.stores import IDENTITY, asked, examples, write_store

FIRST = examples()


def longer(table=None, **changes):
    """Ask for the tiny store with two more rows."""
    if table is None:
        added = FIRST[:2].assign(index=[17, 19])
        table = FIRST.merge(added, how="outer")
    identity = replace(IDENTITY, data="e" * 64)
    return asked(**{"examples": table, "identity": identity, **changes})


@pytest.fixture
def folder(tmp_path):
    write_store(tmp_path / "store")
    return tmp_path / "store"


def may_grow(folder, wish) -> bool:
    return grows(folder, read_manifest(folder), wish.manifest, wish.table)


def test_full_shards_stay_and_the_last_one_is_made_anew(folder):
    wish, found = longer(), read_manifest(folder)
    assert may_grow(folder, wish)
    manifest = grown(found, wish.manifest)
    assert (manifest.rows, manifest.complete) == (9, False)
    assert manifest.shards == found.shards[:2]
    assert manifest.identity.data == "e" * 64


@pytest.mark.parametrize(
    "changes",
    [
        {"table": FIRST},
        {"identity": IDENTITY},
        {"identity": replace(IDENTITY, data="e" * 64, adapter="x")},
        {"table": FIRST.assign(hash="0").merge(FIRST[:2], how="outer")},
        {"table": FIRST.assign(tokens=1).merge(FIRST.assign(index=31), how="outer")},
    ],
    ids=["as many rows", "the same data", "another adapter", "edited", "lengths"],
)
def test_anything_else_is_no_growth(folder, changes):
    table = changes.get("table")
    if table is not None:
        changes = {**changes, "table": table.sort_values("index")}
        changes["table"] = table.drop_duplicates("index").sort_values("index")
    assert not may_grow(folder, longer(**changes))


def test_a_store_whose_examples_are_damaged_does_not_grow(folder):
    (folder / "examples.parquet").write_bytes(b"cut short")
    assert not may_grow(folder, longer())
