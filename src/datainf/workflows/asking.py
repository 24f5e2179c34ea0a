"""Asking: the sources of one new query after another, of a finished run.

The run's own gradients of the training rows are opened, never collected again; those of
a query are collected in a folder that is gone afterwards, and scored as the run was:
method, damping, blocks, normalisation, Fisher, checkpoints. Whatever is not as it was
when the run was made (data, base, adapter, task, stores) is refused before the first
query.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from datainf.core.checkpoint import Checkpoint
from datainf.core.encodable import encodable
from datainf.core.errors import (
    AdapterError,
    DatainfWarning,
    OptionError,
    StoreError,
)
from datainf.core.identity import Identity
from datainf.core.options import CollectOptions, Fisher
from datainf.core.questions import Answer, Field
from datainf.core.records import Scores
from datainf.core.task import Example, PicturedTask
from datainf.integrations.checkpoints import loaded
from datainf.integrations.fingerprint import identify
from datainf.integrations.peft import adapter_of
from datainf.integrations.tasks.images import open_image, thumbnail
from datainf.integrations.tasks.outputs import with_output
from datainf.store.reader import GradientStore, open_store
from datainf.workflows.attribute import check_scoring, take_fisher
from datainf.workflows.checkpoints import checkpoint_facts, chosen_checkpoints
from datainf.workflows.collect import collect
from datainf.workflows.finished import Finished, open_finished
from datainf.workflows.fisher import curvature_name
from datainf.workflows.pair import TRAIN
from datainf.workflows.pictures import pictures
from datainf.workflows.progress import Logged, Reporter
from datainf.workflows.questions.base import Question
from datainf.workflows.questions.table import question_of
from datainf.workflows.score import score
from datainf.workflows.scoring import scoring_of

_WIDE = 384
"""Pixels along the longer side of a query's own picture."""


@dataclass(frozen=True)
class _Held:
    """Gradients of the training rows at one state of the adapter.

    Attributes:
        train: At the rows' own labels.
        curvature: At drawn labels, where the run's Fisher is sampled.
        checkpoint: The state's folder; None for the adapter as it is.
        facts: What a checkpoint has beside gradients.
    """

    train: GradientStore
    curvature: GradientStore | None = None
    checkpoint: Path | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Asking:
    """A finished run that answers queries, one at a time.

    Attributes:
        run: The run.
        question: What can be asked of it.
        held: Its gradients, at one state of the adapter or at several.
        table: What is known of the training rows: `index`, `text`, further columns.
        folder: Where drawn pictures are kept while it is asked.
    """

    run: Finished
    question: Question
    held: Sequence[_Held]
    table: pd.DataFrame
    folder: Path

    @property
    def name(self) -> str:
        """The run's folder."""
        return str(self.run.folder)

    @property
    def scores(self) -> Scores:
        """What the run itself scored."""
        return self.run.scores

    @property
    def fields(self) -> tuple[Field, ...]:
        """What a query is made of."""
        return self.question.fields

    def ask(self, given: Mapping[str, Any], k: int = 10) -> Answer:
        """Find the sources of a query.

        Args:
            given: Name of a field -> its value. What is left out, empty or None is
                what the adapter itself says.
            k: At either end, how many rows get their pictures.

        Returns:
            Scores `[1, N]`, and what belongs to them.

        Raises:
            OptionError: If a field is unknown, or one is empty that is needed.
        """
        names = [one.name for one in self.fields]
        for name in given:
            if name not in names:
                raise OptionError(
                    f"a query of this run has no {name!r}; it has {', '.join(names)}."
                )
        filled = {n: value for n, value in given.items() if not _is_empty(value)}
        for one in self.fields:
            if one.needed and one.name not in filled:
                raise OptionError(f"{one.label} is empty; without it nothing is asked.")
        task = self.run.subject.task
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", DatainfWarning)
            posed = self.question.posed(filled, self.folder)
            scores = self._scored(posed.example).with_rows(train=self.table)
            rows = [posed.example]
            drawn = pictures(scores, task, self.run.dataset, rows, k=k)
        return Answer(
            scores,
            query=encodable(task.describe(posed.example)),
            said=posed.said,
            picture=_picture(task, posed.example),
            pictures=drawn,
            warnings=tuple(dict.fromkeys(str(one.message) for one in told)),
        )

    def _scored(self, example: Example) -> Scores:
        """Collect the query at every state of the adapter, and score it."""
        config, subject = self.run.config, self.run.subject
        scoring = scoring_of(config.score)
        scoring.pop("fisher", None)
        found = []
        with TemporaryDirectory(dir=self.folder) as place:
            for number, held in enumerate(self.held):
                with _as_collected(subject.model, held):
                    store = collect(
                        subject.model,
                        [example],
                        subject.task,
                        out=Path(place) / str(number),
                        progress=Logged(),
                        **asdict(_of_queries(config.collect)),
                    )
                found.append((held, store))
            if self.held[0].checkpoint is None:
                ((held, store),) = found
                return score(
                    held.train,
                    store,
                    curvature=held.curvature,
                    method=config.score.method,
                    **scoring,
                )
            return score(
                [
                    Checkpoint(
                        train=held.train,
                        queries=store,
                        curvature=held.curvature,
                        **held.facts,
                    )
                    for held, store in found
                ],
                method=config.score.method,
                **scoring,
            )


@contextmanager
def asking(run: str | Path, progress: Reporter | None = None) -> Iterator[Asking]:
    """Open a finished run for queries.

    Args:
        run: Folder of `datainf attribute` or `datainf mislabeled`.
        progress: Told how far it is.

    Yields:
        What answers them.

    Raises:
        AdapterError: If its adapter cannot be loaded any more.

    Examples:
        >>> with asking("runs/eiffel") as run:  # doctest: +SKIP
        ...     found = run.ask({"prompt": "Where is the Eiffel Tower?"})
        ...     found.said.text, found.scores.top(5)
    """
    try:
        found = open_finished(run, progress or Logged())
    except AdapterError as error:
        raise AdapterError(
            f"{run} cannot be asked without its adapter: {error}"
        ) from error
    subject = found.subject
    question = question_of(subject.model, subject.task, found.dataset)
    held = _opened(found)
    for one in held:
        with _as_collected(subject.model, one):
            _require_as_collected(found, one)
    with TemporaryDirectory(prefix="datainf-") as folder:
        yield Asking(found, question, held, _described(found), Path(folder))


def _opened(run: Finished) -> list[_Held]:
    """Open the gradients that the run collected, at each state that it scored.

    Returns:
        At least one.

    Raises:
        StoreError: If they are not there, unfinished, or others than were scored.
    """
    config, subject = run.config, run.subject
    options = scoring_of(config.score)
    estimator = check_scoring(config.score.method, options)
    saved = chosen_checkpoints(
        estimator,
        config.checkpoints,
        config.checkpoint_limit,
        adapter=None if config.queries is None else config.adapter,
    )
    fisher = take_fisher(options, estimator, config.collect, over=saved is not None)

    def stores(place: Path) -> dict[str, GradientStore]:
        names = {"train": TRAIN}
        if fisher == Fisher.SAMPLED:
            names["curvature"] = curvature_name(config.collect)
        for name in names.values():
            if not (place / name).is_dir():
                raise StoreError(
                    f"{run.folder} has no gradients of its training rows any more: "
                    f"{place / name} is not there; run it again."
                )
        return {key: open_store(place / name) for key, name in names.items()}

    if saved is None:
        held = [_Held(**stores(run.folder))]
    else:
        adapter = adapter_of(subject.model, None, config.collect.parameters)
        facts = checkpoint_facts(subject.model, adapter, saved, estimator)
        held = [
            _Held(**stores(run.folder / one.name), checkpoint=one, facts=about)
            for one, about in zip(saved, facts, strict=True)
        ]
    scored = Identity.from_dict(run.scores.provenance.sources["train"])
    differ = scored.differences(held[0].train.identity)
    if differ:
        raise StoreError(
            f"{held[0].train.path} is not what {run.folder} scored: "
            f"{'; '.join(differ)}; run it again."
        )
    return held


def _require_as_collected(run: Finished, held: _Held) -> None:
    """Refuse a base, adapter or task other than the gradients were collected with."""
    model, options = run.subject.model, _of_queries(run.config.collect)
    adapter = adapter_of(model, None, options.parameters)
    task = with_output(run.subject.task, options, model)
    differ = held.train.identity.differences(
        identify(model, adapter, task, (), {}), data=False
    )
    if differ:
        named = run.config.adapter if held.checkpoint is None else held.checkpoint
        raise StoreError(
            f"{named} is not what {run.folder} was collected with: "
            f"{'; '.join(differ)}; put it back, or run it again."
        )


def _as_collected(model: Any, held: _Held) -> AbstractContextManager[None]:
    """Put the state of the adapter into the model, for the scope."""
    if held.checkpoint is None:
        return nullcontext()
    return loaded(model, adapter_of(model).name, held.checkpoint)


def _of_queries(options: CollectOptions) -> CollectOptions:
    """Say how queries are collected: at their own labels, nothing reused."""
    return replace(options, reuse=None, factors=False, samples=1, sample_seed=0)


def _described(run: Finished) -> pd.DataFrame:
    """Give what is known of the training rows, their texts too where none were kept."""
    table = run.scores.train
    if "text" in table:
        return table
    task, dataset = run.subject.task, run.dataset
    texts = [encodable(task.describe(dataset[int(i)])) for i in run.index]
    return table.assign(text=texts)


def _picture(task: Any, example: Example) -> bytes | None:
    """Draw the query's own picture, larger than those of the rows."""
    if not isinstance(task, PicturedTask):
        return None
    column: str = getattr(task, "image_column", "image")
    return thumbnail(open_image(example[column], column), _WIDE)


def _is_empty(value: Any) -> bool:
    """Say whether a field was left empty."""
    return value is None or (isinstance(value, str | list) and not value)
