"""The runtime type checker: shapes in the first calls of each test, the rest always."""

from dataclasses import dataclass

import pytest
from jaxtyping import Float, TypeCheckError
from torch import Tensor, ones

from tests.runtime_types import MOST, begin, checked, sparing

decorated = sparing(typechecker=checked)
ROW, ROWS = ones(3), ones(3, 5)


@decorated
def count(rows: Float[Tensor, "N d"]) -> int:
    return len(rows)


@decorated
def turned(rows: Float[Tensor, "N d"]) -> Float[Tensor, "d N"]:
    return rows


@decorated
def quoted(row: "Float[Tensor, ' N']") -> None:
    del row


@decorated
def word(letters: int) -> str:
    return "a" * letters if letters else 0  # type: ignore[return-value]


@decorated
@dataclass
class Held:
    row: Float[Tensor, " N"]


@pytest.mark.parametrize(
    "call",
    [
        lambda: count(ROW),
        lambda: turned(ROWS),
        lambda: quoted(ROWS),
        lambda: Held(ROWS),
    ],
    ids=["argument", "result", "in quotes", "field"],
)
def test_another_shape_is_an_error(call):
    with pytest.raises(TypeCheckError):
        call()


def test_another_type_is_an_error_however_often_it_is_called():
    for _ in range(MOST + 1):
        assert word(2) == "aa"
    for wrong in (0, "2"):
        with pytest.raises(TypeError):
            word(wrong)


def test_shapes_are_checked_in_the_first_calls_of_each_test():
    for _ in range(MOST):
        count(ROWS)
    assert count(ROW) == 3
    begin()
    with pytest.raises(TypeCheckError):
        count(ROW)


def test_the_package_is_checked_by_it():
    from datainf.linalg.rank_one import mean_rank_one_solve

    with pytest.raises(TypeCheckError):
        mean_rank_one_solve([], ROW, damping=0.1, count=3)
