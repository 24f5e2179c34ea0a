"""Which rows are drawn: of every class the first, then the second of each."""

from datainf.experiments.drawn import _spread

ROWS = [{"class": name} for name in "aabbbc"]


def test_classes_take_turns() -> None:
    assert _spread(ROWS, 3) == [0, 2, 5]
    assert _spread(ROWS, 5) == [0, 2, 5, 1, 3]
    assert sorted(_spread(ROWS, 9)) == [0, 1, 2, 3, 4, 5]
