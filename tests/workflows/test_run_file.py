"""run.yaml on disk: written and read back equal, laid in layers, refused by line."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from datainf.__about__ import __version__
from datainf.core.errors import OptionError
from datainf.core.options import CollectOptions, ScoreOptions
from datainf.core.recipe import Recipe
from datainf.core.run_config import DataConfig, RunConfig
from datainf.workflows.run_file import (
    beside_adapter,
    merged,
    read_run,
    read_values,
    resolve,
    write_run,
)

FULL = RunConfig(
    model="base",
    adapter="adapter",
    precision="bfloat16",
    trust_remote_code=True,
    task={"name": "causal-lm", "columns": {"prompt": "q"}, "max_length": None},
    train=DataConfig(data="train.jsonl", split="train", limit=7, flip_labels=0.2),
    queries=DataConfig(data="q.jsonl", truth="gold"),
    collect=CollectOptions(dtype="bf16", shard_rows=11, store_text=False),
    score=ScoreOptions(method="lissa", options={"steps": 5}, damping=0.3),
    recipe=Recipe(peft={"r": 2, "target_modules": ["q_proj"]}, training={"a": 1e-5}),
    out="runs/x",
)


def refused(message):
    return pytest.raises(OptionError, match=f"^{re.escape(message)}$")


def put(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


# --- written and read back ----------------------------------------------------------


@pytest.mark.parametrize("run", [FULL, RunConfig()], ids=["full", "empty"])
def test_what_is_written_is_read_back_equal(tmp_path, run):
    assert read_run(write_run(run, tmp_path)) == run
    assert read_run(tmp_path) == run


@given(text=st.text(st.characters(codec="utf-8")))
@example(text="next\x85line")
@example(text=" \u2028\u2029\ufeff\r\n\n ")
def test_any_text_is_written_and_read_back_equal(tmp_path_factory, text):
    run = RunConfig(
        model=text, task={"chat_template": text, text: [text]}, out=text or "out"
    )
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    assert read_run(write_run(run, file)) == run


@pytest.mark.parametrize("text", ["no", "7", "1e-3", "null", "~", "2026-11-24", "[a]"])
def test_a_text_that_yaml_would_take_for_something_else_stays_a_text(tmp_path, text):
    run = RunConfig(model=text, task={"label_column": text})
    assert read_run(write_run(run, tmp_path)) == run


def test_the_folder_is_made_and_a_file_may_be_named(tmp_path):
    run = RunConfig()
    assert write_run(run, tmp_path / "a" / "b") == tmp_path / "a" / "b" / "run.yaml"
    named = tmp_path / "c" / "store.run.yaml"
    assert write_run(run, str(named)) == named
    assert read_run(named) == run


def test_the_version_stands_first_and_enums_are_plain_words(tmp_path):
    text = write_run(FULL, tmp_path).read_text(encoding="utf-8")
    assert text.startswith(f"datainf: {__version__}\nformat: 1\nmodel: base\n")
    assert "precision: bfloat16\n" in text
    assert "  dtype: bf16\n" in text
    assert "!!" not in text


def test_texts_stay_readable_where_yaml_can_keep_them(tmp_path):
    run = RunConfig(model="models/größe-模型")
    assert "model: models/größe-模型\n" in write_run(run, tmp_path).read_text("utf-8")


# --- what cannot be read ------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "model: base\ntask: [causal-lm\n",
            " at line 3, column 1: expected ',' or ']', but got '<stream end>'",
        ),
        (
            "model: base\n\ttask: a\n",
            " at line 2, column 1: found character '\\t' that cannot start any token",
        ),
        (
            "model: base\nout: a: b\n",
            " at line 2, column 7: mapping values are not allowed here",
        ),
        (
            'out: !!python/object/apply:os.system ["exit 7"]\n',
            " at line 1, column 6: could not determine a constructor for the tag "
            "'tag:yaml.org,2002:python/object/apply:os.system'",
        ),
        ("model: \x07\n", ": it cannot be parsed"),
    ],
    ids=["list", "tab", "colon", "code", "bell"],
)
def test_broken_yaml_is_told_by_its_line(tmp_path, text, problem):
    file = put(tmp_path / "run.yaml", text)
    with refused(f"{file} is no valid YAML{problem}."):
        read_values(tmp_path)


@pytest.mark.parametrize(
    ("text", "kind"), [("- model\n", "list"), ("", "NoneType"), ("model\n", "str")]
)
def test_what_is_no_mapping_is_refused(tmp_path, text, kind):
    file = put(tmp_path / "run.yaml", text)
    with refused(f"{file} must hold a mapping such as `model: NAME`, got {kind}."):
        read_values(file)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    expected = "expected a run.yaml as runs write it."
    for path, file in [
        (tmp_path, tmp_path / "run.yaml"),
        (tmp_path / "none.yaml", tmp_path / "none.yaml"),
    ]:
        with refused(f"{file} cannot be read: No such file or directory; {expected}"):
            read_values(path)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_bytes(b"model: \xff\n")
    with refused(
        f"{file} cannot be read: not UTF-8 text; expected a run.yaml as runs write it."
    ):
        read_values(file)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: 7\n", "run.yaml: model must be a text; put it in quotes, got 7."),
        (
            "train: {dta: x}\n",
            "run.yaml: train.dta is unknown: expected one of: data, split, limit, "
            "truth, flip_labels, flip_seed; did you mean 'data'?.",
        ),
    ],
)
def test_what_a_run_holds_is_checked(tmp_path, text, message):
    with refused(message):
        read_run(put(tmp_path / "run.yaml", text))
    with refused(message):
        resolve({}, tmp_path)


def test_an_empty_section_is_as_if_it_were_not_there(tmp_path):
    text = "task:\ntrain:\ncollect:\nscore:\n  damping:\nrecipe:\nout:\n"
    assert read_run(put(tmp_path / "run.yaml", text)) == RunConfig()


# --- layers -------------------------------------------------------------------------


def test_the_upper_mapping_wins_and_the_lower_is_left_as_it_was():
    lower = {"recipe": {"peft": {"r": 2, "bias": "all"}, "seed": 3}, "out": "a"}
    upper = {"recipe": {"peft": {"r": 5}}, "out": "b", "model": "m"}
    assert merged(lower, upper) == {
        "recipe": {"peft": {"r": 5, "bias": "all"}, "seed": 3},
        "out": "b",
        "model": "m",
    }
    assert lower == {"recipe": {"peft": {"r": 2, "bias": "all"}, "seed": 3}, "out": "a"}


@pytest.mark.parametrize("section", ["train", "queries"])
def test_what_is_known_about_other_data_is_not_kept(section):
    lower = {section: {"data": "a", "flip_labels": 0.2, "limit": 7}}
    other = {section: {"data": "b", "truth": "gold"}}
    assert merged(lower, other) == other
    for same in ({section: {"data": "a", "limit": 5}}, {section: {"limit": 5}}):
        assert merged(lower, same) == {
            section: {"data": "a", "flip_labels": 0.2, "limit": 5}
        }


def test_settings_of_another_task_are_not_kept():
    lower = {"task": {"name": "causal-lm", "border": "joint", "max_length": 7}}
    other = {"task": {"name": "sequence-classification", "label_column": "y"}}
    assert merged(lower, other) == other
    assert merged(lower, {"task": {"max_length": 5}}) == {
        "task": {"name": "causal-lm", "border": "joint", "max_length": 5}
    }


@pytest.mark.parametrize(
    ("lower", "upper"), [({"task": {"a": 1}}, {"task": None}), ({"task": 7}, {})]
)
def test_what_is_no_mapping_is_laid_over_as_it_is(lower, upper):
    assert merged(lower, upper) == {**lower, **upper}


@pytest.fixture
def adapter(tmp_path):
    """A folder with a run.yaml, as training leaves it beside an adapter."""
    trained = RunConfig(
        model="trained-base",
        task={"name": "causal-lm", "max_length": 11},
        train=DataConfig(data="trained.jsonl", flip_labels=0.2),
        queries=DataConfig(data="not-of-the-adapter.jsonl"),
        score=ScoreOptions(method="dot"),
        recipe=Recipe(seed=5),
        out="trained",
        precision="float16",
        trust_remote_code=True,
    )
    write_run(trained, tmp_path / "adapter")
    return str(tmp_path / "adapter")


def test_beside_an_adapter_only_what_belongs_to_it_is_read(adapter):
    expected = ["model", "precision", "recipe", "task", "train"]
    assert sorted(beside_adapter(adapter)) == expected
    found = resolve({"adapter": adapter})
    assert found == RunConfig(
        adapter=adapter,
        model="trained-base",
        task={"name": "causal-lm", "max_length": 11},
        train=DataConfig(data="trained.jsonl", flip_labels=0.2),
        recipe=Recipe(seed=5),
        precision="float16",
    )


@pytest.mark.parametrize("name", [None, "owner/name", "/no/such/folder"])
def test_where_nothing_lies_beside_the_adapter_nothing_is_read(name):
    assert beside_adapter(name) == {}


def test_a_run_wins_over_the_adapter_and_flags_over_both(tmp_path, adapter):
    given = {
        "adapter": adapter,
        "model": "given-base",
        "task": {"max_length": 7},
        "score": {"method": "datainf", "damping": 0.3},
        "out": "given",
    }
    run = put(tmp_path / "given.yaml", str(given))
    flags = {"score": {"damping": 0.7}, "task": {"border": "joint"}, "out": "flag"}
    found = resolve(flags, run)
    assert found.model == "given-base"
    assert dict(found.task) == {
        "name": "causal-lm",
        "max_length": 7,
        "border": "joint",
    }
    assert found.train == DataConfig(data="trained.jsonl", flip_labels=0.2)
    assert found.score == ScoreOptions(method="datainf", damping=0.7)
    assert found.out == "flag"


def test_flags_may_name_the_adapter_and_other_data(adapter):
    flags = {"adapter": adapter, "train": {"data": "other.jsonl"}}
    assert resolve(flags).train == DataConfig(data="other.jsonl")


def test_what_lies_beside_the_adapter_can_be_left_out(adapter):
    found = resolve({"adapter": adapter}, adapted=False)
    assert found == RunConfig(adapter=adapter)


def test_a_broken_run_beside_the_adapter_is_told_by_its_file(tmp_path):
    file = put(tmp_path / "run.yaml", "a: [")
    with pytest.raises(OptionError, match=f"^{file} is no valid YAML at line 1"):
        resolve({"adapter": str(tmp_path)})


def test_a_written_run_that_left_something_open_is_not_filled_in(tmp_path, adapter):
    write_run(RunConfig(train=DataConfig(data="train.jsonl", limit=7)), adapter)
    run = RunConfig(adapter=adapter, train=DataConfig(data="train.jsonl"))
    assert resolve({}, write_run(run, tmp_path / "out")) == run


def test_a_run_that_was_written_resolves_to_itself(tmp_path, adapter):
    run = resolve({"adapter": adapter, "out": "a", "queries": {"data": "q.jsonl"}})
    assert resolve({}, write_run(run, tmp_path / "out")) == run
