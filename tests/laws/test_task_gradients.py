"""Captured gradients of every task equal autograd on a batch of one."""

import warnings

import pytest
import torch

from datainf.capture.session import CaptureSession
from datainf.core.errors import DatainfWarning
from datainf.integrations.peft import adapter_of
from tests.reference_gradients import gradients_one_by_one
from tests.task_cases import CASES, Case

# They meet the model libraries, so they also run with their lowest versions.
pytestmark = pytest.mark.versions


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_captured_gradients_equal_autograd_on_one_example_at_a_time(case: Case):
    task, model = case.make(), case.model("sdpa")
    adapter = adapter_of(model)
    with warnings.catch_warnings(), CaptureSession(model, adapter, task) as session:
        warnings.simplefilter("ignore", DatainfWarning)
        session.probe(case.rows[:2])
        found, _ = session.gradients(task.collate(case.rows))
        coverage = dict(session.coverage)
    assert set(coverage.values()) == {"rule Linear"}
    named = {t.block.name: t.parameter for t in adapter.parameters}
    assert any("lora_A" in name for name in named)
    wanted = gradients_one_by_one(model, task, case.rows, named)
    assert found.keys() == wanted.keys()
    for name, rows in wanted.items():
        assert found[name].dtype == torch.float64
        bound = 100 * case.rtol * float(rows.norm(dim=1).max())
        assert float((found[name] - rows).norm(dim=1).max()) <= bound, name
