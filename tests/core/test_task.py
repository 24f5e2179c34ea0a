"""Anything with the five methods is a task."""

from datainf.core.task import Task
from tests.cases import TokenTask


def test_a_class_of_ones_own_is_a_task():
    assert isinstance(TokenTask(), Task)


def test_a_loss_function_is_none():
    assert not isinstance(lambda _model, batch: batch, Task)
