"""`ekfac` ranks as kronfluence's EK-FAC does, on the same LoRA modules and Fisher.

On the adapter of `small_adapter.py`. Both sides take the empirical Fisher, the same
mask of attention, and a damping of 0.1 × the mean eigenvalue of each module.
kronfluence is installed into an environment of its own (`rival.py`).
"""

import random
import tempfile
import time
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

import datainf
from benchmarks import small_adapter
from benchmarks.rival import beside, spearman

RIVAL = ("kronfluence==1.0.1", "einops==0.8.2", "opt_einsum==3.4.0", "einconv==0.1.0")
TRAIN, QUERIES = 300, 20
LEAST = 0.99


def main() -> None:
    """Run in this environment if kronfluence is here, else in one that has it."""
    beside(RIVAL, "kronfluence", "benchmarks.bench_kronfluence", compare)


def ours(
    model: Any, task: Any, train: list[Any], queries: list[Any], method: str
) -> NDArray[np.floating]:
    """Score by LoRA's matrices alone: the head's bias is no module of its own there."""
    scores = datainf.attribute(
        model, train, queries, task, method=method, keep_blocks=True
    )
    assert scores.per_block is not None
    kept = ["lora_" in name for name in scores.groups]
    return scores.per_block[kept].sum(axis=0)


def theirs(
    model: nn.Module, task: Any, train: list[Any], queries: list[Any], strategy: str
) -> NDArray[np.floating]:
    """Score by kronfluence; its sign is the other one."""
    from kronfluence.analyzer import Analyzer, prepare_model
    from kronfluence.arguments import FactorArguments, ScoreArguments
    from kronfluence.task import Task
    from kronfluence.utils.dataset import DataLoaderKwargs

    names = [n for n, m in model.named_modules() if _is_lora(n, m)]

    class Same(Task):  # type: ignore[misc]
        def compute_train_loss(
            self, batch: Mapping[str, Any], model: nn.Module, sample: bool = False
        ) -> torch.Tensor:
            assert not sample
            found: torch.Tensor = task.losses(model, batch).sum()
            return found

        def compute_measurement(
            self, batch: Mapping[str, Any], model: nn.Module
        ) -> torch.Tensor:
            return self.compute_train_loss(batch, model)

        def get_influence_tracked_modules(self) -> list[str]:
            return names

        def get_attention_mask(self, batch: Mapping[str, Any]) -> torch.Tensor:
            found: torch.Tensor = batch["attention_mask"]
            return found

    with tempfile.TemporaryDirectory() as folder:
        prepared = prepare_model(model, Same())
        analyzer = Analyzer(
            "bench", prepared, Same(), cpu=True, output_dir=folder, disable_tqdm=True
        )
        analyzer.set_dataloader_kwargs(DataLoaderKwargs(collate_fn=task.collate))
        analyzer.fit_all_factors(
            "f",
            dataset=train,
            per_device_batch_size=16,
            factor_args=FactorArguments(strategy=strategy, use_empirical_fisher=True),
        )
        analyzer.compute_pairwise_scores(
            "s",
            factors_name="f",
            query_dataset=queries,
            train_dataset=train,
            per_device_query_batch_size=10,
            per_device_train_batch_size=16,
            # None is 0.1 × the mean eigenvalue; its default of 1e-8 is another method.
            score_args=ScoreArguments(damping_factor=None),
        )
        found = analyzer.load_pairwise_scores("s")["all_modules"]
    return -found.double().numpy()


def _is_lora(name: str, module: nn.Module) -> bool:
    return isinstance(module, nn.Linear) and "lora_" in name


def compare() -> None:
    """Print the correlation of every query's ranking, and assert that it is high."""
    draw = random.Random(small_adapter.SEED)
    train, queries = (small_adapter.examples(n, draw) for n in (TRAIN, QUERIES))
    task = small_adapter.task()
    model = small_adapter.trained(task, train)
    print(f"N={TRAIN} Q={QUERIES} threads={torch.get_num_threads()}")
    table = {}
    for method, strategy in (("dot", "identity"), ("ekfac", "ekfac")):
        start = time.perf_counter()
        mine = ours(model, task, train, queries, method)
        between = time.perf_counter()
        table[method] = mine
        rival = theirs(
            small_adapter.trained(task, train), task, train, queries, strategy
        )
        ended = time.perf_counter()
        found = spearman(mine, rival)
        print(
            f"{method} against {strategy}: Spearman a query  median "
            f"{np.median(found):.5f}  least {found.min():.5f}  largest difference "
            f"{np.abs(mine - rival).max() / np.abs(rival).max():.1e} of the largest "
            f"score  seconds {between - start:.1f} and {ended - between:.1f}"
        )
        print("  each query: " + " ".join(f"{one:.4f}" for one in found))
        assert found.min() >= LEAST, found.min()
    apart = spearman(table["ekfac"], table["dot"])
    print(f"ekfac against our own dot: median {np.median(apart):.3f}, for comparison")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
