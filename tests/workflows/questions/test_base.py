"""A question takes the shape of the first training row."""

from pathlib import Path

from torch import nn

from datainf.core.questions import Field
from datainf.workflows.questions.base import Posed, Question


class Echo(Question):
    @property
    def fields(self):
        return (Field("word", "Word"),)

    def posed(self, given, folder: Path):
        del folder
        return Posed({**self.first, **given})


def test_a_question_sees_the_first_row_and_says_nothing_by_itself(tmp_path):
    question = Echo(nn.Identity(), None, [{"word": "a", "more": 1}, {"word": "b"}])
    posed = question.posed({"word": "c"}, tmp_path)
    assert posed == Posed({"word": "c", "more": 1}, None)
