"""A question of the command line has the shape of the training rows."""

import json

import pytest

from datainf.core.run_config import DataConfig, RunConfig
from datainf.workflows.asked_row import asked_row

USER = {"role": "user", "content": "where?"}
SAID = {"role": "assistant", "content": "here"}
SYSTEM = {"role": "system", "content": "be short"}
HELLO = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]


@pytest.mark.parametrize(
    ("row", "columns", "expected"),
    [
        (
            {"prompt": "a", "completion": "b"},
            {},
            {"prompt": "where?", "completion": "here"},
        ),
        ({"text": "a"}, {}, {"prompt": "where?", "completion": "here"}),
        ({"messages": HELLO}, {}, {"messages": [USER, SAID]}),
        ({"messages": [SYSTEM, *HELLO]}, {}, {"messages": [SYSTEM, USER, SAID]}),
        ({"talk": HELLO}, {"messages": "talk"}, {"talk": [USER, SAID]}),
        (
            {"prompt": HELLO[:1], "completion": HELLO[1:]},
            {},
            {"prompt": [USER], "completion": [SAID]},
        ),
        (
            {"talk": [{"from": "system", "value": "be short"}]},
            {"messages": "talk"},
            {"talk": [SYSTEM, USER, SAID]},
        ),
        ({"messages": "hi"}, {}, {"messages": [USER, SAID]}),
        (
            {"prompt": ["hi"], "completion": ["ho"]},
            {},
            {"prompt": [USER], "completion": [SAID]},
        ),
        ({"other": "a"}, {}, {"prompt": "where?", "completion": "here"}),
    ],
    ids=[
        "texts",
        "text",
        "talk",
        "system",
        "renamed",
        "talk in two",
        "sharegpt",
        "text for talk",
        "texts for talk",
        "none",
    ],
)
def test_a_question_is_asked_in_the_shape_of_the_training_rows(
    row, columns, expected, tmp_path
):
    file = tmp_path / "train.jsonl"
    file.write_text(json.dumps(row) + "\n", encoding="utf-8")
    config = RunConfig(train=DataConfig(data=str(file)), task={"columns": columns})
    assert asked_row(config, "where?", "here") == expected
