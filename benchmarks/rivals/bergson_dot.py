"""bergson's gradient inner products, by its collectors and a loop of one's own.

Its commands differentiate a language model's loss and would leave the head out, so the
forward and backward pass of a classifier stand here.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from bergson import GradientProcessor, InMemoryCollector, Scorer
from bergson.config.config import IndexConfig
from bergson.data import allocate_batches
from bergson.score.score_writer import InMemorySequenceScoreWriter
from datasets import Dataset
from peft import PeftModel
from torch import Tensor, nn
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
)

folder, out = Path(sys.argv[1]), sys.argv[2]
tokenizer = AutoTokenizer.from_pretrained(folder / "base")
base = AutoModelForSequenceClassification.from_pretrained(folder / "base")
model = PeftModel.from_pretrained(base, folder / "adapter", is_trainable=True).eval()
collate = DataCollatorWithPadding(tokenizer)


class AsSequence(nn.Module):
    """Show the head its one vector as a sequence: the hooks refuse two dimensions."""

    def __init__(self, head: nn.Module) -> None:
        """Keep the head."""
        super().__init__()
        self.head = head

    def forward(self, pooled: Tensor) -> Tensor:
        """Add the dimension, and take it away again."""
        logits: Tensor = self.head(pooled[:, None])[:, 0]
        return logits


heads = model.base_model.model.classifier.modules_to_save
heads["default"] = AsSequence(heads["default"])
trained = {
    name
    for name, module in model.named_modules()
    if isinstance(module, nn.Linear) and module.weight.requires_grad
}


def tokens(part: str) -> Dataset:
    """The rows of a file, tokenised."""
    rows = Dataset.from_json(str(folder / f"{part}.jsonl"))
    rows = rows.map(lambda row: tokenizer(row["text"], truncation=True))
    return rows.rename_column("label", "labels").remove_columns("text")


def collect(data: Dataset, place: str, scorer: Scorer | None) -> InMemoryCollector:
    """Run the model over all rows, by batches of rows of like length."""
    collector = InMemoryCollector(
        model=model,
        data=data,
        cfg=IndexConfig(place, include_bias=True),
        processor=GradientProcessor(include_bias=True),
        target_modules=trained,
        scorer=scorer,
    )
    lengths = [len(ids) for ids in data["input_ids"]]
    batches: Sequence[list[int]] = allocate_batches(lengths, 2048)
    for indices in batches:
        batch = collate([data[i] for i in indices])
        labels = batch.pop("labels")
        with collector.with_batch():
            logits = model(**batch).logits
            losses = nn.functional.cross_entropy(logits, labels, reduction="none")
            losses.sum().backward()
        model.zero_grad()
        collector.process_batch(indices, losses=losses)
    collector.teardown()
    return collector


train, queries = tokens("train"), tokens("queries")
with tempfile.TemporaryDirectory() as place:
    asked = collect(queries, place, None).gradients
    writer = InMemorySequenceScoreWriter(len(train), len(queries))
    scorer = Scorer(asked, list(asked), writer, torch.device("cpu"), torch.float32)
    collect(train, place, scorer)
scores = writer.scores.T.numpy()
np.save(out, scores)
print(np.argsort(-scores[0])[:10])
