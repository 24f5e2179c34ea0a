"""What a user may get wrong: one clear line, code 2, and nothing half done."""

import json

import pytest
import yaml

from datainf.workflows import runs
from tests.cli.command import refused, worked


@pytest.fixture
def at(lm, films, tmp_path):
    """The places that the cases below name, by their names in braces."""
    (tmp_path / "file").write_text("a file, where a folder should be")
    return {
        "lm": lm.adapter,
        "base": lm.base,
        "rows": lm.train,
        "queries": lm.queries,
        "films": films.adapter,
        "film_base": films.base,
        "tsv": films.train,
        "val": films.queries,
        "tmp": tmp_path,
        "file": tmp_path / "file",
        "out": tmp_path / "out",
    }


def typed(line, at):
    return [word.format(**at) for word in line.split()]


ATTRIBUTE = "attribute --adapter {lm} --queries {queries} --out {out} "
TRAIN = "train --model {base} --train {rows} --out {out} "
MISLABELED = "mislabeled --adapter {films} --out {out} "


@pytest.mark.parametrize(
    ("line", "message"),
    [
        # what is missing
        (
            "attribute",
            "no training data given; name a file with --train FILE, or in run.yaml.",
        ),
        (
            "attribute --adapter {lm}",
            "no queries given; name a file with --queries FILE, or in run.yaml.",
        ),
        (
            "attribute --train {rows} --queries {queries}",
            "no adapter given; name its folder with --adapter, or as `adapter:` in "
            "run.yaml.",
        ),
        (
            "train --train {rows}",
            "no base model given; name its folder or hub name with --model, or as "
            "`model:` in run.yaml.",
        ),
        (
            "attribute --adapter {lm} --queries {tmp}/queries.jsonl",
            "{tmp}/queries.jsonl does not exist.",
        ),
        (
            "attribute {tmp}/run.yaml",
            "{tmp}/run.yaml cannot be read: No such file or directory; expected a "
            "run.yaml as runs write it.",
        ),
        (
            "attribute --adapter {lm} --prompt a",
            "--prompt and --completion go together for a language model; for a picture "
            "give --prompt alone, with --task text-to-image.",
        ),
        (
            "attribute --adapter {lm} --completion a",
            "--completion belongs to a --prompt; it came alone.",
        ),
        (
            ATTRIBUTE + "--prompt a --completion b",
            "--prompt came beside the queries {queries}; give one of them.",
        ),
        # words that are none
        (ATTRIBUTE + "--format xml", "--format='xml' is unknown: expected one of: "),
        (ATTRIBUTE + "--order best", "--order='best' is unknown: expected one of: "),
        (ATTRIBUTE + "--k 0", "--k must be at least 1, got 0."),
        (
            ATTRIBUTE + "--method datinf",
            "method='datinf' is unknown: expected one of: dot, scaled-dot, cosine, "
            "datainf, exact, cg, lissa, ekfac, tracin, trak, less, auto; did you mean "
            "'datainf'?.",
        ),
        (ATTRIBUTE + "--blocks row", "blocks='row' is unknown: expected one of: "),
        (ATTRIBUTE + "--dtype fp8", "dtype='fp8' is unknown: expected one of: "),
        (ATTRIBUTE + "--precision no", "precision='no' is unknown: expected one of: "),
        (ATTRIBUTE + "--option steps=5", "datainf has no options of its own, got"),
        (ATTRIBUTE + "--task-option turn=all", "task.turn is unknown: expected one of"),
        (TRAIN + "--task chat", "task.name='chat' is unknown: expected one of: "),
        # numbers out of range
        (
            ATTRIBUTE + "--damping -1",
            "damping must be a number of at least 0, got '-1'",
        ),
        (
            ATTRIBUTE + "--batch-tokens 0",
            "batch_tokens must be a whole number of at least 1, got 0.",
        ),
        (TRAIN + "--limit 0", "limit must be a whole number of at least 1, got 0."),
        (TRAIN + "--seed -1", "recipe.seed must be a whole number of at least 0"),
        (
            TRAIN + "--rank 0",
            "recipe.peft is refused by peft: `r` should be a positive",
        ),
        (
            TRAIN + "--epochs -1",
            "recipe.training.num_train_epochs must be a number of at least 0, got -1",
        ),
        (
            TRAIN + "--lr nan",
            "recipe.training.learning_rate must be a number of at least 0, got nan.",
        ),
        (
            TRAIN + "--batch-size 0",
            "recipe.training.per_device_train_batch_size must be a whole number of at "
            "least 1, got 0.",
        ),
        (
            TRAIN + "--flip-labels 1.5",
            "flip_labels must be a number of at least 0 and below 1, got 1.5.",
        ),
        # what does not go together
        (
            "attribute --adapter {films} --queries {val} --task causal-lm",
            "the adapter was trained for SEQ_CLS, the task causal-lm needs CAUSAL_LM; "
            "use the task sequence-classification.",
        ),
        (
            "attribute --adapter {base} --queries {queries} --train {rows}",
            "{base} holds no PEFT adapter that can be read: ",
        ),
        (ATTRIBUTE + "--model {film_base}", "{film_base} lacks weights that "),
        (
            "attribute --adapter {films} --queries {val} --label-column lable",
            "column 'lable' is missing: expected one of: text, label, gold; did you "
            "mean 'label'?.",
        ),
        (
            ATTRIBUTE + "--column prompt=promt",
            "no example can be read from the columns prompt, completion: expected ",
        ),
        (
            MISLABELED + "--validation {val} --train {tsv} --truth gold",
            "truth and flip_labels exclude each other: give the column of right "
            "labels, or flip some of them.",
        ),
        (
            MISLABELED + "--validation {val} --flip-labels 0 --truth golden",
            "column 'golden' is missing: expected one of: text, label, gold; did you "
            "mean 'gold'?.",
        ),
        (TRAIN + "--target nosuch", "recipe.peft is refused by peft: Target modules"),
        (
            "score --train {lm} --queries {lm}",
            "{lm} is no gradient store: it has no manifest.json; give the folder that "
            "`datainf collect` wrote.",
        ),
        # places that cannot be used
        (
            "attribute --adapter {lm} --prompt a --completion b --out {file}",
            "{file}: File exists; choose another path.",
        ),
        (ATTRIBUTE + "--out {file}", "{file}/queries-"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(at, line, message):
    assert refused(*typed(line, at)).startswith(message.format(**at))
    assert not at["out"].exists()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"scor": {}},
            "run.yaml: scor is unknown: expected one of: model, adapter, precision, "
            "device_map, trust_remote_code, task, train, queries, curvature, collect, "
            "score, recipe, evaluate, group_by, tokens, checkpoints, checkpoint_limit, "
            "out; did you mean 'score'?.",
        ),
        (
            {"score": {"metod": "dot"}},
            "run.yaml: score.metod is unknown: expected one of: method, damping, "
            "blocks, normalize, fisher, options, keep_blocks, agreement; did you mean "
            "'method'?.",
        ),
        (
            {"format": 2},
            "run.yaml has format 2, this version reads 1; use the version of datainf "
            "that is written in the file.",
        ),
        ({"model": 7}, "run.yaml: model must be a text; put it in quotes, got 7."),
        ([1], "{file} must hold a mapping such as `model: NAME`, got list."),
    ],
)
@pytest.mark.parametrize("command", ["train", "attribute", "mislabeled", "collect"])
def test_a_run_yaml_that_says_something_else_is_refused(
    tmp_path, command, values, message
):
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump(values), encoding="utf-8")
    assert refused(command, file) == message.format(file=file)


def test_a_broken_run_yaml_is_refused_with_the_place(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("score:\n  method: [dot\n", encoding="utf-8")
    assert refused("attribute", tmp_path).startswith(
        f"{file} is no valid YAML at line 3, column 1: "
    )


def test_a_broken_line_of_data_is_named(lm, tmp_path):
    data = tmp_path / "rows.jsonl"
    good = json.dumps({"prompt": "a", "completion": "b"})
    data.write_text(f"{good}\n{{oops\n", encoding="utf-8")
    said = refused("attribute", "--adapter", lm.adapter, "--queries", data)
    assert said.startswith(f"{data}, line 2: ")


def test_a_row_that_cannot_be_used_is_named_by_its_number(lm, tmp_path):
    data = tmp_path / "rows.jsonl"
    rows = [{"prompt": "a", "completion": "b"}, {"prompt": "a", "completion": None}]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    said = refused("collect", "--adapter", lm.adapter, "--data", data)
    assert said.startswith("example 1: column 'completion' is empty in the row ")


def test_a_store_of_another_model_is_refused(films, stores, tmp_path):
    train, _ = stores
    said = refused("collect", "--adapter", films.adapter, "--out", train)
    assert said.startswith(f"{train} holds a store of something else: ")
    assert said.endswith("Choose another folder, or delete this one.")
    other = tmp_path / "other"
    worked(
        "collect", "--adapter", films.adapter, "--data", films.queries, "--out", other
    )
    said = refused("score", "--train", train, "--queries", other)
    assert said.startswith("the training gradients and the queries do not belong ")


def test_scores_cannot_go_where_a_file_is(stores, tmp_path):
    train, queries = stores
    file = tmp_path / "file"
    file.touch()
    said = refused("score", "--train", train, "--queries", queries, "--out", file)
    assert said == (
        f"the scores could not be written to {file}: File exists; free some space or "
        "choose another folder, and score again."
    )


@pytest.mark.parametrize(
    ("command", "flag"),
    [
        ("attribute", "--order"),
        ("attribute", "--format"),
        ("mislabeled", "--format"),
        ("score", "--order"),
        ("score", "--format"),
        ("collect", "--format"),
    ],
)
def test_a_wrong_word_is_refused_before_any_work(monkeypatch, command, flag):
    def work(*_: object, **__: object) -> None:
        raise AssertionError("work began")

    for name in ("attribute_run", "mislabeled_run", "score_run", "collect_run"):
        monkeypatch.setattr(runs, name, work)
    assert refused(command, flag, "word").startswith(f"{flag}='word' is unknown")
