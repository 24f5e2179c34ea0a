"""dattri's DataInf, with the one λ for all layers that it takes."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from dattri.algorithm import IFAttributorDataInf
from dattri.task import AttributionTask
from peft import PeftModel
from torch.utils.data import DataLoader, TensorDataset
from transformers import AutoModelForSequenceClassification, AutoTokenizer

folder, out = Path(sys.argv[1]), sys.argv[2]
tokenizer = AutoTokenizer.from_pretrained(folder / "base")
base = AutoModelForSequenceClassification.from_pretrained(
    folder / "base", attn_implementation="eager"
)
model = PeftModel.from_pretrained(base, folder / "adapter", is_trainable=True).eval()


def loader(part: str) -> DataLoader[tuple[torch.Tensor, ...]]:
    """All rows of a file, padded to the length of its longest."""
    rows = pd.read_json(folder / f"{part}.jsonl", lines=True)
    words = tokenizer(
        list(rows["text"]), padding=True, truncation=True, return_tensors="pt"
    )
    # Masks in four dimensions stay as they are; others are looked into under vmap.
    hidden = (1.0 - words["attention_mask"])[:, None, None] * torch.finfo().min
    labels = torch.tensor(rows["label"])
    data = TensorDataset(words["input_ids"], hidden, labels)
    return DataLoader(data, batch_size=64)


def loss(params: dict[str, torch.Tensor], data: tuple[torch.Tensor, ...]) -> Any:
    """The loss of one row, at these parameters."""
    tokens, mask, label = data
    given = {"input_ids": tokens, "attention_mask": mask, "labels": label}
    return torch.func.functional_call(model, params, (), given).loss


train, queries = loader("train"), loader("queries")
task = AttributionTask(loss_func=loss, model=model, checkpoints=model.state_dict())
with torch.no_grad():  # else the graph of every gradient is kept
    # The default of 0 gives NaN. The paper's rule, over one batch, one λ for all.
    first = tuple(column.unsqueeze(0) for column in next(iter(train)))
    gradients = task.get_grad_loss_func()(task.get_param(0)[0], first)
    damping = 0.1 * float(gradients.square().mean())
    attributor = IFAttributorDataInf(task, regularization=damping)
    attributor.cache(train)
    scores = attributor.attribute(train, queries).T.numpy()
np.save(out, scores)
print(np.argsort(-scores[0])[:10])
