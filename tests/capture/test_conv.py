"""The rule for convolutions against autograd, one example at a time."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from datainf.capture import conv
from datainf.capture.conv import conv_bias, conv_weight

B, R = 5, 3
CASES: dict[str, tuple[type[Any], tuple[Any, ...], dict[str, Any]]] = {
    "1x1": (nn.Conv2d, (3, 7, 1), {}),
    "1x1 with a stride": (nn.Conv2d, (3, 7, 1), {"stride": 2}),
    "few outputs": (nn.Conv2d, (7, 2, 3), {"padding": 1}),
    "few inputs": (nn.Conv2d, (2, 7, 3), {"padding": 1}),
    "a stride that leaves a rest": (nn.Conv2d, (7, 2, 3), {"stride": (3, 2)}),
    "a stride, few inputs": (nn.Conv2d, (2, 7, 3), {"stride": 2, "padding": 1}),
    "more padding than kernel": (nn.Conv2d, (7, 2, 2), {"padding": (3, 2)}),
    "dilation": (nn.Conv2d, (7, 2, (3, 2)), {"dilation": (2, 3), "padding": 1}),
    "dilation, few inputs": (nn.Conv2d, (2, 7, 2), {"dilation": 2, "stride": 2}),
    "groups": (nn.Conv2d, (6, 9, 3), {"groups": 3, "padding": 1}),
    "groups, few outputs": (nn.Conv2d, (9, 3, 3), {"groups": 3, "stride": 2}),
    "one channel a group": (nn.Conv2d, (5, 10, 3), {"groups": 5}),
    "same": (nn.Conv2d, (7, 2, (2, 4)), {"padding": "same"}),
    "valid": (nn.Conv2d, (2, 7, 2), {"padding": "valid"}),
    "circular": (
        nn.Conv2d,
        (7, 2, 3),
        {"padding": (1, 2), "padding_mode": "circular"},
    ),
    "reflect": (
        nn.Conv2d,
        (2, 7, (2, 4)),
        {"padding": "same", "padding_mode": "reflect"},
    ),
    "one dimension": (nn.Conv1d, (7, 2, 3), {"stride": 2, "padding": 2}),
    "one dimension, few inputs": (nn.Conv1d, (2, 7, 3), {"dilation": 2}),
    "three dimensions": (nn.Conv3d, (5, 2, (1, 2, 3)), {"stride": (2, 1, 1)}),
    "three dimensions, few inputs": (nn.Conv3d, (2, 5, 2), {"padding": (0, 1, 2)}),
}


def case(name: str) -> tuple[Any, Tensor, Tensor]:
    """A layer, its inputs and an output gradient: `[B, R, C, *S]`."""
    kind, sizes, options = CASES[name]
    layer: Any = kind(*sizes, **options).double()
    positions = {nn.Conv1d: (13,), nn.Conv2d: (11, 8), nn.Conv3d: (5, 7, 4)}[kind]
    x = torch.randn(B, R, sizes[0], *positions, dtype=torch.float64)
    y = layer(x.flatten(0, 1)).detach()
    return layer, x, torch.randn_like(y).unflatten(0, (B, R))


# torch's own, of an even kernel.
@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("name", CASES)
def test_the_rule_equals_autograd(name: str) -> None:
    layer, x, g = case(name)
    weight, bias = conv_weight(layer, x, g), conv_bias(layer, x, g)
    for i in range(B):
        right = torch.autograd.grad(layer(x[i]), [layer.weight, layer.bias], g[i])
        torch.testing.assert_close(weight[i], right[0])
        torch.testing.assert_close(bias[i], right[1])


@pytest.mark.parametrize("name", ["few outputs", "few inputs", "groups"])
@pytest.mark.parametrize("windows", [1, 10_000])
def test_windows_are_laid_out_for_a_few_examples_at_a_time(
    name: str, windows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer, x, g = case(name)
    at_once = conv_weight(layer, x, g)
    monkeypatch.setattr(conv, "WINDOWS", windows)
    torch.testing.assert_close(conv_weight(layer, x, g), at_once)


def test_windows_lie_on_the_smaller_side(monkeypatch: pytest.MonkeyPatch) -> None:
    laid, sizes = conv._laid_out, []

    def watch(rows: Tensor, *options: Any) -> Tensor:
        sizes.append(rows.shape[1])
        return laid(rows, *options)

    monkeypatch.setattr(conv, "_laid_out", watch)
    for name in ("few outputs", "few inputs"):
        conv_weight(*case(name))
    assert sizes == [2] * R + [2] * R


def test_memory_laid_out_channels_last_is_read_as_well() -> None:
    layer, x, g = case("few outputs")
    plain = conv_weight(layer, x, g)
    x, g = (
        t.flatten(0, 1).to(memory_format=torch.channels_last).unflatten(0, (B, R))
        for t in (x, g)
    )
    torch.testing.assert_close(conv_weight(layer, x, g), plain)
