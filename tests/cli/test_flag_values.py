"""The words that flags can take, for completion."""

import pytest

from datainf.cli.flag_table import FLAGS
from datainf.cli.flag_values import FLAG_VALUES, complete


def completed(name, typed):
    offer = complete(name)
    assert offer is not None
    return offer(typed)


def test_every_name_is_a_flag_with_a_value():
    assert {FLAGS[name].kind for name in FLAG_VALUES} == {str}


@pytest.mark.parametrize("name", FLAG_VALUES)
def test_help_names_words_that_completion_offers(name):
    offered = completed(name, "")
    assert offered
    assert any(word in FLAGS[name].help for word in offered)


def test_a_beginning_keeps_the_words_that_begin_so():
    assert completed("blocks", "") == ["tensor", "module", "layer", "all"]
    assert completed("blocks", "l") == ["layer"]
    assert completed("blocks", "x") == []


def test_methods_and_tasks_are_those_of_the_tables():
    assert "datainf" in completed("method", "")
    assert "text-to-image" in completed("task", "")


def test_values_that_cannot_be_counted_are_left_to_the_shell():
    assert complete("out") is None
