"""One query from the command line becomes a file that replays."""

import json
import re
from pathlib import Path

import pytest

from datainf.core.errors import OptionError
from datainf.core.run_config import DataConfig, RunConfig
from datainf.workflows import runs


def refused(message):
    return pytest.raises(OptionError, match=f"^{re.escape(message)}$")


def test_a_query_is_written_in_the_columns_of_the_task(tmp_path):
    task = {"name": "causal-lm", "columns": {"prompt": "question"}}
    asked = runs.with_query(RunConfig(task=task, out=str(tmp_path)), "hé\n", "")
    assert asked.queries is not None
    written = json.loads(Path(asked.queries.data).read_text(encoding="utf-8"))
    assert written == [{"question": "hé\n", "completion": ""}]


def test_a_picture_is_asked_for_by_its_prompt_alone(tmp_path):
    task = {"name": "text-to-image", "text_column": "caption"}
    run = RunConfig(task=task, out=str(tmp_path))
    asked = runs.with_query(run, "a cat")
    assert asked.queries is not None
    written = json.loads(Path(asked.queries.data).read_text(encoding="utf-8"))
    assert written == [{"caption": "a cat"}]
    for wrong, completion in ((run, "b"), (RunConfig(out=str(tmp_path)), None)):
        with refused(
            "--prompt and --completion go together for a language model; for a picture "
            "give --prompt alone, with --task text-to-image."
        ):
            runs.with_query(wrong, "a", completion)


def test_every_query_has_a_file_of_its_own(tmp_path):
    config = RunConfig(out=str(tmp_path))
    files = {
        getattr(runs.with_query(config, *pair).queries, "data", "")
        for pair in [("a", "b"), ("a", "c"), ("a", "b"), ("ab", "")]
    }
    assert len(files) == 3


def test_a_prompt_for_a_classifier_is_refused_before_anything_is_written(tmp_path):
    run = RunConfig(task={"name": "sequence-classification"}, out=str(tmp_path / "x"))
    with refused(
        "--prompt asks a language model, and the task is sequence-classification; give "
        "--queries FILE with rows like those of the training data."
    ):
        runs.with_query(run, "a", "b")
    assert list(tmp_path.iterdir()) == []


def test_a_prompt_beside_other_queries_is_refused(tmp_path):
    config = RunConfig(queries=DataConfig(data="q.jsonl"), out=str(tmp_path))
    with refused("--prompt came beside the queries q.jsonl; give one of them."):
        runs.with_query(config, "a", "b")
