"""Per-example gradients cost little more than a forward and a backward pass.

MiniLM with LoRA r=4 on query and value and a trained head, sentences of 5 to 60 words;
and a Llama of 8 layers and width 512 with LoRA r=8 on all its linear layers, prompts
and completions of the same words.

Floor: forward and input-gradient backward of the same batches, nothing per example.
Plain: ours with every low-rank layer as its three products.
The loop is the published way: one example at a time, every gradient by autograd.
"""

import random
import statistics
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest.mock import patch

import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
)

import datainf
from benchmarks.measure import listed, seconds
from benchmarks.small_adapter import MODEL
from datainf.capture import fused
from datainf.capture.collect import collect_shard
from datainf.capture.devices import batch_tokens_on
from datainf.capture.session import CaptureSession
from datainf.core.batch import plan_batches
from datainf.experiments.data.sentence_transformations import WORDS
from datainf.integrations.peft import adapter_of

ROWS, REPEATS = 256, 5
BUDGET = batch_tokens_on(torch.device("cpu"))
LAYERS, WIDTH, INNER, HEADS = 8, 512, 1408, 8


@dataclass(frozen=True)
class Case:
    """A model with an adapter, and what it is shown.

    Attributes:
        name: Its name.
        model: The PEFT model.
        task: The task.
        lowest: Endings of the names of the adapted layers that nothing adapted lies
            below.
        examples: Rows of the task.
    """

    name: str
    model: Any
    task: Any
    lowest: tuple[str, ...]
    examples: Sequence[Mapping[str, Any]]


def sentence(draw: random.Random, least: int, most: int) -> str:
    """Draw words."""
    return " ".join(draw.choices(WORDS, k=draw.randint(least, most)))


def encoder() -> Case:
    """MiniLM, classifying sentences."""
    draw = random.Random(0)
    base = AutoModelForSequenceClassification.from_pretrained(MODEL, num_labels=2)
    config = LoraConfig(task_type="SEQ_CLS", r=4, target_modules=["query", "value"])
    return Case(
        "MiniLM",
        get_peft_model(base, config),
        datainf.SequenceClassification(AutoTokenizer.from_pretrained(MODEL)),
        ("layer.0.attention.self.query", "layer.0.attention.self.value"),
        [{"text": sentence(draw, 5, 60), "label": i % 2} for i in range(ROWS)],
    )


def decoder() -> Case:
    """A Llama of random weights, continuing prompts; MiniLM's tokenizer serves it."""
    draw = random.Random(0)
    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    tokenizer.eos_token = tokenizer.sep_token
    torch.manual_seed(0)
    base = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            intermediate_size=INNER,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            num_key_value_heads=HEADS,
            eos_token_id=tokenizer.sep_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    config = LoraConfig(task_type="CAUSAL_LM", r=8, target_modules="all-linear")
    words = [
        {"prompt": sentence(draw, 5, 40), "completion": " " + sentence(draw, 3, 20)}
        for _ in range(ROWS)
    ]
    first = ("q_proj", "k_proj", "v_proj")
    return Case(
        f"Llama {LAYERS} x {WIDTH}",
        get_peft_model(base, config),
        datainf.CausalLM(tokenizer),
        tuple(f"layers.0.self_attn.{name}" for name in first),
        words,
    )


def floor(case: Case, batches: Sequence[Any]) -> None:
    """Differentiate by the lowest adapted layers' outputs and nothing else."""
    case.model.eval().requires_grad_(False)
    lowest = [m for n, m in case.model.named_modules() if n.endswith(case.lowest)]
    assert len(lowest) == len(case.lowest)
    handles = [
        layer.register_forward_hook(lambda _m, _a, out: out.detach().requires_grad_())
        for layer in lowest
    ]
    for batch in batches:
        case.task.losses(case.model, batch).sum().backward()
    for handle in handles:
        handle.remove()


def loop(case: Case, parameters: Sequence[torch.nn.Parameter]) -> None:
    """Differentiate one example at a time."""
    for parameter in parameters:
        parameter.requires_grad_(True)
    for example in case.examples:
        loss = case.task.losses(case.model, case.task.collate([example])).sum()
        torch.autograd.grad(loss, parameters)


def measure(case: Case) -> None:
    """Print medians of ratios taken in one run."""
    adapter = adapter_of(case.model)
    lengths = [case.task.length(example) for example in case.examples]
    batches = [
        case.task.collate([case.examples[i] for i in positions])
        for positions in plan_batches(lengths, BUDGET)
    ]

    def plain() -> None:
        with patch.object(fused, "MOST", 0):
            ours()

    def ours() -> None:
        with CaptureSession(case.model, adapter, case.task) as session:
            collect_shard(
                session, case.task, case.examples, lengths=lengths, budget=BUDGET
            )

    parameters = [trained.parameter for trained in adapter.parameters]
    ours()
    ratios, rates, gains = [], [], []
    for _ in range(REPEATS):
        least = seconds(partial(floor, case, batches))
        mine = seconds(ours)
        gains.append(mine / seconds(plain))
        published = seconds(partial(loop, case, parameters))
        ratios.append(mine / least)
        rates.append(published / mine)
    print(
        f"{case.name}: rows={ROWS} batch_tokens={BUDGET} "
        f"threads={torch.get_num_threads()}, {mine:.1f} s"
    )
    print(
        f"ours / floor   median {statistics.median(ratios):.3f}  all {listed(ratios)}"
    )
    print(f"ours / plain   median {statistics.median(gains):.2f}  all {listed(gains)}")
    print(f"loop / ours    median {statistics.median(rates):.2f}  all {listed(rates)}")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for case in (encoder(), decoder()):
        measure(case)
