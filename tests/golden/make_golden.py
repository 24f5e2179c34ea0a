"""Writes the golden files: `python -m tests.golden.make_golden`.

They are kept for ever: one that is there is never written again. A new format version
gets new files beside the old ones. `contracts.json` alone changes with its contract:
remove it first.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from datainf.core.canonical import canonical_json
from datainf.core.options import CollectOptions, ScoreOptions
from datainf.core.recipe import Recipe
from datainf.core.records import Provenance, Scores
from datainf.core.run_config import DataConfig, RunConfig
from datainf.core.store_dtype import StoreDtype
from datainf.store.lock import LOCK_NAME
from datainf.workflows.run_file import write_run
from tests.golden.contracts import frozen
from tests.store.stores import write_store

FOLDER = Path(__file__).parent
CONTRACTS = FOLDER / "contracts.json"
RUN = FOLDER / "run-v1.yaml"
SCORES = FOLDER / "scores-v1"

RUN_VALUE = RunConfig(
    model="base/naïve",
    adapter="adapter",
    precision="bfloat16",
    task={"name": "causal-lm", "columns": {"prompt": "q"}, "max_length": None},
    train=DataConfig(data="train.jsonl", split="train", limit=7, flip_labels=0.2),
    queries=DataConfig(data="q.jsonl", truth="gt"),
    collect=CollectOptions(
        dtype="bf16", batch_tokens=4096, shard_rows=11, store_text=False
    ),
    score=ScoreOptions(method="lissa", options={"steps": 5}, blocks="layer"),
    recipe=Recipe(
        peft={"r": 4, "target_modules": ["q_proj"]},
        training={"learning_rate": 0.001},
        seed=3,
    ),
    out="runs/x",
)

SCORES_VALUE = Scores(
    values=np.arange(-7, 8, dtype=np.float32).reshape(3, 5) / 8,
    groups=("h.0.q.lora_A.weight", "h.0.q.lora_B.weight"),
    residual=np.array([[0.0, 0.5], [0.25, 1.0], [np.nan, np.nan]]),
    scale=np.array([[1.0, 2.0], [0.5, 0.0], [np.nan, np.nan]]),
    provenance=Provenance(
        "lissa",
        {"damping": 0.1, "steps": 5},
        "0.1.0",
        {"train": {"base": "b"}},
        ("converged.",),
    ),
    train=pd.DataFrame({"index": [0, 1, 2, 3, 5], "text": [*"abcd", "naïve ☃"]}),
    queries=pd.DataFrame({"index": [0, 1, 2]}),
)


def golden_store(dtype: StoreDtype) -> Path:
    """Name the golden store of a number format."""
    return FOLDER / f"store-v1-{dtype}"


def main() -> None:
    """Write the files that are not there."""
    for dtype in StoreDtype:
        path = golden_store(dtype)
        if not path.exists():
            write_store(path, dtype)
            (path / LOCK_NAME).unlink()
    if not CONTRACTS.exists():
        CONTRACTS.write_text(canonical_json(frozen()), encoding="utf-8")
    if not RUN.exists():
        write_run(RUN_VALUE, RUN)
    if not SCORES.exists():
        SCORES_VALUE.save(SCORES)


if __name__ == "__main__":
    main()
