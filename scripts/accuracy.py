"""Say which share of a file's rows a trained classifier gets right.

python -m scripts.accuracy my-classifier val.tsv
"""

import argparse
import sys
from collections import Counter
from typing import Any

import torch

from datainf.core.run_config import DataConfig
from datainf.integrations.examples import load_examples
from datainf.workflows.run_file import resolve
from datainf.workflows.subject import load_subject

BATCH = 50


@torch.no_grad()
def main(arguments: list[str] | None = None) -> None:
    """Print that share, and the share of the largest class."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("adapter", help="a folder that `datainf train` wrote")
    parser.add_argument("data", help="a file with labels that can be trusted")
    given = parser.parse_args(arguments)
    subject = load_subject(resolve({"adapter": given.adapter}))
    task: Any = subject.task
    rows = list(load_examples(DataConfig(data=given.data)))
    right = 0
    for start in range(0, len(rows), BATCH):
        batch = dict(task.collate(rows[start : start + BATCH]))
        labels = batch.pop("labels")
        right += int((subject.model(**batch).logits.argmax(dim=1) == labels).sum())
    counts = Counter(task.label_of(row) for row in rows)
    print(f"accuracy       {right / len(rows):.3f}")
    print(f"largest class  {max(counts.values()) / len(rows):.3f}")


if __name__ == "__main__":
    sys.exit(main())
