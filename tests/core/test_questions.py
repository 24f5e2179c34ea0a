"""What can be asked, and what comes back: plain values with plain beginnings."""

import numpy as np

from datainf.core.questions import Answer, Entry, Field
from datainf.core.records import Provenance, Scores


def test_a_field_is_a_text_that_may_be_left_empty():
    field = Field("prompt", "Prompt")
    assert (field.entry, field.needed, field.value) == (Entry.TEXT, False, None)


def test_an_answer_need_not_have_more_than_scores_and_their_query():
    none = np.empty((1, 0))
    scores = Scores(np.array([[-1.0]]), (), none, none, Provenance("dot"))
    found = Answer(scores, "a query")
    assert found.said is found.picture is found.pictures is None
    assert found.warnings == ()
