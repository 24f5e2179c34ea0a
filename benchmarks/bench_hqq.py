"""Gradients on a base that hqq quantised equal one backward pass an example.

A small Llama of random weights in 8, 4 and 2 bits, LoRA r=4 on all its linear layers,
on a CPU. hqq is installed into an environment of its own (`rival.py`): transformers 5
does not load its format yet, so the base is quantised by hqq itself.
"""

import random
import warnings
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

import datainf
from benchmarks.bench_capture import sentence
from benchmarks.rival import beside
from benchmarks.small_adapter import MODEL
from datainf.capture.session import CaptureSession
from datainf.integrations.peft import adapter_of

HQQ = ("hqq==0.2.8.post1", "termcolor==3.3.0")
GROUPS = {8: 64, 4: 64, 2: 16}
"""Bits -> weights that share a scale."""
ADAPTED = r".*_proj"  # "all-linear" does not know hqq's layers
ROWS, WIDTH, CLOSE = 12, 128, 1e-5


def adapted(tokenizer: Any, bits: int) -> Any:
    """Make the Llama, quantise it, and put an adapter on it whose B is not zero."""
    from hqq.core.quantize import BaseQuantizeConfig
    from hqq.models.hf.base import AutoHQQHFModel

    torch.manual_seed(0)
    base = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            intermediate_size=2 * WIDTH,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
        )
    )
    base.name_or_path = ""
    AutoHQQHFModel.quantize_model(
        base,
        quant_config=BaseQuantizeConfig(nbits=bits, group_size=GROUPS[bits]),
        compute_dtype=torch.float32,
        device="cpu",
    )
    config = LoraConfig(task_type="CAUSAL_LM", r=4, target_modules=ADAPTED)
    model = get_peft_model(base, config).eval()
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    return model


def compare() -> None:
    """Print the largest difference of any tensor, relative to its largest entry."""
    draw = random.Random(0)
    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    tokenizer.eos_token = tokenizer.sep_token
    task = datainf.CausalLM(tokenizer)
    rows = [
        {"prompt": sentence(draw, 2, 20), "completion": " " + sentence(draw, 1, 9)}
        for _ in range(ROWS)
    ]
    for bits in GROUPS:
        model = adapted(tokenizer, bits)
        adapter = adapter_of(model)
        parameters = [trained.parameter for trained in adapter.parameters]
        with CaptureSession(model, adapter, task) as session:
            session.probe(rows[:2])
            paths = sorted(set(session.coverage.values()))
            found, _ = session.gradients(task.collate(rows))
        for parameter in parameters:
            parameter.requires_grad_(True)
        worst = 0.0
        for i, row in enumerate(rows):
            loss = task.losses(model, task.collate([row])).sum()
            right = torch.autograd.grad(loss, parameters)
            for mine, one in zip(found.values(), right, strict=True):
                gap = (mine[i].flatten() - one.flatten()).abs().max()
                worst = max(worst, float(gap / one.abs().max()))
        print(f"{bits} bits: {len(parameters)} tensors by {paths}, worst {worst:.1e}")
        assert worst <= CLOSE, worst


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    beside(HQQ, "hqq", "benchmarks.bench_hqq", compare)
