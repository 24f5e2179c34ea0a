"""Cells of rows by faiss: with all of them looked into, only rounding is lost."""

import sys

import pytest
import torch

from datainf.core.errors import OptionError
from datainf.integrations import faiss_index
from datainf.store.memory import InMemorySource

N, SIZES = 211, {"a": 11, "b": 2}


def rows(count: int, seed: int) -> dict[str, torch.Tensor]:
    chance = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(count, size, generator=chance) for name, size in SIZES.items()
    }


def test_with_every_cell_the_nearest_rows_are_nearly_those_of_sorting(tmp_path):
    pytest.importorskip("faiss", reason="faiss is an extra: datainf[faiss]")
    g, x = rows(N, 1), torch.cat(list(rows(3, 2).values()), 1)
    file = tmp_path / "cells"
    faiss_index.build_cells(InMemorySource(g), file, cells=7, seed=0)
    found = faiss_index.nearest_rows(file, x, count=20, probes=7)
    products = x @ torch.cat(list(g.values()), 1).T
    right = products.argsort(dim=1, descending=True)[:, :10]
    for best, near in zip(right, found, strict=True):
        assert torch.isin(best, near).all()
    few = faiss_index.nearest_rows(file, x, count=N, probes=1)
    assert (few == -1).any()
    assert [path.name for path in tmp_path.iterdir()] == ["cells"]


def test_without_faiss_it_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    message = (
        r"^an approximate index needs faiss, .*: pip install 'datainf\[faiss\]'\.$"
    )
    with pytest.raises(OptionError, match=message):
        faiss_index.build_cells(
            InMemorySource(rows(2, 1)), tmp_path / "cells", cells=1, seed=0
        )
