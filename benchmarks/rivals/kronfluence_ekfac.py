"""kronfluence's EK-FAC over LoRA's matrices and the trained head."""

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset
from kronfluence.analyzer import Analyzer, prepare_model
from kronfluence.arguments import FactorArguments, ScoreArguments
from kronfluence.task import Task
from kronfluence.utils.dataset import DataLoaderKwargs
from peft import PeftModel
from torch import Tensor, nn
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
)

Batch = Mapping[str, Tensor]
folder, out = Path(sys.argv[1]), sys.argv[2]
tokenizer = AutoTokenizer.from_pretrained(folder / "base")
base = AutoModelForSequenceClassification.from_pretrained(folder / "base")
model = PeftModel.from_pretrained(base, folder / "adapter", is_trainable=True).eval()
tracked = [
    name
    for name, module in model.named_modules()
    if isinstance(module, nn.Linear) and module.weight.requires_grad
]


class Classification(Task):
    """The summed loss of a batch, for training rows and queries alike."""

    def compute_train_loss(
        self, batch: Batch, model: nn.Module, sample: bool = False
    ) -> Tensor:
        """Use the true labels: this job asks for the empirical Fisher."""
        assert not sample
        given = {name: column for name, column in batch.items() if name != "labels"}
        logits = model(**given).logits
        return nn.functional.cross_entropy(logits, batch["labels"], reduction="sum")

    def compute_measurement(self, batch: Batch, model: nn.Module) -> Tensor:
        """The query's loss."""
        return self.compute_train_loss(batch, model)

    def get_influence_tracked_modules(self) -> list[str]:
        """What the adapter trains."""
        return tracked

    def get_attention_mask(self, batch: Batch) -> Tensor:
        """Padding is left out of the factors."""
        return batch["attention_mask"]


def tokens(part: str) -> Any:
    """The rows of a file, tokenised."""
    rows = Dataset.from_json(str(folder / f"{part}.jsonl"))
    rows = rows.map(lambda row: tokenizer(row["text"], truncation=True))
    return rows.rename_column("label", "labels").remove_columns("text")


train, queries = tokens("train"), tokens("queries")
with tempfile.TemporaryDirectory() as place:
    task = Classification()
    analyzer = Analyzer(
        "job", prepare_model(model, task), task, cpu=True, output_dir=place
    )
    collate = DataCollatorWithPadding(tokenizer)
    analyzer.set_dataloader_kwargs(DataLoaderKwargs(collate_fn=collate))
    analyzer.fit_all_factors(
        "factors",
        dataset=train,
        per_device_batch_size=32,
        factor_args=FactorArguments(strategy="ekfac", use_empirical_fisher=True),
    )
    analyzer.compute_pairwise_scores(
        "scores",
        factors_name="factors",
        query_dataset=queries,
        train_dataset=train,
        per_device_query_batch_size=len(queries),
        per_device_train_batch_size=32,
        score_args=ScoreArguments(damping_factor=None),  # 0.1 × mean eigenvalue
    )
    scores = analyzer.load_pairwise_scores("scores")["all_modules"].numpy()
np.save(out, scores)
print(np.argsort(-scores[0])[:10])
