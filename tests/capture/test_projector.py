"""Projected gradients against the whole gradients of autograd, projected explicitly."""

import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from datainf.capture.projector import Projector
from datainf.capture.session import LOOPED, CaptureSession
from datainf.core.errors import DatainfWarning
from datainf.core.layout import Layout
from datainf.core.side_projection import SideProjection
from datainf.integrations.peft import adapter_of
from datainf.linalg.sides import INPUTS, OUTPUTS, side_matrix
from tests.capture.comparing import keep_double, relative_error
from tests.capture.odd_models import OddTask, odd
from tests.cases import CASES, TokenTask, token_rows
from tests.reference_gradients import gradients_one_by_one

# Shorter than the models' width of 16, longer than the rank of their adapters.
K = SideProjection(3, seed=5)
SHAPES = {"w": (7, 11), "tall": (11, 2), "vector": (7,), "conv": (2, 3, 5), "few": (2,)}
LAYOUT = Layout.from_shapes(SHAPES)


@pytest.fixture(autouse=True)
def _honest(monkeypatch: pytest.MonkeyPatch) -> None:
    keep_double(monkeypatch)


def dense(block: str, shape: tuple[int, ...], rows: Tensor) -> Tensor:
    """Project whole gradients `[B, d]` by the two matrices, one row at a time."""
    matrices = []
    lengths = (shape[0], rows[0].numel() // shape[0])
    for side, size in zip((OUTPUTS, INPUTS), lengths, strict=True):
        width = min(size, K.width)
        made = side_matrix(block, side, size=size, width=width, seed=K.seed, like=rows)
        eye = torch.eye(size, dtype=rows.dtype)
        matrices.append(made if size > K.width else eye)
    left, right = matrices
    return torch.stack([(left.T @ g.view(lengths) @ right).flatten() for g in rows])


def gradient(shape: tuple[int, ...]) -> Tensor:
    chance = torch.Generator().manual_seed(1)
    return torch.randn(13, *shape, generator=chance, dtype=torch.float64)


@pytest.mark.parametrize("block", SHAPES)
def test_a_finished_gradient_is_projected_on_each_long_side(block: str) -> None:
    g = gradient(SHAPES[block])
    found = Projector(LAYOUT, K).finished(block, g)
    assert tuple(found.shape[1:]) == K.shape_of(SHAPES[block])
    right = dense(block, SHAPES[block], g.flatten(1))
    torch.testing.assert_close(found.flatten(1), right, rtol=0, atol=1e-12)


def test_factors_give_the_finished_gradient() -> None:
    projector, chance = Projector(LAYOUT, K), torch.Generator().manual_seed(2)
    x = torch.randn(5, 11, generator=chance, dtype=torch.float64)
    g = torch.randn(5, 7, generator=chance, dtype=torch.float64)
    short_x, short_g = projector.factors("w", x, g)
    assert (short_x.shape, short_g.shape) == ((5, 3), (5, 3))
    right = projector.finished("w", (g.T @ x)[None])[0]
    torch.testing.assert_close(short_g.T @ short_x, right, rtol=0, atol=1e-12)


@pytest.mark.parametrize("block", SHAPES)
def test_a_lifted_direction_has_the_products_of_the_projected_one(block: str) -> None:
    projector, g = Projector(LAYOUT, K), gradient(SHAPES[block])
    short = projector.finished(block, g).flatten(1)
    x = torch.randn(short.shape[1], dtype=torch.float64)
    lifted = projector.lifted({block: x})[block]
    torch.testing.assert_close(g.flatten(1) @ lifted, short @ x, rtol=0, atol=1e-12)


def test_without_a_projection_all_is_passed_on() -> None:
    for projector in (Projector(), Projector(LAYOUT)):
        x, g = gradient((11,)), gradient((7,))
        same_x, same_g = projector.factors("w", x, g)
        assert same_x is x
        assert same_g is g
        assert projector.finished("w", g) is g
        assert projector.lifted({"w": x[0]})["w"].data_ptr() == x.data_ptr()


def right_gradients(
    model: nn.Module, adapter: Any, task: Any, rows: Any
) -> dict[str, Tensor]:
    parameters = {t.block.name: t.parameter for t in adapter.parameters}
    whole = gradients_one_by_one(model, task, rows, parameters)
    shapes = {t.block.name: t.block.shape for t in adapter.parameters}
    return {name: dense(name, shapes[name], g) for name, g in whole.items()}


@pytest.mark.parametrize("case", CASES)
def test_projected_gradients_are_the_projections_of_autograds(case: str) -> None:
    kind, make = CASES[case]
    model, task, rows = make(dtype=torch.float64), TokenTask(), token_rows(kind)
    adapter = adapter_of(model)
    found: dict[int, dict[str, Tensor]] = {}
    for size in (7, 2):
        with CaptureSession(model, adapter, task, K) as session:
            session.probe(rows[:2])
            assert LOOPED not in session.coverage.values()
            parts = [
                session.gradients(task.collate(rows[at : at + size]))[0]
                for at in range(0, 7, size)
            ]
        found[size] = {n: torch.cat([p[n] for p in parts]) for n in parts[0]}
    right = right_gradients(model, adapter, task, rows)
    for name, expected in right.items():
        if name.endswith("key.bias"):
            continue
        assert relative_error(found[7][name], expected) <= 1e-10
        assert relative_error(found[2][name], found[7][name]) <= 1e-10


@pytest.mark.parametrize("way", ["twice", "folded", "read", "mixed"])
def test_the_looped_path_projects_by_the_same_matrices(way: str) -> None:
    model, adapter, batch = odd(way)
    rows = [{"x": x} for x in batch["x"]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DatainfWarning)
        with CaptureSession(model, adapter, OddTask(), K) as session:
            session.probe(rows[:2])
            looped = {n for n, path in session.coverage.items() if path == LOOPED}
            found, _ = session.gradients(batch)
    assert ("inner.weight" in looped) == (way != "twice")
    right = right_gradients(model, adapter, OddTask(), rows)
    for name, expected in right.items():
        assert relative_error(found[name], expected) <= 1e-10


def test_a_rule_that_is_wrong_is_still_found_out(monkeypatch: Any) -> None:
    kind, make = CASES["encoder"]
    model, task, rows = make(dtype=torch.float64), TokenTask(), token_rows(kind)
    adapter = adapter_of(model)
    honest = Projector.factors

    def wrong(self: Projector, block: str, x: Tensor, g: Tensor) -> Any:
        x, g = honest(self, block, x, g)
        return x * 1.01, g

    monkeypatch.setattr(Projector, "factors", wrong)
    with CaptureSession(model, adapter, task, K) as session:
        with pytest.warns(DatainfWarning, match="looped path"):
            session.probe(rows[:2])
        looped = [n for n, path in session.coverage.items() if path == LOOPED]
    assert all(name.endswith("weight") for name in looped)
    assert looped
