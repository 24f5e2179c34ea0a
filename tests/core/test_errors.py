"""The exception tree is the one that its file draws."""

import inspect

import pytest

from datainf.core import errors
from datainf.core.errors import (
    DatainfError,
    DatainfWarning,
    OptionError,
    near,
    near_path,
    require_options,
)

TREE = {
    "OptionError": ValueError,
    "DataError": ValueError,
    "AdapterError": ValueError,
    "StoreError": OSError,
    "StoreBusyError": OSError,
    "NonFiniteError": ArithmeticError,
    "MemoryLimitError": MemoryError,
    "RankError": RuntimeError,
}


@pytest.mark.parametrize(("name", "builtin"), TREE.items())
def test_each_error_is_ours_and_the_builtin_a_caller_expects(name, builtin):
    kind = getattr(errors, name)
    assert issubclass(kind, DatainfError)
    assert issubclass(kind, builtin)
    assert str(kind("what came")) == "what came"


def test_the_tree_is_complete_and_drawn_in_its_file():
    found = {
        name
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, DatainfError) and kind is not DatainfError
    }
    assert found == set(TREE)
    drawn = inspect.getdoc(errors) or ""
    assert all(name in drawn for name in TREE)


def test_the_warning_is_a_user_warning():
    assert issubclass(DatainfWarning, UserWarning)


def test_near_lists_all_and_points_at_the_close_one():
    assert near("datinf", ["dot", "datainf"]) == (
        "expected one of: dot, datainf; did you mean 'datainf'?"
    )


def test_near_does_not_guess_wildly():
    assert near("zzz", ["dot", "datainf"]) == "expected one of: dot, datainf"


def test_near_takes_names_that_can_be_read_only_once():
    assert near("3", iter(["1", "2"])) == "expected one of: 1, 2"


def test_an_option_that_nobody_has_is_refused_with_the_near_one():
    require_options(["a", "b"], iter(["b", "a", "c"]))
    with pytest.raises(OptionError) as refused:
        require_options(["a", "dampin"], iter(["damping", "a"]))
    assert str(refused.value) == (
        "option 'dampin' is unknown: expected one of: damping, a; did you mean "
        "'damping'?."
    )


def test_what_is_called_alike_is_named(tmp_path):
    (tmp_path / "first").mkdir()
    assert near_path(tmp_path / "frist") == f"; did you mean {tmp_path / 'first'}?"
    assert near_path(tmp_path / "other") == ""
    assert near_path(tmp_path / "none" / "frist") == ""
