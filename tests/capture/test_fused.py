"""Low-rank layers that run as one product: the same gradients, and only where right."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from datainf.capture import fused
from datainf.capture.readers import readers_of
from datainf.capture.session import CaptureSession
from datainf.integrations.peft import adapter_of
from tests.capture.comparing import errors, keep_double
from tests.capture.odd_models import OddTask
from tests.cases import TokenTask, decoder, token_rows

CHANCE = torch.Generator().manual_seed(1)
ROWS = [{"x": torch.randn(13, 5, generator=CHANCE).double()} for _ in range(7)]


class Net(nn.Module):
    """Two linear layers of prime sizes; the second is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(5, 11), nn.Linear(11, 11)
        self.around = nullcontext

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with self.around():
            x = self.first(x.to(self.first.weight.dtype)).tanh()
            return self.second(self.second(x).tanh()).sum(1)


@pytest.fixture(autouse=True)
def _honest(monkeypatch):
    keep_double(monkeypatch)


@pytest.fixture
def calls(monkeypatch):
    """The layers that ran as one product."""
    found = []
    run = fused.Fused.__call__

    def counted(self, x):
        found.append(self.layer.module)
        return run(self, x)

    monkeypatch.setattr(fused.Fused, "__call__", counted)
    return found


def net(dtype=torch.float64, **options):
    torch.manual_seed(0)
    lora = LoraConfig(r=3, lora_alpha=2, target_modules=["first", "second"], **options)
    model = get_peft_model(Net(), lora).to(dtype)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(parameter, std=0.5)
    return model


def worst(model, task=None):
    task = task or OddTask()
    found = errors(model, adapter_of(model), task, ROWS, batches=[[2, 0, 6], [1]])
    return max(found.values())


def losses(model):
    with CaptureSession(model, adapter_of(model), OddTask()) as session:
        return session.gradients(OddTask().collate(ROWS))[1]


def layers_of(model):
    return [module for module in model.modules() if hasattr(module, "lora_A")]


def chosen(model, without=""):
    adapter = adapter_of(model)
    readers = [
        reader
        for reader in readers_of(model, adapter)
        if not without or not any(without in name for name in reader.names)
    ]
    return fused.fused_layers(adapter.low_rank, readers)


@pytest.mark.parametrize(
    ("dtype", "bound"), [(torch.float32, 1e-5), (torch.float64, 1e-12)]
)
@pytest.mark.parametrize("rslora", [False, True])
def test_one_product_gives_the_gradients_of_autograd(calls, dtype, bound, rslora):
    model = net(dtype, use_rslora=rslora)
    assert worst(model) <= bound
    assert len(calls) == 2 * 3  # batches, calls of a pass


def test_the_losses_are_those_of_three_products(monkeypatch):
    one = losses(net())
    monkeypatch.setattr(fused, "MOST", 0)
    torch.testing.assert_close(one, losses(net()), rtol=1e-12, atol=0)


def test_a_session_in_inference_mode_gives_the_same(calls):
    model = net()
    usual = losses(model)
    with torch.inference_mode():
        assert torch.equal(losses(model), usual)
    assert len(calls) == 2 * 3


@contextmanager
def dropping(model) -> Iterator[None]:
    for layer in layers_of(model):
        layer.lora_dropout["default"].training = True
    yield
    for layer in layers_of(model):
        layer.lora_dropout["default"].training = False


@pytest.mark.parametrize(
    "around",
    [lambda _: torch.autocast("cpu", torch.bfloat16), dropping],
    ids=["autocast", "dropout"],
)
def test_what_a_model_switches_on_the_way_is_respected(calls, around):
    model = net(torch.float32)
    model.base_model.model.around = lambda: around(model)
    losses(model)
    assert calls == []


class AgainstTheBase(OddTask):
    """As in DPO: the same model with its adapter switched off is the reference."""

    def losses(self, model, batch):
        with model.disable_adapter():
            reference = model(batch["x"])
        return ((model(batch["x"]) - reference) ** 2).sum(-1)


def test_a_pass_without_the_adapter_is_one_without_it(calls):
    assert worst(net(), AgainstTheBase()) <= 1e-12
    assert len(calls) == 2 * 3


@pytest.mark.parametrize(
    "options",
    [{"bias": "lora_only"}, {"bias": "all"}, {"use_dora": True}],
    ids=str,
)
def test_whoever_trains_more_than_two_matrices_runs_as_it_is(calls, options):
    assert worst(net(**options)) <= 1e-10
    assert calls == []


def test_coarse_weights_are_not_added_up():
    assert not chosen(net(torch.bfloat16))
    assert len(chosen(net(torch.float32))) == 2


def test_no_more_weights_are_made_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(fused, "MOST", 8 * 5 * 11)
    (only,) = chosen(net())
    assert only.layer.module.in_features == 5


def test_a_layer_of_which_one_matrix_is_collected_runs_as_it_is():
    (only,) = chosen(net(), without="second.lora_B")
    assert only.layer.module.in_features == 5


def test_the_forward_is_the_layers_own_again(calls):
    model = net()
    losses(model)
    assert calls
    assert not any("forward" in vars(layer) for layer in layers_of(model))


def test_a_decoder_runs_all_its_layers_as_one(calls):
    model = decoder(dtype=torch.float64)
    adapter = adapter_of(model)
    with CaptureSession(model, adapter, TokenTask()) as session:
        session.gradients(TokenTask().collate(token_rows("decoder")))
    assert len(set(calls)) == len(adapter.low_rank) > 0
