"""Kronecker sums against sums over tokens one by one; who has none, and why."""

from typing import Any

import pytest
import torch
from torch import nn

from datainf.capture import factors
from datainf.capture.factors import token_sums, unfactored
from datainf.capture.readers import Reader, readers_of
from datainf.capture.session import CaptureSession
from datainf.core.factors import FactorSums
from datainf.core.layout import Layout
from datainf.integrations.peft import adapter_of
from tests.cases import CASES, TokenTask, token_rows


def test_only_tokens_with_a_gradient_count():
    x = torch.randn(3, 5, 2, dtype=torch.float64)
    g = torch.randn(3, 5, 7, dtype=torch.float64)
    g[0, 3:] = 0
    g[2] = 0
    g[1, 2] *= 1e-9
    found = token_sums(x, g)
    assert found is not None
    pairs = [(x[0, t], g[0, t]) for t in range(3)] + [
        (x[1, t], g[1, t]) for t in (0, 1, 3, 4)
    ]
    assert found.tokens == 7
    torch.testing.assert_close(found.inputs, sum(torch.outer(a, a) for a, _ in pairs))
    torch.testing.assert_close(found.outputs, sum(torch.outer(b, b) for _, b in pairs))
    assert token_sums(x, torch.zeros_like(g)) is None


def test_tokens_of_the_mask_count_with_or_without_a_gradient():
    x, g = torch.randn(2, 3, 5), torch.randn(2, 3, 2)
    g[0] = 0
    mask = torch.tensor([[1, 1, 0], [1, 0, 0]])
    g[1, 1] = 0
    found = token_sums(x, g, mask)
    assert found is not None
    # (1, 2) is no token of the mask but has a gradient: another sequence's mask.
    used = torch.stack([x[0, 0], x[0, 1], x[1, 0], x[1, 2]])
    assert found.tokens == 4
    torch.testing.assert_close(found.inputs, used.T @ used)
    other = token_sums(x, g, mask[:, :2])
    assert other is not None
    assert other.tokens == 2
    silent = token_sums(x, 0 * g, mask)
    assert silent is not None
    assert silent.tokens == 3


def test_a_layer_called_with_one_row_an_example_is_summed_over_examples():
    x, g = torch.randn(3, 2), torch.randn(3, 5)
    found = token_sums(x, g)
    assert found is not None
    torch.testing.assert_close(found.inputs, x.T @ x)


def test_each_block_without_factors_says_why(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(factors, "MAX_SIDE", 11)
    linear, wide, looped = nn.Linear(5, 3), nn.Linear(13, 2), nn.Linear(2, 2)
    table = nn.Embedding(7, 2)
    readers = [
        Reader(linear, {"w": "weight", "b": "bias"}),
        Reader(wide, {"wide": "weight"}),
        Reader(looped, {"looped": "weight"}),
        Reader(table, {"table": "weight"}),
        # read by two modules, one of them no Linear
        Reader(nn.Linear(2, 7), {"tied": "weight"}),
        Reader(table, {"tied": "weight"}),
    ]
    shapes = {
        "w": (3, 5), "b": (3,), "wide": (2, 13), "looped": (2, 2), "table": (7, 2),
        "tied": (7, 2),
    }  # fmt: skip
    assert unfactored(readers, Layout.from_shapes(shapes), ["looped"]) == {
        "b": "it is a vector",
        "wide": "its side of 13 is above 11",
        "looped": "it takes the looped path",
        "table": "it is no weight of a Linear layer",
        "tied": "it is no weight of a Linear layer",
    }


def gathered(kind: str, batches: Any, **options: Any) -> tuple[FactorSums, Any]:
    rows_of, make = CASES[kind]
    model = make().double()
    task, rows = TokenTask(**options), token_rows(rows_of)
    with CaptureSession(model, adapter_of(model), task) as session:
        total = FactorSums(session.unfactored)
        for batch in batches:
            session.gradients(task.collate([rows[i] for i in batch]), total)
    return total, model


def slow(kind: str, model: Any) -> dict[str, Any]:
    """Hook every Linear by itself, one example at a time, without padding."""
    task, rows = TokenTask(), token_rows(CASES[kind][0])
    found: dict[str, Any] = {}
    model.eval().requires_grad_(False)
    for reader in readers_of(model, adapter_of(model)):
        for block, name in reader.names.items():
            if name != "weight":
                continue

            def forward(_m: Any, args: Any, output: Any, block: str = block) -> Any:
                output.requires_grad_(True)

                def backward(g: torch.Tensor) -> None:
                    x, d = args[0].detach().flatten(0, -2), g.flatten(0, -2)
                    for a, b in zip(x, d, strict=True):
                        if g.ndim == 3 or b.any():
                            s = found.setdefault(block, [0, 0, 0])
                            s[0] = s[0] + torch.outer(a, a)
                            s[1] = s[1] + torch.outer(b, b)
                            s[2] += 1

                output.register_hook(backward)
                return output

            reader.module.register_forward_hook(forward)
    for row in rows:
        task.losses(model, task.collate([row])).sum().backward()
    return found


@pytest.mark.parametrize(
    ("kind", "side"),
    # absolute positions: padding to the left makes another loss
    [(kind, side) for kind in CASES for side in ("left", "right")][1:],
)
def test_sums_are_those_of_each_example_alone_however_padded(kind, side):
    batches = [[0, 1, 2], [3], [4, 5, 6]]
    total, model = gathered(kind, batches, padding_side=side)
    expected = slow(kind, model)
    assert total.blocks.keys() == expected.keys()
    assert total.blocks
    for name, (inputs, outputs, tokens) in expected.items():
        found = total.blocks[name]
        assert found.tokens == tokens
        for got, right in ((found.inputs, inputs), (found.outputs, outputs)):
            torch.testing.assert_close(
                got, right, rtol=0, atol=1e-6 * float(right.abs().max())
            )


def test_a_block_that_a_batch_loses_is_given_up():
    total, _ = gathered("decoder", [[0, 1]])
    name = next(iter(total.blocks))
    total.leave_out(factors.lost([name]))
    assert name not in total.blocks
    assert total.missing[name] == "its examples could not be told apart in some batch"
