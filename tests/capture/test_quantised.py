"""Gradients on bases of bitsandbytes, in 8 and 4 bits, on a CPU."""

import peft
import pytest
import torch

from datainf.capture.session import CaptureSession
from datainf.integrations.peft import adapter_of
from tests.capture.comparing import errors, same, state_of
from tests.capture.peft_cases import perturb
from tests.cases import TokenTask, token_rows
from tests.quantised import needs_bitsandbytes, put_wide_base, quantised

pytestmark = needs_bitsandbytes
TUNERS = {
    "lora": peft.LoraConfig(
        task_type="CAUSAL_LM", r=3, target_modules=["q_proj", "down_proj"]
    ),
    "ia3": peft.IA3Config(
        task_type="CAUSAL_LM",
        target_modules=["k_proj", "down_proj"],
        feedforward_modules=["down_proj"],
    ),
}
LAYERS = {"int8": "Linear8bitLt", "int4": "Linear4bit"}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return put_wide_base(tmp_path_factory.mktemp("wide"))


def adapted(base, precision, tuner="lora"):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = peft.get_peft_model(quantised(base, precision), TUNERS[tuner]).eval()
    perturb(model, 0.1)
    return model


@pytest.mark.parametrize("tuner", list(TUNERS))
@pytest.mark.parametrize("precision", list(LAYERS))
def test_gradients_equal_one_backward_pass_an_example(base, precision, tuner):
    model = adapted(base, precision, tuner)
    kinds = {(type(m).__module__, type(m).__name__) for m in model.modules()}
    assert (f"peft.tuners.{tuner}.bnb", LAYERS[precision]) in kinds
    adapter, task, rows = adapter_of(model), TokenTask(), token_rows("decoder")
    before = state_of(model)
    with CaptureSession(model, adapter, task) as session:
        session.probe(rows[:2])
        assert not any("looped" in path for path in session.coverage.values())
        for batch in ((2, 0, 6), (1,)):
            session.gradients(task.collate([rows[i] for i in batch]))
    assert same(state_of(model), before)
    found = errors(model, adapter, task, rows)
    assert len(found) == len(adapter.parameters) > 0
    assert max(found.values()) <= 1e-5


@pytest.mark.parametrize("saved", [False, True])
def test_a_base_whose_bits_were_rewritten_for_inference_is_put_right(base, saved):
    from_us, users = adapted(base, "int4"), adapted(base, "int4")
    for module in users.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = True  # as users load it
    adapters = adapter_of(from_us), adapter_of(users)
    task, rows = TokenTask(), token_rows("decoder")
    with torch.no_grad():
        users(input_ids=torch.tensor([[2, 5, 7]]))
    if saved:
        users.state_dict()
    found = []
    for model, adapter in zip((from_us, users), adapters, strict=True):
        with CaptureSession(model, adapter, task) as session:
            found.append(session.gradients(task.collate(rows[:3]))[0])
    states = from_us.state_dict(), users.state_dict()
    for name, right in states[0].items():
        # The rewriting rounds the scales to bfloat16; the bits come back.
        tolerance = 2**-8 if name.endswith("absmax") else 0
        assert torch.allclose(states[1][name].float(), right.float(), rtol=tolerance)
    for name, right in found[0].items():
        assert (found[1][name] - right).norm() <= 2e-2 * right.norm()
