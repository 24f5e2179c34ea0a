"""Experts get tokens, not examples: right whatever the router does, and said."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import peft
import pytest
import torch
import transformers
from packaging.version import Version
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, MixtralConfig

from datainf.capture.session import CaptureSession
from datainf.core.adapter import Adapter, TrainedParameter
from datainf.core.errors import DatainfWarning
from datainf.core.layout import Block
from datainf.integrations.peft import adapter_of
from tests.capture.comparing import keep_double
from tests.cases import TokenTask, token_rows
from tests.reference_gradients import gradients_one_by_one
from tests.tiny_models import VOCAB

OLD = Version(transformers.__version__) < Version("5")


class Routed(nn.Module):
    """Sends each token to the expert that its example names."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.experts = nn.ModuleList(nn.Linear(5, 5) for _ in range(3))
        self.double()

    def forward(self, x: Tensor, to: Tensor) -> Tensor:
        flat, route = x.flatten(0, 1), to.flatten()
        out = torch.zeros_like(flat)
        for number, expert in enumerate(self.experts):
            chosen = (route == number).nonzero().squeeze(1)
            if len(chosen):
                out = out.index_add(0, chosen, expert(flat[chosen]))
        return torch.tanh(out).view_as(x)


class RoutedTask(TokenTask):
    def collate(self, examples: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        return {
            "x": torch.stack([e["x"] for e in examples]),
            "to": torch.tensor([e["to"] for e in examples]),
        }

    def losses(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        return (model(batch["x"], batch["to"]) ** 2).sum((1, 2))


def examples(*routes: Sequence[int]) -> list[dict[str, Any]]:
    generator = torch.Generator().manual_seed(1)
    return [
        {"x": torch.randn(len(r), 5, dtype=torch.float64, generator=generator), "to": r}
        for r in routes
    ]


def routed() -> tuple[Routed, Adapter]:
    model = Routed()
    named = model.named_parameters()
    trained = [TrainedParameter(Block(n, tuple(p.shape)), p, n) for n, p in named]
    return model, Adapter("routed", tuple(trained))


def worst(session: CaptureSession, model: nn.Module, rows: Sequence[Any]) -> float:
    """Largest error of one batch, against the loop."""
    task, parameters = RoutedTask(), dict(model.named_parameters())
    found, _ = session.gradients(task.collate(rows))
    right = gradients_one_by_one(model, task, rows, parameters)
    for parameter in parameters.values():
        parameter.requires_grad_(False)
    return max(float((found[n] - right[n]).abs().max()) for n in right)


# Each of two examples sends one token to expert 0 and one to expert 1: rows of the
# experts are the examples here, so the probe cannot tell them from a head.
ALIGNED = examples((0, 1), (0, 1))


def test_an_expert_that_gets_as_many_tokens_as_examples_by_accident_is_right() -> None:
    model, adapter = routed()
    with CaptureSession(model, adapter, RoutedTask()) as session:
        with pytest.warns(DatainfWarning, match=r"2 of 6 blocks .*experts\.2\.weight"):
            session.probe(ALIGNED)
        assert session.coverage["experts.0.weight"] == "rule Linear"
        # Three examples; expert 0 gets three tokens, and two of them are of the first.
        accident = examples((0, 0), (1, 1), (0, 2))
        with pytest.warns(
            DatainfWarning,
            match=(
                r"^experts\.0\.bias and 3 other blocks were called with an input whose "
                r"examples cannot be told apart; in such batches they take the looped "
                r"path, one backward pass an example\.$"
            ),
        ):
            assert worst(session, model, accident) <= 1e-12


def test_an_expert_without_a_token_in_the_probe_or_later_is_right() -> None:
    model, adapter = routed()
    with (
        warnings.catch_warnings(),
        CaptureSession(model, adapter, RoutedTask()) as session,
    ):
        warnings.simplefilter("ignore", DatainfWarning)
        session.probe(ALIGNED)
        assert session.coverage["experts.2.weight"] == "looped"
        for routes in [
            ((2, 2), (2, 2)),
            ((0, 0), (0, 0)),
            ((0, 2), (2, 0), (1, 2)),
            ((1, 1),),
            ((2, 0), (2, 0)),
        ]:
            assert worst(session, model, examples(*routes)) <= 1e-12


def test_experts_that_lose_the_batch_in_the_probe_are_looped_and_named() -> None:
    model, adapter = routed()
    with CaptureSession(model, adapter, RoutedTask()) as session:
        with pytest.warns(DatainfWarning, match="6 of 6 blocks have no rule and take"):
            session.probe(examples((0, 0, 1), (0, 1, 1)))
        assert set(session.coverage.values()) == {"looped"}
        assert worst(session, model, examples((0, 1, 2), (2, 2, 2))) <= 1e-12


def mixtral(**options: Any) -> peft.PeftModel:
    config = MixtralConfig(
        vocab_size=VOCAB,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        intermediate_size=23,
        num_local_experts=5,
        num_experts_per_tok=2,
        pad_token_id=0,
        bos_token_id=2,
        eos_token_id=3,
        # Initial weights of 0.02 would leave the experts out of the losses.
        initializer_range=0.3,
    )
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        torch.manual_seed(0)
        warnings.simplefilter("ignore", UserWarning)
        # The fused experts of transformers 5 know no float64.
        fused = {} if OLD else {"experts_implementation": "eager"}
        base = AutoModelForCausalLM.from_config(
            config, attn_implementation="eager", **fused
        )
        lora = peft.LoraConfig(task_type="CAUSAL_LM", r=2, **options)
        model = peft.get_peft_model(base, lora)
        for trained in adapter_of(model).parameters:
            nn.init.normal_(trained.parameter, std=0.2)
    return model.double().eval()


MIXTRAL: dict[str, dict[str, Any]] = {
    "experts": (
        {"target_modules": ["q_proj", "w1", "w2"]}
        if OLD
        else {
            "target_modules": ["q_proj"],
            "target_parameters": ["mlp.experts.gate_up_proj"],
        }
    ),
    "router": {"target_modules": ["v_proj", "gate"]},
}


@pytest.mark.parametrize("part", MIXTRAL)
def test_mixtral_equals_the_autograd_loop(
    part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_double(monkeypatch)
    model, task, rows = mixtral(**MIXTRAL[part]), TokenTask(), token_rows("decoder")
    adapter = adapter_of(model)
    with CaptureSession(model, adapter, task) as session:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DatainfWarning)
            session.probe(rows[:2])
            batches = ((2, 0, 6), (1,), (5, 3, 4))
            found = [
                session.gradients(task.collate([rows[i] for i in batch]))[0]
                for batch in batches
            ]
        ways = {name: path.split()[0] for name, path in session.coverage.items()}
    assert {w for n, w in ways.items() if "_proj.lora" in n and "self_attn" in n} == {
        "rule"
    }
    assert any(way == "looped" for way in ways.values())
    parameters = {t.block.name: t.parameter for t in adapter.parameters}
    order = [rows[i] for batch in batches for i in batch]
    right = gradients_one_by_one(model, task, order, parameters)
    for name, gradient in right.items():
        got = torch.cat([batch[name] for batch in found])
        scale = gradient.norm(dim=1).max().clamp(min=1e-9)
        assert (got - gradient).norm(dim=1).max() <= 1e-10 * scale, name
