"""An approximate index: what it finds is scored exactly, and whose it is is checked."""

import json
import re

import pandas as pd
import pytest
import torch

from datainf.core.errors import OptionError, StoreError
from datainf.store.memory import InMemorySource
from datainf.workflows import index
from datainf.workflows.index import ABOUT, build_index, open_index
from datainf.workflows.search import search
from tests.store.stores import write_store

WHY = "faiss is an extra: datainf[faiss]"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write_store(tmp_path_factory.mktemp("index") / "store")


@pytest.fixture
def by_sorting(monkeypatch):
    """Stand in for faiss: sort all products, and forget some rows."""
    kept: dict[str, torch.Tensor] = {}

    def build(source, file, *, cells, seed):
        del cells, seed
        parts = [torch.cat(list(p.gradients.values()), 1) for p in source.rows()]
        kept["rows"] = torch.cat(parts).float()
        file.write_bytes(b"cells")

    def nearest(file, x, *, count, probes):
        del probes
        assert file.read_bytes() == b"cells"
        order = (x @ kept["rows"].T).argsort(dim=1, descending=True)[:, :count]
        return torch.where(order == 6, -1, order)

    monkeypatch.setattr(index, "build_cells", build)
    monkeypatch.setattr(index, "nearest_rows", nearest)


def test_what_the_index_finds_is_scored_exactly(store, by_sorting, tmp_path):
    del by_sorting
    made = build_index(store, tmp_path / "index", cells=2, probes=5)
    assert open_index(tmp_path / "index", store) == made
    assert (made.cells, made.probes, made.asked) == (2, 2, 7)
    assert made.recall == pytest.approx(6 / 7)  # row 6 is never found
    for order in ("proponents", "opponents", "magnitude"):
        whole = search(store, store, k=7, method="dot", order=order)
        found = search(
            store, store, k=7, method="dot", order=order, index=tmp_path / "index"
        )
        expected = whole[whole["train"] != store.index[6]]
        pd.testing.assert_frame_equal(
            found.drop(columns="rank"),
            expected.drop(columns="rank").reset_index(drop=True),
        )


def test_faiss_itself_finds_the_rows_of_a_small_store(store, tmp_path):
    pytest.importorskip("faiss", reason=WHY)
    made = build_index(store, tmp_path / "index", cells=2, probes=2)
    assert made.recall == 1.0
    found = search(store, store, k=3, method="dot", index=tmp_path / "index")
    pd.testing.assert_frame_equal(found, search(store, store, k=3, method="dot"))


def test_an_index_of_another_store_is_refused(store, by_sorting, tmp_path):
    del by_sorting
    build_index(store, tmp_path / "index")
    other = write_store(tmp_path / "other", "bf16")
    message = (
        f"{tmp_path / 'index'} is the index of another store than {other.path}, or of "
        "what that was before; build it anew."
    )
    with pytest.raises(StoreError, match=f"^{re.escape(message)}$"):
        search(other, other, method="dot", index=tmp_path / "index")


@pytest.mark.parametrize("content", [None, b"{", b"[]", b'{"cells": 3}'])
def test_what_is_no_index_is_refused(store, tmp_path, content):
    if content is not None:
        (tmp_path / ABOUT).write_bytes(content)
    message = (
        f"{tmp_path} is no index: it has no index.json that can be read; make one with "
        "datainf.build_index(store, folder)."
    )
    with pytest.raises(StoreError, match=f"^{re.escape(message)}$"):
        open_index(tmp_path, store)


def test_a_folder_that_holds_something_is_refused(store, tmp_path):
    (tmp_path / "x").write_text(json.dumps(1))
    with pytest.raises(OptionError, match=r"is not empty; give a new folder"):
        build_index(store, tmp_path)


@pytest.mark.parametrize(
    ("normalize", "message"),
    [("example", "an index compares rows as they are, got normalize='example'")],
)
def test_an_index_is_not_asked_for_what_it_does_not_hold(
    store, tmp_path, normalize, message
):
    with pytest.raises(OptionError, match=re.escape(message)):
        search(store, store, method="dot", normalize=normalize, index=tmp_path)
    rows = InMemorySource({"w": torch.ones(2, 3)})
    with pytest.raises(OptionError, match="an index is of a store on disk, got InMem"):
        search(rows, rows, method="dot", index=tmp_path)
