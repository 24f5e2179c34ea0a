"""Which of LoRA's layers are the plain formula, and when."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from datainf.integrations.low_rank import low_rank_layers


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(5, 7), nn.Linear(7, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x))


def net(**options):
    torch.manual_seed(0)
    lora = LoraConfig(r=2, target_modules=["first", "second"], **options)
    model = get_peft_model(Net(), lora)
    for layer in model.base_model.model.children():
        nn.init.normal_(layer.lora_B["default"].weight)
    return model.eval()


def test_a_layer_is_what_its_parts_say():
    model = net()
    x = torch.randn(11, 5)
    first, _ = low_rank_layers(model, "default")
    said = first.base(x) + first.scale * first.b(first.a(x))
    torch.testing.assert_close(said, first.module(x))
    assert first.plain()


@pytest.mark.parametrize("options", [{"use_dora": True}, {"lora_bias": True}], ids=str)
def test_variants_are_no_plain_layers(options):
    assert low_rank_layers(net(**options), "default") == ()


def test_another_adapter_has_layers_of_its_own():
    model = net()
    model.add_adapter("other", LoraConfig(r=3, target_modules=["second"]))
    assert [layer.a.out_features for layer in low_rank_layers(model, "other")] == [3]
    both = low_rank_layers(model, "default")
    assert len(both) == 2
    model.base_model.set_adapter(["default", "other"])
    assert [layer.plain() for layer in both] == [False, False]


@pytest.mark.parametrize("part", ["base_layer", "lora_A", "lora_B", "lora_dropout"])
def test_a_layer_that_somebody_watches_is_left_alone(part):
    model = net(lora_dropout=0.1)
    first = model.base_model.model.first
    inside = getattr(first, part)
    inside = inside["default"] if part != "base_layer" else inside
    handle = inside.register_forward_hook(lambda *_: None)
    assert len(low_rank_layers(model, "default")) == 1
    handle.remove()
    assert len(low_rank_layers(model, "default")) == 2


def test_a_layer_with_a_forward_of_its_own_is_left_alone():
    model = net()
    first = model.base_model.model.first
    first.forward = first.forward
    assert len(low_rank_layers(model, "default")) == 1


def test_weights_of_several_formats_are_left_alone():
    model = net()
    model.base_model.model.first.base_layer.to(torch.bfloat16)
    assert len(low_rank_layers(model, "default")) == 1


class Packed(nn.Parameter):
    """As libraries keep weights that are sharded, or in other numbers."""


def test_weights_of_another_class_are_left_alone():
    model = net()
    base = model.base_model.model.first.base_layer
    base.weight = Packed(base.weight.detach())
    assert len(low_rank_layers(model, "default")) == 1


def test_what_is_switched_between_calls_is_asked_at_each():
    model = net(lora_dropout=0.1)
    first, _ = low_rank_layers(model, "default")
    assert first.plain()
    with model.disable_adapter():
        assert not first.plain()
    model.train()
    assert not first.plain()
    model.eval().merge_adapter()
    assert not first.plain()
