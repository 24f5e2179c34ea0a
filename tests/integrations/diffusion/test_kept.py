"""What is kept, and what goes."""

from copy import deepcopy
from functools import partial

import torch

from datainf.integrations.diffusion.kept import Kept


class Counted:
    def __init__(self) -> None:
        self.calls: list[str] = []

    def made(self, name: str) -> dict[str, torch.Tensor]:
        self.calls.append(name)
        return {"x": torch.zeros(2, dtype=torch.float64)}  # 16 bytes


def test_what_is_there_is_not_computed_again() -> None:
    kept, counted = Kept(64), Counted()
    first = kept.get("a", lambda: counted.made("a"))
    assert kept.get("a", lambda: counted.made("a")) is first
    assert counted.calls == ["a"]


def test_the_least_recently_used_go_first() -> None:
    kept, counted = Kept(40), Counted()
    for name in "abacab":
        kept.get(name, partial(counted.made, name))
    # c came when a and b filled it, and a had been used last: b went, then came again.
    assert counted.calls == ["a", "b", "c", "b"]


def test_one_that_is_larger_than_all_is_kept_until_the_next() -> None:
    kept, counted = Kept(1), Counted()
    kept.get("a", lambda: counted.made("a"))
    kept.get("a", lambda: counted.made("a"))
    assert counted.calls == ["a"]


def test_a_copy_begins_empty() -> None:
    kept, counted = Kept(64), Counted()
    kept.get("a", lambda: counted.made("a"))
    deepcopy(kept).get("a", lambda: counted.made("a"))
    assert counted.calls == ["a", "a"]
