"""Write scores by features that are no option of the library, to judge by retraining.

    python -m scripts.features RUN OUT
    datainf evaluate lds ... --scores OUT/lengths-0.5 --scores OUT/loss ...

RUN is the folder of a finished `datainf evaluate lds`, with its gradient stores. What
helps on more than one data set becomes an option; the rest stays here. g is a training
gradient, v a query's, lengths are over all blocks.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from datainf.core.records import Provenance, Scores
from datainf.store.reader import GradientStore, open_store

Gradients = dict[str, Tensor]


def read(store: GradientStore) -> Gradients:
    """Read all gradients, `[n, d]` a block, in float64."""
    parts = list(store.rows())
    return {
        name: torch.cat([part.gradients[name].double() for part in parts])
        for name in store.layout.names
    }


def length(rows: Gradients) -> Tensor:
    """Lengths over all blocks."""
    return torch.stack([(g**2).sum(1) for g in rows.values()]).sum(0).sqrt()


def dot(queries: Gradients, rows: Gradients) -> Tensor:
    """Minus the products."""
    return -torch.stack([queries[name] @ rows[name].T for name in rows]).sum(0)


def features(train: Gradients, queries: Gradients, losses: Tensor) -> dict[str, Tensor]:
    """Make every set of scores, `[Q, N]`.

    Args:
        train: Training gradients.
        queries: The queries'.
        losses: The training rows' losses.

    Returns:
        Name -> scores.
    """
    plain, norm = dot(queries, train), length(train)
    unit = {name: g / norm[:, None] for name, g in train.items()}
    found = {f"lengths-{p}": plain / norm**p for p in (0.5, 0.75, 1.25, 1.5)}
    # p of the right class is e^-loss, and the gradient of the loss (1 - p) times that
    # of the margin.
    found["margin"] = plain / (1 - torch.exp(-losses))
    found["unit-times-loss"] = plain / norm * losses
    mean = {name: g.mean(0) for name, g in unit.items()}
    found["unit-centred"] = dot(queries, {n: unit[n] - mean[n] for n in unit})
    squares = {name: (g**2).mean(0) for name, g in train.items()}
    for power in (0.25, 0.5, 1.0):  # 0.5: what Adam divides by
        weight = {
            name: 1 / (s**power + 1e-2 * s.mean() ** power)
            for name, s in squares.items()
        }
        weighed = {name: v * weight[name] for name, v in queries.items()}
        found[f"moment-{power}"] = dot(weighed, train)
        found[f"moment-{power}-unit"] = found[f"moment-{power}"] / norm
    for which in ("lora_A", "lora_B", "classifier"):
        part = {name: g for name, g in train.items() if which in name}
        if part:
            found[f"unit-{which}"] = dot(queries, part) / length(part)
    return found


def main() -> None:
    """Read the stores of a run and save one folder a feature."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    train = open_store(given.run / "train")
    queries = open_store(next(given.run.glob("queries-*")))
    made = features(read(train), read(queries), torch.from_numpy(train.losses).double())
    nothing = np.full((len(queries), 1), np.nan)
    for name, values in made.items():
        scores = Scores(values.numpy(), ("all",), nothing, nothing, Provenance(name))
        scores.save(given.out / name)
    print(*made)


if __name__ == "__main__":
    main()
