"""The published way: gradients one by one, then Eq. 4-5 of the paper as nested loops.

Written from the formulas; that code is in no registry. It keeps a dictionary of
gradients an example, computes λ again for each query, and sums block by block.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from peft import PeftModel
from transformers import AutoModelForSequenceClassification, AutoTokenizer

DAMPING = 0.1
Gradients = list[dict[str, torch.Tensor]]
folder, out = Path(sys.argv[1]), sys.argv[2]
tokenizer = AutoTokenizer.from_pretrained(folder / "base")
base = AutoModelForSequenceClassification.from_pretrained(folder / "base")
model = PeftModel.from_pretrained(base, folder / "adapter", is_trainable=True).eval()


def gradients(part: str) -> Gradients:
    """Differentiate the loss of each row."""
    found = []
    rows = pd.read_json(folder / f"{part}.jsonl", lines=True)
    for text, label in zip(rows["text"], rows["label"], strict=True):
        model.zero_grad()
        batch = tokenizer(text, return_tensors="pt", truncation=True)
        model(**batch, labels=torch.tensor([label])).loss.backward()
        found.append(
            {n: p.grad.clone() for n, p in model.named_parameters() if p.requires_grad}
        )
    return found


def influence(train: Gradients, query: dict[str, torch.Tensor]) -> list[float]:
    """Score every training row for one query; negative lowers its loss."""
    solved = {}
    for name, v in query.items():
        squares = sum(float((row[name] ** 2).mean()) for row in train)
        damping = DAMPING * squares / len(train)
        total = torch.zeros_like(v)
        for row in train:
            g = row[name]
            share = torch.sum(v * g) / (damping + torch.sum(g**2))
            total += (v - share * g) / (len(train) * damping)
        solved[name] = total
    return [
        -sum(float(torch.sum(solved[name] * row[name])) for name in solved)
        for row in train
    ]


train, queries = gradients("train"), gradients("queries")
scores = np.array([influence(train, query) for query in queries])
np.save(out, scores)
print(np.argsort(scores[0])[:10])
