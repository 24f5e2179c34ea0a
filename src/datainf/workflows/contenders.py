"""The scores that are judged: methods with their options, saved scores, baselines.

A method is written as its name and options, `/` standing between alternatives:

    exact:damping=1/10,normalize=none/example     four sets of scores
    lissa:steps=50
    trak, less, tracin                            of margins, and along the training
    random, loss, tfidf                           what scores have to beat
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datainf.core.errors import DataError, OptionError, StoreError
from datainf.core.options import Output
from datainf.core.records import Scores
from datainf.estimators.base import Estimator
from datainf.evaluation.baselines import random_scores, tfidf_scores
from datainf.store.reader import GradientStore
from datainf.workflows.attribute import check_scoring
from datainf.workflows.checkpoints import Several
from datainf.workflows.ground import Ground
from datainf.workflows.pair import Pair
from datainf.workflows.score import score

DEFAULT_METHODS = (
    "dot:normalize=none/block",
    "scaled-dot",
    "cosine",
    "datainf:damping=0.1/1/10,normalize=none/example/block",
    "exact:damping=0.1/1/10/100,normalize=none/example/block",
    "tfidf",
    "loss",
    "random",
)
"""What is judged when nothing is said."""

BASELINES = ("tfidf", "loss", "random")


@dataclass(frozen=True)
class Contender:
    """One way to make scores.

    Attributes:
        name: As it is listed.
        method: A method's or baseline's name.
        options: Options of `score`.
    """

    name: str
    method: str
    options: dict[str, Any]

    @property
    def estimator(self) -> Estimator:
        """The method; of a baseline `dot`, whose stores hold what it looks at."""
        if self.method in BASELINES:
            return check_scoring("dot", {})
        return check_scoring(self.method, self.options)


def contenders(specs: Sequence[str]) -> list[Contender]:
    """Read what is to be judged, and check it.

    Args:
        specs: As described above.

    Returns:
        Every combination once, in order.

    Raises:
        OptionError: If a text cannot be read, or an option is none of the method's.

    Examples:
        >>> [one.name for one in contenders(["exact:damping=1/10", "random"])]
        ['exact:damping=1', 'exact:damping=10', 'random']
    """
    found: dict[str, Contender] = {}
    for spec in specs:
        method, colon, rest = str(spec).partition(":")
        choices: dict[str, list[str]] = {}
        for text in rest.split(",") if colon else []:
            key, equals, values = text.partition("=")
            if not equals or not key or not values:
                raise OptionError(
                    f"method {spec!r} must be a name, or name:option=value with commas "
                    "between options and / between values, such as "
                    "exact:damping=1/10,normalize=none/example."
                )
            choices[key.strip()] = values.split("/")
        for chosen in itertools.product(*choices.values()):
            words = dict(zip(choices, chosen, strict=True))
            said = ",".join(f"{key}={value}" for key, value in words.items())
            name = f"{method}:{said}" if said else method
            options = {key: _value(value) for key, value in words.items()}
            if method not in BASELINES:
                if "fisher" in options:
                    raise OptionError(
                        f"{spec}: evaluate collects gradients at the examples' own "
                        "labels only; score with fisher='sampled' first, and give "
                        "the scores with --scores."
                    )
                check_scoring(method, options)
            elif options:
                raise OptionError(f"{method} has no options, got {said}.")
            found[name] = Contender(name, method, options)
    return list(found.values())


def _value(text: str) -> Any:
    """Read a number or a truth where the text is one."""
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def scores_of(
    one: Contender, ground: Ground, stores: Pair | Several
) -> NDArray[np.floating]:
    """Make the scores of one contender.

    Args:
        one: Which.
        ground: The data.
        stores: Its gradients.

    Returns:
        `[Q, N]`, negative = proponent; 0 for examples that the store leaves out.

    Raises:
        DataError: If the store leaves out queries.
        OptionError: If losses are wanted of a store of margins.
    """
    shape = (len(ground.queries.table), len(ground.train.table))
    if one.method == "random":
        return random_scores(*shape, seed=ground.options.subset_seed)
    if one.method == "tfidf":
        return tfidf_scores(
            list(ground.train.table["text"]), list(ground.queries.table["text"])
        )
    if len(stores.queries) != shape[0]:
        raise DataError(
            f"{shape[0] - len(stores.queries)} of {shape[0]} queries have no gradient; "
            "leave them out of the queries."
        )
    made = np.zeros(shape)
    if one.method == "loss":
        output = stores.train.manifest.options.output
        if output == Output.MARGIN:
            raise OptionError(
                "loss ranks by the examples' losses, and these gradients are of their "
                "margins; leave --output margin out (trak takes margins by itself), or "
                "leave loss out."
            )
        made[:, stores.train.index] = _losses(stores.train)
    else:
        scores = score(**stores.sources, method=one.method, **one.options)
        made[:, stores.train.index] = scores.values
    return made


def _losses(store: GradientStore) -> NDArray[np.floating]:
    """Take the loss of each row as its suspicion, the same for every query."""
    return np.asarray(store.losses, dtype=np.float64)


def saved_scores(
    folders: Sequence[str], ground: Ground
) -> Iterator[tuple[str, NDArray[np.floating]]]:
    """Read saved scores of this data.

    Args:
        folders: Of `Scores.save`, or of runs that hold `scores/`.
        ground: The data they must be of.

    Yields:
        A name, and `[Q, N]`.

    Raises:
        StoreError: If scores are of other rows.
    """
    hashes = ground.retrained.about
    for folder in folders:
        path = Path(folder)
        inner = path / "scores"
        scores = Scores.load(inner if inner.is_dir() else path)
        for side, rows in (("train", ground.train), ("queries", ground.queries)):
            index = getattr(scores, side)["index"].to_numpy()
            source = scores.provenance.sources.get(side, {})
            count = len(rows.table)
            known = source.get("data", hashes[side])
            if known != hashes[side] or not np.array_equal(index, np.arange(count)):
                raise StoreError(
                    f"{folder} holds scores of other {side} rows than this run's "
                    f"{count}; score them again, or give the data they were made of."
                )
        yield folder, scores.values
