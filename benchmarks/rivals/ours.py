"""This library: any of its methods, by name."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from peft import PeftModel
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import datainf

folder, out, method = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
train, queries = (
    pd.read_json(folder / f"{part}.jsonl", lines=True).to_dict("records")
    for part in ("train", "queries")
)
base = AutoModelForSequenceClassification.from_pretrained(folder / "base")
model = PeftModel.from_pretrained(base, folder / "adapter")
task = datainf.SequenceClassification(AutoTokenizer.from_pretrained(folder / "base"))
# TRAK is made of other gradients than the rest, and this is its own width.
trak: dict[str, Any] = {"projection": 2048, "output": "margin"}
options = trak if method == "trak" else {}
scores = datainf.attribute(model, train, queries, task, method=method, **options)
np.save(out, scores.values)
print(scores.top(10).head(10))
