"""The scope that keeps a model as it was."""

import pytest
import torch
from torch import nn

from datainf.capture.scope import checkpoints, quiet


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Dropout(0.5)
        self.weight = nn.Parameter(torch.ones(2))
        self.gradient_checkpointing = True
        self.dropout, self.layerdrop, self.scale = 0.3, 0.2, 1.5


def test_everything_is_frozen_and_in_eval_mode_inside_and_back_outside() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5)).train()
    model[0].bias.requires_grad_(False)
    before = torch.get_rng_state()
    with quiet(model):
        assert not any(m.training for m in model.modules())
        assert not any(p.requires_grad for p in model.parameters())
        torch.rand(3)
    assert all(m.training for m in model.modules())
    assert [p.requires_grad for p in model.parameters()] == [True, False]
    assert torch.equal(before, torch.get_rng_state())


def test_checkpointing_layers_keep_training_mode_without_their_dropout() -> None:
    layer = Layer().eval()

    def fail_inside() -> None:
        with quiet(layer):
            assert layer.training
            assert not layer.inner.training
            assert (layer.dropout, layer.layerdrop, layer.scale) == (0.0, 0.0, 1.5)
            raise KeyError

    with pytest.raises(KeyError):
        fail_inside()
    assert (layer.dropout, layer.layerdrop, layer.scale) == (0.3, 0.2, 1.5)
    assert not layer.training


def test_checkpointing_is_seen_anywhere_in_the_model() -> None:
    assert checkpoints(nn.Sequential(nn.Linear(2, 2), Layer()))
    assert not checkpoints(nn.Linear(2, 2))
