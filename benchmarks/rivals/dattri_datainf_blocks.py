"""dattri's DataInf with the paper's λ, another for each block.

Its attributor takes one λ. So gradients are taken once, and each block gets a model
whose gradients are those numbers: the loss gᵢ·w, with an attributor of its own.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from dattri.algorithm import IFAttributorDataInf
from dattri.task import AttributionTask
from peft import PeftModel
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from transformers import AutoModelForSequenceClassification, AutoTokenizer

DAMPING = 0.1
Rows = tuple[Tensor, ...]
folder, out = Path(sys.argv[1]), sys.argv[2]
tokenizer = AutoTokenizer.from_pretrained(folder / "base")
base = AutoModelForSequenceClassification.from_pretrained(
    folder / "base", attn_implementation="eager"
)
model = PeftModel.from_pretrained(base, folder / "adapter", is_trainable=True).eval()
sizes = [p.numel() for p in model.parameters() if p.requires_grad]


def loss(params: dict[str, Tensor], data: Rows) -> Any:
    """The loss of one row, at these parameters."""
    tokens, mask, label = data
    given = {"input_ids": tokens, "attention_mask": mask, "labels": label}
    return torch.func.functional_call(model, params, (), given).loss


def gradients(part: str) -> tuple[Tensor, ...]:
    """The gradients of all rows of a file, block by block."""
    rows = pd.read_json(folder / f"{part}.jsonl", lines=True)
    words = tokenizer(
        list(rows["text"]), padding=True, truncation=True, return_tensors="pt"
    )
    # Masks in four dimensions stay as they are; others are looked into under vmap.
    hidden = (1.0 - words["attention_mask"])[:, None, None] * torch.finfo().min
    labels = torch.tensor(rows["label"])
    data = TensorDataset(words["input_ids"], hidden, labels)
    task = AttributionTask(loss_func=loss, model=model, checkpoints=model.state_dict())
    one, weights = task.get_grad_loss_func(), task.get_param(0)[0].detach()
    found = [
        one(weights, tuple(column.unsqueeze(0) for column in batch)).detach()
        for batch in DataLoader(data, batch_size=64)
    ]
    return torch.cat(found).split(sizes, dim=1)


def along(params: dict[str, Tensor], data: Rows) -> Tensor:
    """The loss whose gradient is the row itself."""
    return (data[0] @ params["w"]).sum()


def of_block(train: Tensor, queries: Tensor) -> Tensor:
    """Score by one block."""
    given = nn.Module()
    given.w = nn.Parameter(torch.zeros(train.shape[1]))
    task = AttributionTask(loss_func=along, model=given, checkpoints=given.state_dict())
    damping = DAMPING * float(train.square().mean())
    attributor = IFAttributorDataInf(task, regularization=damping)
    rows, asked = (
        DataLoader(TensorDataset(part), batch_size=len(part))
        for part in (train, queries)
    )
    attributor.cache(rows)
    with torch.no_grad():
        found: Tensor = attributor.attribute(rows, asked)
    return found.T


pairs = zip(gradients("train"), gradients("queries"), strict=True)
scores = np.sum([of_block(*pair).numpy() for pair in pairs], axis=0)
np.save(out, scores)
print(np.argsort(-scores[0])[:10])
