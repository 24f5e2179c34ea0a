"""What scores have to beat: similar words, the plain loss, and chance.

None of them looks at a gradient. Signs are those of scores: similar = negative, so that
every measure takes them as they are.

    TF-IDF   −cos(a, b) of vectors tf · (ln((1 + N)/(1 + df)) + 1), df counted over the
             training texts alone; terms that no training text has are left out
    loss     a row's own loss as its suspicion
    random   standard normal, from a seed

Q queries, N training texts. TF-IDF costs one look-up a term and adds over the
texts that share it; memory is the `[Q, N]` result and the terms.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from datainf.core.errors import DataError, OptionError
from datainf.core.options import word
from datainf.evaluation.ranking import finite_vector

_WORD = re.compile(r"\w+")
_SHORTEST, _LONGEST = 3, 5


class Analyzer(StrEnum):
    """What a text's terms are, in lower case."""

    WORD = "word"
    """Runs of letters, digits and underscores; a single character is a word too."""
    CHAR_WB = "char_wb"
    """3 to 5 characters in a row inside each whitespace-separated word, the word having
    a space added at both ends."""


def tfidf_scores(
    train_texts: Sequence[str],
    query_texts: Sequence[str],
    *,
    analyzer: Analyzer | str = Analyzer.WORD,
) -> Float[np.ndarray, "Q N"]:
    r"""Score training texts by how much of their wording they share with each query.

    Give prompts alone, or prompt and completion joined, to both sides alike. Equal to
    scikit-learn's `TfidfVectorizer` fitted on the training texts, with
    `token_pattern=r"\w+"`, or `analyzer="char_wb", ngram_range=(3, 5)`.

    Args:
        train_texts: The training examples' texts.
        query_texts: The queries' texts.
        analyzer: What terms are: `word` or `char_wb`.

    Returns:
        −cosine in [−1, 0]: the most similar is the most negative; 0 where no term is
        shared.

    Raises:
        DataError: If no training text has a term.

    Examples:
        >>> tfidf_scores(["two apples", "one pear"], ["two pears"]).round(2).tolist()
        [[-0.71, 0.0]]
    """
    terms_of = _ANALYZERS[word(Analyzer, analyzer, "analyzer")]
    counts = [Counter(terms_of(text.lower())) for text in train_texts]
    spread = Counter(term for counted in counts for term in counted)
    if not spread:
        raise DataError(
            f"TF-IDF: none of the {len(counts)} training texts has a term; give texts, "
            "or another analyzer."
        )
    rarity = {
        term: math.log((1 + len(counts)) / (1 + texts)) + 1
        for term, texts in spread.items()
    }
    holders: dict[str, list[int]] = defaultdict(list)
    weights: dict[str, list[float]] = defaultdict(list)
    for row, counted in enumerate(counts):
        for term, weight in _unit(counted, rarity).items():
            holders[term].append(row)
            weights[term].append(weight)
    scores = np.zeros((len(query_texts), len(counts)))
    for query, text in enumerate(query_texts):
        for term, weight in _unit(Counter(terms_of(text.lower())), rarity).items():
            scores[query, holders[term]] -= weight * np.asarray(weights[term])
    return scores


def loss_suspicion(losses: ArrayLike) -> Float[np.ndarray, " N"]:
    """Take a row's own loss as its suspicion, to be compared by `detection_auc`.

    Args:
        losses: Loss of each training row under the tuned model.

    Returns:
        The same numbers, checked to be finite: the larger, the more suspicious.
    """
    return finite_vector(losses, "loss")


def neighbour_suspicion(
    scores: ArrayLike,
    train_labels: Sequence[object] | None = None,
    query_labels: Sequence[object] | None = None,
) -> Float[np.ndarray, " N"]:
    """Suspect the rows that are less like trusted rows of their label than like others.

    Args:
        scores: `[Q, N]` similarities with the sign of scores: similar = negative.
        train_labels: Label of each training row; without labels a row is suspicious
            where it is like no trusted row.
        query_labels: Label of each trusted row.

    Returns:
        One suspicion a training row: the mean score over the trusted rows of its label,
        less the mean over those of other labels (0 where there are none).

    Raises:
        DataError: If scores and labels are not of the same rows.

    Examples:
        >>> scores = [[-1.0, -1.0], [0.0, 0.0]]
        >>> neighbour_suspicion(scores, ["a", "b"], ["a", "b"]).tolist()
        [-1.0, 1.0]
    """
    values = np.asarray(scores, dtype=np.float64)
    if train_labels is None or query_labels is None:
        return finite_vector(values.mean(axis=0), "similarity")
    if values.shape != (len(query_labels), len(train_labels)):
        raise DataError(
            f"scores of shape {list(values.shape)} need one label a row and one a "
            f"column, got {len(query_labels)} and {len(train_labels)}."
        )
    same = np.array([[q == k for k in train_labels] for q in query_labels])
    found = np.zeros(len(train_labels))
    for sign, chosen in ((1, same), (-1, ~same)):
        count = chosen.sum(axis=0)
        total = np.where(chosen, values, 0.0).sum(axis=0)
        found += sign * total / np.maximum(count, 1)
    return finite_vector(found, "similarity")


def random_scores(
    queries: int, candidates: int, *, seed: int
) -> Float[np.ndarray, "Q N"]:
    """Draw scores that know nothing.

    Args:
        queries: Q.
        candidates: N.
        seed: Equal seeds, equal scores.

    Returns:
        Standard normal numbers.

    Raises:
        OptionError: If a size is below 1.
    """
    if min(queries, candidates) < 1:
        raise OptionError(
            "random scores: there must be at least one query and one candidate, got "
            f"{queries} and {candidates}."
        )
    return np.random.default_rng(seed).standard_normal((queries, candidates))


def _words(text: str) -> Iterator[str]:
    yield from _WORD.findall(text)


def _pieces(text: str) -> Iterator[str]:
    """Cut each word, with a space at both ends, into overlapping pieces."""
    for piece in text.split():
        padded = f" {piece} "
        for size in range(_SHORTEST, _LONGEST + 1):
            last = len(padded) - size
            yield from (padded[i : i + size] for i in range(max(last, 0) + 1))
            if last <= 0:
                break  # the whole word, once


_ANALYZERS: Mapping[Analyzer, Callable[[str], Iterator[str]]] = {
    Analyzer.WORD: _words,
    Analyzer.CHAR_WB: _pieces,
}


def _unit(counted: Mapping[str, int], rarity: Mapping[str, float]) -> dict[str, float]:
    """Weigh the known terms of a text and scale them to unit length."""
    weighed = {t: n * rarity[t] for t, n in counted.items() if t in rarity}
    length = math.sqrt(sum(weight * weight for weight in weighed.values()))
    return {term: weight / length for term, weight in weighed.items()}
