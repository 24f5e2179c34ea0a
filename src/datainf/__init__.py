"""Which training examples made a LoRA-tuned model behave as it does.

    scores = datainf.attribute(model, train, queries, datainf.CausalLM(tokenizer))
    scores.top(5)

Every public name is here. Names are loaded when they are first used, so that importing
the package is fast: torch and transformers come in with the first name that needs them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from datainf.__about__ import __version__

if TYPE_CHECKING:
    from datainf.core.checkpoint import Checkpoint, Moments
    from datainf.core.errors import (
        AdapterError,
        DataError,
        DatainfError,
        DatainfWarning,
        MemoryLimitError,
        NonFiniteError,
        OptionError,
        StoreBusyError,
        StoreError,
    )
    from datainf.core.pictures import Pictures
    from datainf.core.recipe import Recipe
    from datainf.core.records import Scores
    from datainf.core.source import GradientSource
    from datainf.core.token_scores import TokenScores
    from datainf.estimators.auto import Auto
    from datainf.estimators.cg import CG
    from datainf.estimators.cosine import Cosine
    from datainf.estimators.datainf import DataInf
    from datainf.estimators.dot import Dot
    from datainf.estimators.exact import Exact
    from datainf.estimators.less import LESS
    from datainf.estimators.lissa import LiSSA
    from datainf.estimators.scaled_dot import ScaledDot
    from datainf.estimators.table import methods
    from datainf.estimators.tracin import TracIn
    from datainf.estimators.trak import TRAK
    from datainf.integrations.tasks.causal_lm import CausalLM
    from datainf.integrations.tasks.image_classification import ImageClassification
    from datainf.integrations.tasks.seq2seq import Seq2Seq
    from datainf.integrations.tasks.sequence_classification import (
        SequenceClassification,
    )
    from datainf.integrations.tasks.text_to_image import TextToImage
    from datainf.integrations.tasks.token_classification import TokenClassification
    from datainf.integrations.trainer import train
    from datainf.store.memory import InMemorySource
    from datainf.store.reader import GradientStore, open_store
    from datainf.workflows.attribute import attribute
    from datainf.workflows.clean import clean
    from datainf.workflows.collect import collect
    from datainf.workflows.drawn_queries import drawn_queries
    from datainf.workflows.index import build_index
    from datainf.workflows.influence import influence
    from datainf.workflows.influence_callback import InfluenceCallback
    from datainf.workflows.pictures import pictures
    from datainf.workflows.report import report
    from datainf.workflows.score import score
    from datainf.workflows.search import search
    from datainf.workflows.selection import select
    from datainf.workflows.self_influence import self_influence
    from datainf.workflows.token_scores import token_scores

__all__ = [  # noqa: RUF022 - grouped by job
    # jobs
    "attribute",
    "collect",
    "open_store",
    "score",
    "search",
    "build_index",
    "token_scores",
    "self_influence",
    "influence",
    "methods",
    "report",
    "pictures",
    "drawn_queries",
    "clean",
    "select",
    "train",
    "InfluenceCallback",
    # tasks
    "CausalLM",
    "ImageClassification",
    "Seq2Seq",
    "SequenceClassification",
    "TextToImage",
    "TokenClassification",
    # estimators
    "Dot",
    "ScaledDot",
    "Cosine",
    "DataInf",
    "Exact",
    "CG",
    "LiSSA",
    "TracIn",
    "TRAK",
    "LESS",
    "Auto",
    # values
    "Checkpoint",
    "Moments",
    "GradientSource",
    "GradientStore",
    "InMemorySource",
    "Pictures",
    "Recipe",
    "Scores",
    "TokenScores",
    # errors
    "DatainfError",
    "AdapterError",
    "DataError",
    "MemoryLimitError",
    "NonFiniteError",
    "OptionError",
    "StoreBusyError",
    "StoreError",
    "DatainfWarning",
    # version
    "__version__",
]

_HOME = {
    "attribute": "workflows.attribute",
    "collect": "workflows.collect",
    "open_store": "store.reader",
    "score": "workflows.score",
    "search": "workflows.search",
    "build_index": "workflows.index",
    "token_scores": "workflows.token_scores",
    "self_influence": "workflows.self_influence",
    "influence": "workflows.influence",
    "methods": "estimators.table",
    "report": "workflows.report",
    "pictures": "workflows.pictures",
    "drawn_queries": "workflows.drawn_queries",
    "clean": "workflows.clean",
    "select": "workflows.selection",
    "train": "integrations.trainer",
    "InfluenceCallback": "workflows.influence_callback",
    "CausalLM": "integrations.tasks.causal_lm",
    "ImageClassification": "integrations.tasks.image_classification",
    "Seq2Seq": "integrations.tasks.seq2seq",
    "SequenceClassification": "integrations.tasks.sequence_classification",
    "TextToImage": "integrations.tasks.text_to_image",
    "TokenClassification": "integrations.tasks.token_classification",
    "Dot": "estimators.dot",
    "ScaledDot": "estimators.scaled_dot",
    "Cosine": "estimators.cosine",
    "DataInf": "estimators.datainf",
    "Exact": "estimators.exact",
    "CG": "estimators.cg",
    "LiSSA": "estimators.lissa",
    "TracIn": "estimators.tracin",
    "TRAK": "estimators.trak",
    "LESS": "estimators.less",
    "Auto": "estimators.auto",
    "Checkpoint": "core.checkpoint",
    "Moments": "core.checkpoint",
    "GradientSource": "core.source",
    "GradientStore": "store.reader",
    "InMemorySource": "store.memory",
    "Pictures": "core.pictures",
    "Recipe": "core.recipe",
    "Scores": "core.records",
    "TokenScores": "core.token_scores",
    "DatainfError": "core.errors",
    "AdapterError": "core.errors",
    "DataError": "core.errors",
    "MemoryLimitError": "core.errors",
    "NonFiniteError": "core.errors",
    "OptionError": "core.errors",
    "StoreBusyError": "core.errors",
    "StoreError": "core.errors",
    "DatainfWarning": "core.errors",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used."""
    if name not in _HOME:
        raise AttributeError(f"module 'datainf' has no attribute {name!r}")
    found = getattr(import_module(f"datainf.{_HOME[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """List the public names."""
    return list(__all__)
