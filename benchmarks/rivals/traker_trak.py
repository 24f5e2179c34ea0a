"""TRAK, with the projector that it takes on a CPU.

Its projection is drawn otherwise than ours: they rank as differently as two seeds of
ours do, which `bench_dattri_and_trak.py` prints; there both get the same features.
"""

import logging
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from peft import PeftModel
from torch import Tensor, nn
from trak import TRAKer
from transformers import AutoModelForSequenceClassification, AutoTokenizer

DAMPING, BATCH = 0.1, 16
folder, out = Path(sys.argv[1]), sys.argv[2]
tokenizer = AutoTokenizer.from_pretrained(folder / "base")
base = AutoModelForSequenceClassification.from_pretrained(
    folder / "base", attn_implementation="eager"
)


class Logits(nn.Module):
    """The model as TRAK's text task wants it: inputs by name, logits out."""

    def __init__(self) -> None:
        """Load the adapter."""
        super().__init__()
        self.model = PeftModel.from_pretrained(
            base, folder / "adapter", is_trainable=True
        )

    def forward(
        self, input_ids: Tensor, token_type_ids: Tensor, attention_mask: Tensor
    ) -> Tensor:
        """Give the logits."""
        logits: Tensor = self.model(
            input_ids=input_ids,
            token_type_ids=token_type_ids,
            # In four dimensions it stays as it is; else it is looked into under vmap.
            attention_mask=(1.0 - attention_mask)[:, None, None] * torch.finfo().min,
        ).logits
        return logits


model = Logits().eval()
trained = [name for name, p in model.named_parameters() if p.requires_grad]
train, queries = (
    pd.read_json(folder / f"{part}.jsonl", lines=True) for part in ("train", "queries")
)


def batches(rows: pd.DataFrame) -> Iterator[tuple[Tensor, ...]]:
    """Rows in batches, each padded to its longest."""
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        words = tokenizer(
            list(part["text"]), padding=True, truncation=True, return_tensors="pt"
        )
        yield (
            words["input_ids"],
            words["token_type_ids"],
            words["attention_mask"],
            torch.tensor(part["label"].to_numpy()),
        )


with tempfile.TemporaryDirectory() as place:
    traker = TRAKer(
        model,
        "text_classification",
        train_set_size=len(train),
        save_dir=place,
        device="cpu",
        proj_dim=2048,
        use_half_precision=False,
        grad_wrt=trained,
        logging_level=logging.ERROR,
    )
    state = model.state_dict()
    traker.load_checkpoint(state, model_id=0)
    for batch in batches(train):
        traker.featurize(batch, num_samples=len(batch[0]))
    # Without λ its system is singular: fewer rows than numbers a row.
    features = traker.saver.current_store["grads"]
    traker.score_computer.lambda_reg = DAMPING * float((features**2).sum(0).mean())
    traker.finalize_features()
    traker.start_scoring_checkpoint("job", state, 0, num_targets=len(queries))
    for batch in batches(queries):
        traker.score(batch, num_samples=len(batch[0]))
    scores = np.array(traker.finalize_scores("job")).T
np.save(out, scores)
print(np.argsort(-scores[0])[:10])
