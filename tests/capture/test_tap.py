"""The tap passes values and gradients on and shows them to the sink."""

import torch
from torch.utils.checkpoint import checkpoint

from datainf.capture.tap import tap


def test_a_tap_changes_nothing_and_sees_input_and_gradient() -> None:
    seen = []
    anchor = torch.zeros(1, requires_grad=True)
    x = torch.arange(3.0)
    y = tap(2 * x, [x, x], anchor, lambda a, g: seen.append((*a, g)))
    (y * torch.tensor([1.0, 10.0, 100.0])).sum().backward()
    torch.testing.assert_close(y.detach(), 2 * x)
    ((a, b, g),) = seen
    assert torch.equal(a, x)
    assert torch.equal(b, x)
    assert g.tolist() == [1.0, 10.0, 100.0]
    assert anchor.grad is None


def test_the_gradient_flows_through_to_what_lies_below() -> None:
    anchor = torch.zeros(1, requires_grad=True)
    x = torch.arange(3.0, requires_grad=True)
    tap(x**2, [x], anchor, lambda *_: None).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0.0, 2.0, 4.0]


def test_the_input_is_dropped_and_computed_again_under_checkpointing() -> None:
    anchor, seen, made = torch.zeros(1, requires_grad=True), [], []

    def layer(x: torch.Tensor) -> torch.Tensor:
        hidden = torch.sin(x)
        made.append(hidden.data_ptr())
        return tap(
            3 * hidden, [hidden], anchor, lambda a, _: seen.append(a[0].data_ptr())
        )

    x = torch.arange(3.0, requires_grad=True)
    checkpoint(layer, x, use_reentrant=False).sum().backward()
    assert len(made) == 2
    assert seen == [made[1]]
