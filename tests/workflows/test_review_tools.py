"""Import files of labelling tools: the very shape that their documentation shows."""

import json
import re

import pandas as pd
import pytest

from datainf.core.clean_options import ReviewTool
from datainf.core.errors import OptionError
from datainf.workflows.review_tools import exported, text_of

ROW = {
    "rank": 1,
    "index": 7,
    "suspicion": 2.5,
    "loss": 0.5,
    "loss_rank": 3,
    "label": 0,
    "model_label": 1,
    "model_probability": 0.75,
    "reason": "a reason",
}
ABOUT = {
    "index": 7,
    "rank": 1,
    "suspicion": 2.5,
    "loss": 0.5,
    "reason": "a reason",
    "given": "0",
}


def written(tool, *drop):
    table = pd.DataFrame([ROW]).drop(columns=list(drop))
    (found,) = json.loads(exported(table, ["naïve"], tool))
    return found


def test_argilla_reads_records_with_fields_metadata_and_suggestions():
    assert written(ReviewTool.ARGILLA) == {
        "id": "7",
        "fields": {"text": "naïve"},
        "metadata": ABOUT,
        "suggestions": {"label": {"value": "1", "score": 0.75, "agent": "datainf"}},
        "responses": {},
        "vectors": {},
    }


def test_label_studio_reads_tasks_with_data_and_predictions():
    assert written(ReviewTool.LABEL_STUDIO) == {
        "data": {"text": "naïve", **ABOUT},
        "predictions": [
            {
                "model_version": "datainf",
                "score": 0.75,
                "result": [
                    {
                        "id": "datainf-7",
                        "from_name": "label",
                        "to_name": "text",
                        "type": "choices",
                        "value": {"choices": ["1"]},
                    }
                ],
            }
        ],
    }


@pytest.mark.parametrize("tool", ReviewTool)
def test_without_classes_there_is_no_suggestion(tool):
    found = written(tool, "model_label", "model_probability", "label")
    assert not found.get("suggestions")
    assert not found.get("predictions")
    assert "given" not in json.dumps(found)


def test_a_person_reads_the_texts_without_the_label():
    row = {"premise": "a", "n": 3, "hypothesis": "b", "label": "good"}
    assert text_of(row, "label") == "a\n\nb"


def test_rows_without_text_are_refused():
    message = (
        "a labelling tool is given texts, and a row of these data holds none besides "
        "'label'; write the queue as .csv or .parquet instead."
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        text_of({"image": 3, "label": "good"}, "label")
