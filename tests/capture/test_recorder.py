"""One pass: calls add up, what cannot be cut into examples is lost, hooks come out."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from datainf.capture.readers import Reader
from datainf.capture.recorder import Recorder


def run(
    module: nn.Module, names: dict[str, str], losses: Any, examples: int = 7
) -> Recorder:
    recorder = Recorder(lambda _: True)
    with recorder.attached([Reader(module, names)]):
        recorder.run(losses, examples)
    assert not module._forward_hooks
    return recorder


def test_calls_of_one_reader_add_up() -> None:
    layer, x = nn.Linear(5, 5), torch.randn(7, 3, 5)
    recorder = run(
        layer, {"w": "weight"}, lambda: layer(torch.tanh(layer(x))).sum((1, 2))
    )
    for i in range(7):
        loss = layer(torch.tanh(layer(x[i]))).sum()
        (right,) = torch.autograd.grad(loss, [layer.weight])
        torch.testing.assert_close(recorder.sums["w"][i], right)
    assert recorder.lost == set()


class Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.randn(5))

    def forward(self, x: Any) -> tuple[Tensor, Tensor]:
        return x * self.scale, x


def test_a_module_that_returns_a_pair_loses_its_blocks() -> None:
    module, x = Pair(), torch.randn(7, 3, 5)
    recorder = run(module, {"s": "scale"}, lambda: module(x)[0].sum((1, 2)))
    assert (recorder.lost, recorder.sums) == ({"s"}, {})


def test_a_call_with_another_first_dimension_loses_its_blocks() -> None:
    layer, x = nn.Linear(5, 3), torch.randn(7, 2, 5)
    folded = run(
        layer,
        {"w": "weight", "b": "bias"},
        lambda: layer(x.flatten(0, 1)).view(7, -1).sum(1),
    )
    assert (folded.lost, folded.sums) == ({"w", "b"}, {})


def test_a_call_without_a_gradient_does_not_matter() -> None:
    layer, x = nn.Linear(5, 3), torch.randn(7, 2, 5)

    def losses() -> Tensor:
        norm: Tensor = layer(torch.eye(5)).detach().norm()
        return (layer(x) / norm).sum((1, 2))

    recorder = run(layer, {"w": "weight"}, losses)
    assert recorder.lost == set()
    assert recorder.sums["w"].shape == (7, 3, 5)


def test_what_a_failed_pass_has_summed_is_let_go() -> None:
    layer, x = nn.Linear(5, 3), torch.randn(7, 2, 5)
    recorder = Recorder(lambda _: True)

    class Fails(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, y: Tensor) -> Tensor:  # noqa: ARG004
            return y.clone()

        @staticmethod
        def backward(ctx: Any, g: Tensor) -> Tensor:  # noqa: ARG004
            raise RuntimeError("device lost")

    inputs = x.requires_grad_(True)
    with (
        recorder.attached([Reader(layer, {"w": "weight"})]),
        pytest.raises(RuntimeError, match="device lost"),
    ):
        recorder.run(lambda: layer(Fails.apply(inputs)).sum((1, 2)), 7)
    assert recorder.sums == {}


@pytest.mark.parametrize("reentrant", [False, True])
def test_a_layer_without_tokens_is_right_or_lost_under_checkpointing(
    reentrant: bool,
) -> None:
    layer, x = nn.Linear(5, 5), torch.randn(7, 5, requires_grad=True)

    def losses() -> Tensor:
        hidden: Tensor = checkpoint(
            lambda y: torch.tanh(layer(y)), x, use_reentrant=reentrant
        )
        return (hidden**2).sum(1)

    recorder = run(layer, {"w": "weight"}, losses)
    # Reentrant checkpointing shows the layer's output only when it is too late to ask.
    assert recorder.lost == ({"w"} if reentrant else set())
    if not reentrant:
        for i in range(7):
            loss = (torch.tanh(layer(x[i])) ** 2).sum()
            (right,) = torch.autograd.grad(loss, [layer.weight])
            torch.testing.assert_close(recorder.sums["w"][i], right)
