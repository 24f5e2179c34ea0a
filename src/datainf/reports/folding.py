"""Near-duplicates: texts that say the same again are folded under the first of them.

Two texts nearly repeat each other when they share nine tenths of their runs of five
characters (Jaccard), case and spaces aside:

    |A ∩ B| / |A ∪ B| >= 0.9

so a changed comma folds, and a changed number in a word problem does not. Texts are
compared by their first 2,000 characters.
"""

from collections.abc import Sequence

LIKENESS = 0.9
_RUN, _COMPARED = 5, 2000


def shingles(text: str) -> frozenset[str]:
    """Cut a text into its runs of five characters.

    Args:
        text: Any text.

    Returns:
        The runs; the text itself where it is shorter.
    """
    plain = " ".join(text[:_COMPARED].casefold().split())
    ends = range(max(1, len(plain) - _RUN + 1))
    return frozenset(plain[i : i + _RUN] for i in ends)


def alike(a: frozenset[str], b: frozenset[str]) -> bool:
    """Tell whether two texts nearly repeat each other, by their runs."""
    # The sizes alone rule most pairs out.
    if min(len(a), len(b)) < LIKENESS * max(len(a), len(b)):
        return False
    shared = len(a & b)
    return shared >= LIKENESS * (len(a) + len(b) - shared)


def folded(runs: Sequence[frozenset[str] | None], limit: int) -> list[list[int]]:
    """Gather texts under the first one that they nearly repeat.

    Args:
        runs: The runs of each text, strongest first; None is like nothing.
        limit: How many different texts to keep.

    Returns:
        Places: the first of each set, then what repeats it.

    Examples:
        >>> folded([shingles(t) for t in ("one two", "three", "One  two")], 5)
        [[0, 2], [1]]
    """
    sets: list[list[int]] = []
    for place, own in enumerate(runs):
        for known in sets:
            first = runs[known[0]]
            if own is not None and first is not None and alike(own, first):
                known.append(place)
                break
        else:
            if len(sets) < limit:
                sets.append([place])
    return sets
