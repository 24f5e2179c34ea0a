"""`dot`, `datainf`, `exact`, `cg`, `lissa`, `trak` score as dattri's and TRAK's do.

The gradients are the same, those of `small_adapter.py`. Rivals want a model and take
gradients themselves, so each gets one whose gradients are given: at w = 0 the loss

    ℓᵢ(w) = gᵢ·w + ½ (gᵢ·w)²

has the gradient gᵢ, and its mean has the Hessian (1/N) Σ gᵢ gᵢᵀ: the true Hessian that
dattri's solvers divide by is then the empirical Fisher of ours. What is left to differ
is the definition, and it is matched as said beside each line that is printed.
"""

import logging
import os
import random
import tempfile
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import datainf
from benchmarks import small_adapter
from benchmarks.rival import beside, spearman
from datainf.estimators.projected import projected
from datainf.estimators.table import build
from datainf.store.memory import InMemorySource

RIVALS = ("dattri==0.3.0", "traker==0.3.2")
TRAIN, QUERIES, WIDTH, DAMPING = 300, 20, 128, 0.1
CLOSE = 1e-5
Table = NDArray[np.floating]
Gradients = Mapping[str, Tensor]


def main() -> None:
    """Run in this environment if the rivals are here, else in one that has them."""
    os.environ["TQDM_DISABLE"] = "1"  # theirs stand between the lines
    beside(RIVALS, "dattri", "benchmarks.bench_dattri_and_trak", compare)


class Given(nn.Module):
    """A model whose parameters are w = 0."""

    def __init__(self, size: int) -> None:
        """Make w of `size` numbers."""
        super().__init__()
        self.w = nn.Parameter(torch.zeros(size))


def along(params: Mapping[str, Tensor], data: tuple[Tensor, ...]) -> Tensor:
    """gᵢ·w, of one row or of several."""
    return data[0] @ params["w"]


def curved(params: Mapping[str, Tensor], data: tuple[Tensor, ...]) -> Tensor:
    """The mean of ℓᵢ."""
    here = along(params, data)
    return (here + here.square() / 2).mean()


def loader(*columns: Tensor) -> Any:
    """All rows as one batch."""
    return DataLoader(TensorDataset(*columns), batch_size=len(columns[0]))


def by_dattri(solver: str, train: Tensor, queries: Tensor, **options: Any) -> Table:
    """Score one block with an attributor of dattri; its sign is the other one."""
    from dattri import algorithm
    from dattri.task import AttributionTask

    model = Given(train.shape[1])
    task = AttributionTask(curved, model, model.state_dict())
    attributor = getattr(algorithm, solver)(task, **options)
    if solver != "TracInAttributor":
        attributor.cache(loader(train))
    found = attributor.attribute(loader(train), loader(queries))
    return -found.T.detach().double().numpy()


def trak_by_dattri(
    train: tuple[Tensor, Tensor],
    queries: tuple[Tensor, Tensor],
    strength: float,
    **projector: Any,
) -> Table:
    """Score with dattri's TRAK: features and the probabilities of right outputs."""
    from dattri.algorithm import TRAKAttributor
    from dattri.task import AttributionTask

    count, size = train[0].shape
    model = Given(size)
    task = AttributionTask(along, model, model.state_dict())
    attributor = TRAKAttributor(
        task,
        lambda _, data: data[1],
        projector_kwargs=projector,
        regularization=strength * count / size,
    )
    attributor.cache(loader(*train))
    found = attributor.attribute(loader(*queries))
    # Theirs divide by ΦᵀΦ, and D times λ stands in what is scaled by 1/D.
    return -found.T.detach().double().numpy() * count


def trak_by_traker(
    train: tuple[Tensor, Tensor], queries: tuple[Tensor, Tensor], strength: float
) -> Table:
    """Score with TRAK's own TRAKer, without a projection; up to one factor for all."""
    from trak import TRAKer
    from trak.modelout_functions import AbstractModelOutput
    from trak.projectors import NoOpProjector

    class Output(AbstractModelOutput):  # type: ignore[misc]
        def __init__(self) -> None:
            pass

        def get_output(self, _model: Any, weights: Any, _: Any, *row: Tensor) -> Tensor:
            return along(weights, row)

        def get_out_to_loss_grad(
            self, _model: Any, _weights: Any, _: Any, batch: tuple[Tensor, ...]
        ) -> Tensor:
            return (1 - batch[1])[:, None]

    count, size = train[0].shape
    model = Given(size)
    with tempfile.TemporaryDirectory() as folder:
        traker = TRAKer(
            model,
            Output(),
            count,
            save_dir=folder,
            device="cpu",
            projector=NoOpProjector(device="cpu"),
            use_half_precision=False,
            lambda_reg=strength * count / size,
            logging_level=logging.ERROR,
        )
        traker.load_checkpoint(model.state_dict(), model_id=0)
        traker.featurize(train, num_samples=count)
        traker.finalize_features()
        traker.start_scoring_checkpoint(
            "q", model.state_dict(), model_id=0, num_targets=len(queries[0])
        )
        traker.score(queries, num_samples=len(queries[0]))
        found = np.array(traker.finalize_scores("q"), dtype=np.float64)
    return -found.T


def tell(what: str, ours: Table, theirs: Table, matched: str) -> None:
    """Print how far apart two tables are, and assert that they are close."""
    gap = float(np.abs(ours - theirs).max() / np.abs(ours).max())
    print(f"{what:<44} {gap:.1e} of the largest score   ({matched})", flush=True)
    assert gap <= CLOSE, gap


def blocks_of(source: Any) -> dict[str, Tensor]:
    """Read a source into memory, `[N, d]` a block."""
    parts = list(source.rows())
    return {
        name: torch.cat([part.gradients[name].float() for part in parts])
        for name in source.layout.names
    }


def scored(method: str, train: Gradients, queries: Gradients, **options: Any) -> Table:
    """Score by ours, from the same numbers, block by block."""
    found = datainf.score(
        InMemorySource(train), InMemorySource(queries), method=method, **options
    )
    return found.values.astype(np.float64)


def compare() -> None:
    """Print every comparison, and assert those that should be equal."""
    draw = random.Random(small_adapter.SEED)
    rows, asked = (small_adapter.examples(n, draw) for n in (TRAIN, QUERIES))
    task = small_adapter.task()
    model = small_adapter.trained(task, rows)
    print(f"N={TRAIN} Q={QUERIES} threads={torch.get_num_threads()}")
    with tempfile.TemporaryDirectory() as name:
        stores = {
            (which, output): datainf.collect(
                model, part, task, out=Path(name) / f"{which}-{output}", output=output
            )
            for which, part in (("train", rows), ("queries", asked))
            for output in ("loss", "margin")
        }
        by_gradients(
            blocks_of(stores["train", "loss"]), blocks_of(stores["queries", "loss"])
        )
        by_features(stores["train", "margin"], stores["queries", "margin"])


def by_gradients(train: Gradients, queries: Gradients) -> None:
    """Compare what is made of gradients of the loss."""
    whole, whole_asked = (
        torch.cat(list(part.values()), dim=1) for part in (train, queries)
    )
    ones: dict[str, Any] = {
        "weight_list": torch.ones(1),
        "normalized_grad": False,
        "projector_kwargs": {"proj_type": "identity"},  # else to 512 numbers
    }
    theirs = by_dattri("TracInAttributor", whole, whole_asked, **ones)
    tell("dot against dattri's TracIn", scored("dot", train, queries), theirs, "sign")
    ones["normalized_grad"] = True
    theirs = by_dattri("TracInAttributor", whole, whole_asked, **ones)
    tell(
        "cosine against the same, normalised",
        scored("cosine", train, queries),
        theirs,
        "sign",
    )

    estimator = build("datainf", damping=DAMPING)
    damping = estimator.fit(InMemorySource(train)).damping
    start = time.perf_counter()
    mine = scored("datainf", train, queries, damping=DAMPING)
    between = time.perf_counter()
    table = sum(
        by_dattri(
            "IFAttributorDataInf", train[n], queries[n], regularization=damping[n]
        )
        for n in train
    )
    ended = time.perf_counter()
    assert not isinstance(table, int)
    tell("datainf against dattri's DataInf", mine, table, "sign; our λ, block by block")
    print(f"  seconds {between - start:.2f} and {ended - between:.2f}")

    name = next(n for n in train if "lora_A" in n)
    of_block(train[name], queries[name], damping[name])


def of_block(train: Tensor, queries: Tensor, strength: float) -> None:
    """Compare the solvers, on one block, at one λ."""
    scale = float(torch.linalg.matrix_norm(train, 2)) ** 2 / len(train) + strength
    regular = {"regularization": strength}
    # Every row in each step, so that nothing is drawn at random.
    all_rows = {"batch_size": len(train), "recursion_depth": 10, "scaling": scale}
    for method, own, solver, options in (
        ("exact", {}, "IFAttributorExplicit", regular),
        ("cg", {"tolerance": 1e-7}, "IFAttributorCG", {"max_iter": 400, **regular}),
        (
            "lissa",
            {"steps": 10, "scale": scale},
            "IFAttributorLiSSA",
            {**all_rows, "damping": strength / scale},
        ),
    ):
        theirs = by_dattri(solver, train, queries, **options)
        mine = scored(method, {"a": train}, {"a": queries}, damping=DAMPING, **own)
        what = f"{method} against dattri's {solver.removeprefix('IFAttributor')}"
        tell(f"{what}, one block", mine, theirs, "sign; our λ")


def by_features(train: Any, queries: Any) -> None:
    """Compare what is made of projected gradients of the margin."""
    features, asked = (
        blocks_of(projected(part, WIDTH, seed=0))["all"] for part in (train, queries)
    )
    margins, asked_margins = (
        torch.from_numpy(np.asarray(part.losses)) for part in (train, queries)
    )
    right = features, torch.sigmoid(margins).float()
    right_asked = asked, torch.sigmoid(asked_margins).float()
    mine = datainf.score(
        InMemorySource({"all": features}, losses=margins),
        InMemorySource({"all": asked}),
        method="trak",
        damping=DAMPING,
    ).values.astype(np.float64)
    strength = DAMPING * float(features.double().square().mean())
    theirs = trak_by_dattri(right, right_asked, strength, proj_type="identity")
    tell("trak against dattri's, same features", mine, theirs, "sign; 1/N; our λ")
    theirs = trak_by_traker(right, right_asked, strength)
    theirs *= np.abs(mine).max() / np.abs(theirs).max()
    tell("trak against TRAK's, same features", mine, theirs, "sign; one factor; our λ")

    whole, whole_asked = (
        torch.cat(list(blocks_of(part).values()), dim=1) for part in (train, queries)
    )
    own: dict[str, Any] = {"proj_type": "normal", "proj_dim": WIDTH, "proj_seed": 0}
    theirs = trak_by_dattri(
        (whole, right[1]), (whole_asked, right_asked[1]), strength, **own
    )
    seeds = [
        datainf.score(
            train, queries, method="trak", damping=DAMPING, projection=WIDTH, seed=seed
        ).values
        for seed in (0, 1)
    ]
    print(
        f"Spearman a query with projections of their own to {WIDTH} numbers: ours "
        f"against dattri's {np.median(spearman(seeds[0], theirs)):.3f}, two seeds of "
        f"ours {np.median(spearman(*seeds)):.3f}"
    )


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
