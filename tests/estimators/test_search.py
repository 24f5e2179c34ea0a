"""The best rows by a shortlist against the sorting of every float64 product."""

import re

import pytest
import torch
from torch import Tensor

from datainf.core.errors import OptionError
from datainf.core.options import Normalize, Order
from datainf.core.share import Share
from datainf.estimators import search
from datainf.estimators.search import KEYS, Products, _possible, search_rows
from datainf.store.memory import InMemorySource
from tests.estimators.gradient_sets import Portioned
from tests.shares import SharedRows

N, Q, SIZES = 1009, 3, {"a": 53, "b": 7}
PLAIN = [Normalize.NONE, Normalize.EXAMPLE, Normalize.BLOCK]


def made(rows: int, seed: int, dtype: torch.dtype = torch.float16) -> dict[str, Tensor]:
    chance = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(rows, size, generator=chance, dtype=torch.float64).to(dtype)
        for name, size in SIZES.items()
    }


def all_values(
    x: dict[str, Tensor], g: dict[str, Tensor], normalize: Normalize
) -> Tensor:
    """Multiply every pair in float64."""
    wide = {name: rows.double() for name, rows in g.items()}
    lengths = {name: rows.norm(dim=1) for name, rows in wide.items()}
    whole = torch.stack(list(lengths.values())).norm(dim=0)
    total = torch.zeros(len(next(iter(x.values()))), len(whole), dtype=torch.float64)
    for name, rows in wide.items():
        divided = {
            Normalize.NONE: torch.ones_like(whole),
            Normalize.EXAMPLE: whole,
            Normalize.BLOCK: lengths[name],
        }[normalize]
        total += x[name].double() @ rows.T / divided
    return total


@pytest.mark.parametrize("normalize", PLAIN)
@pytest.mark.parametrize("order", list(Order))
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_the_best_are_those_of_sorting_every_product(order, normalize, dtype):
    x, g = made(Q, 1, torch.float32), made(N, 2, dtype)
    right = all_values(x, g, normalize)
    for k in (1, 11, N + 5):
        found = search_rows(x, Portioned(g, 101), k=k, order=order, normalize=normalize)
        expected = KEYS[order](right).argsort(dim=1, descending=True, stable=True)
        assert torch.equal(found.places, expected[:, :k])
        torch.testing.assert_close(
            found.values, right.gather(1, found.places), rtol=1e-12, atol=1e-12
        )


@pytest.mark.parametrize("count", [1, 2, 15, 16, 17])
@pytest.mark.parametrize(("rows", "used"), [(N, 1), (N, 3), (2, 5)])
def test_queries_and_threads_may_be_any_number(count, rows, used):
    x, g = made(count, 1), made(rows, 2)
    right = all_values(x, g, Normalize.NONE).argsort(dim=1, descending=True)[:, :5]
    before = torch.get_num_threads()
    torch.set_num_threads(used)
    found = search_rows(x, InMemorySource(g), k=5)
    torch.set_num_threads(before)
    assert torch.equal(found.places, right)


@pytest.mark.parametrize("size", [1, 2, 13, 500, 5000])
def test_portions_and_slices_do_not_matter(size, monkeypatch):
    x, g = made(Q, 1, torch.float32), made(N, 2)
    whole = search_rows(x, InMemorySource(g), k=5)
    monkeypatch.setattr(search, "_SLICE_BYTES", 4 * 53 * size)
    monkeypatch.setattr(search, "_PORTION_BYTES", 4 * 60 * size)
    cut = search_rows(x, InMemorySource(g), k=5)
    assert torch.equal(cut.places, whole.places)


def test_rows_that_float32_cannot_tell_apart_come_in_their_true_order():
    chance = torch.Generator().manual_seed(3)
    row = torch.randn(1, 53, generator=chance, dtype=torch.float64)
    steps = torch.randperm(N, generator=chance)
    g = {"a": row * (1 + steps[:, None].double() * 1e-11)}
    found = search_rows({"a": row}, InMemorySource(g), k=13)
    assert torch.equal(found.places[0], steps.argsort(descending=True)[:13])
    rough, _ = Products({"a": row}, Normalize.NONE).rough(
        next(InMemorySource(g).rows())
    )
    assert len(rough[0].unique()) < N / 2


def test_of_equal_rows_the_first_ones_come_first():
    g = {"a": torch.ones(N, 53)}
    found = search_rows({"a": torch.ones(2, 53)}, Portioned(g, 101), k=7)
    assert found.places.tolist() == [list(range(7))] * 2


@pytest.mark.parametrize("normalize", PLAIN)
@pytest.mark.parametrize("size", [1.0, 1e-30, 1e18])
def test_no_product_is_farther_off_than_its_bound(normalize, size):
    x = {name: rows * size for name, rows in made(Q, 4, torch.float32).items()}
    g = {name: rows * size for name, rows in made(N, 5, torch.float32).items()}
    (part,) = InMemorySource(g).rows()
    rough, error = Products(x, normalize).rough(part)
    gap = (rough - all_values(x, g, normalize)).abs()
    assert (gap <= error).all()
    assert gap.max() > 0


def test_the_bound_holds_for_sums_that_cancel():
    d = 4096
    g = torch.ones(7, d)
    x = torch.ones(1, d)
    x[0, ::2] = -1 - 2.0**-20
    (part,) = InMemorySource({"w": g}).rows()
    rough, error = Products({"w": x}, Normalize.NONE).rough(part)
    true = float(x.double().sum())
    assert ((rough - true).abs() <= error).all()


def test_products_beyond_float32_are_still_compared_rightly():
    g = {"w": torch.full((5, 3), 3e38)}
    g["w"][2] *= 1.1
    g["w"][3] *= -1
    found = search_rows({"w": torch.ones(1, 3)}, InMemorySource(g), k=2)
    assert found.places.tolist() == [[2, 0]]


def test_what_overflows_is_computed_again_and_hides_no_other():
    inf, nan = float("inf"), float("nan")
    near = torch.tensor([1.0, inf, 3.0, -inf, nan, 2.9, 0.0], dtype=torch.float64)
    error = torch.full((7,), 0.1, dtype=torch.float64)
    none = torch.empty(0, dtype=torch.float64)
    assert _possible(near, error, none, 1).tolist() == [1, 2, 3, 4, 5]
    assert _possible(near, error, none, 3).tolist() == [0, 1, 2, 3, 4, 5]
    assert _possible(near, error, none, 9).tolist() == list(range(7))
    known = torch.tensor([2.95], dtype=torch.float64)
    assert _possible(near, error, known, 9).tolist() == [1, 2, 3, 4, 5]


def test_a_query_without_a_gradient_has_zeros_and_the_first_rows():
    rows = InMemorySource({"a": made(N, 1)["a"]})
    found = search_rows({"a": torch.zeros(1, 53)}, rows, k=3)
    assert found.places.tolist() == [[0, 1, 2]]
    assert found.values.tolist() == [[0.0] * 3]


def test_few_rows_are_multiplied_twice(monkeypatch):
    counted = []
    honest = Products.exact

    def counting(self, part, query, at):
        counted.append(len(at))
        return honest(self, part, query, at)

    monkeypatch.setattr(Products, "exact", counting)
    search_rows({"a": made(1, 1)["a"]}, Portioned({"a": made(N, 2)["a"]}, 101), k=5)
    assert sum(counted) < 50


def test_what_needs_every_row_or_one_process_is_refused():
    g = made(N, 1)
    message = (
        "normalize='relatif' divides by the self-influence of every row, so all rows "
        "must be scored: use score, or another normalize."
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        search_rows(g, InMemorySource(g), k=1, normalize=Normalize.RELATIF)
    part = SharedRows(InMemorySource(g), Share(range(3), rank=0, ranks=2))
    with pytest.raises(OptionError, match=r"^search is the work of one process; "):
        search_rows(g, part, k=1)
