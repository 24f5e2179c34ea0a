"""Exact match."""

from datainf.experiments.exact_match import exact_match


def test_exact_match_counts_to_the_letter() -> None:
    rows = [{"completion": "a b"}, {"completion": "c"}, {"completion": "d"}]
    assert exact_match(["a b", "C", "d"], rows) == 2 / 3
