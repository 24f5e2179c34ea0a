"""Shapes of projected gradients, and the words for a projection."""

import pytest

from datainf.core.side_projection import SideProjection, said, sides


@pytest.mark.parametrize(
    ("shape", "found"),
    [
        ((2, 11), (2, 5)),
        ((11, 2), (5, 2)),
        ((7, 11), (5, 5)),
        ((5, 3), (5, 3)),
        ((7,), (5,)),
        ((3,), (3,)),
        ((), ()),
        ((3, 2, 3, 1), (3, 5)),
        ((3, 1, 2, 2), (3, 1, 2, 2)),
        ((7, 1, 2, 2), (5, 4)),
    ],
)
def test_each_side_is_cut_to_the_width_and_a_small_block_stays(shape, found):
    assert SideProjection(5).shape_of(shape) == found


def test_a_vector_has_one_side_and_everything_else_two():
    assert sides((7,)) == (7,)
    assert sides((3, 2, 5)) == (3, 10)


def test_it_is_written_and_read_back():
    made = SideProjection(5, seed=3)
    assert made.to_dict() == {"kind": "sides", "width": 5, "seed": 3}
    assert SideProjection.from_dict(made.to_dict()) == made
    assert SideProjection.from_dict(None) is None


def test_it_is_said_as_the_options_that_make_it():
    assert said(SideProjection(5, 3).to_dict()) == "project=5, project_seed=3"
    assert said(None) == "none"
