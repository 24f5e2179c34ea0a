"""From flags to a run: which layer wins, and how repeatable flags are taken apart."""

import re

import pytest
import yaml

from datainf.cli.config import config_of
from datainf.cli.flags import Given
from datainf.core.errors import OptionError
from datainf.core.recipe import Recipe
from datainf.core.run_config import DataConfig, RunConfig


def written(path, **values):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return str(path)


def of(argument=None, **values):
    return config_of(Given(values, argument))


def test_nothing_given_is_the_default_run():
    assert of() == RunConfig()


def test_flags_win_over_run_yaml_and_that_over_the_run_beside_the_adapter(tmp_path):
    adapter = str(tmp_path / "adapter")
    written(
        tmp_path / "adapter" / "run.yaml",
        model="base",
        task={"name": "causal-lm", "max_length": 64},
        train={"data": "t.jsonl", "limit": 5},
        score={"method": "dot"},
        out="elsewhere",
    )
    given = written(
        tmp_path / "given.yaml",
        adapter=adapter,
        task={"name": "causal-lm", "max_length": 32},
        score={"damping": 0.5, "method": "exact"},
    )
    found = of(given, method="cosine", limit=3)
    assert found.model == "base"
    assert found.task == {"name": "causal-lm", "max_length": 32}
    assert found.train == DataConfig(data="t.jsonl", limit=3)
    assert (found.score.method, found.score.damping) == ("cosine", 0.5)
    # What another run was asked to score, and where, does not belong to the adapter.
    assert found.out == RunConfig().out
    assert found.adapter == adapter


def test_the_run_beside_the_adapter_can_be_left_out(tmp_path):
    adapter = tmp_path / "adapter"
    written(adapter / "run.yaml", model="base")
    given = Given({"adapter": str(adapter)})
    assert config_of(given).model == "base"
    assert config_of(given, adapted=False).model is None


def test_the_settings_of_the_task_come_from_its_flags():
    found = of(
        task="causal-lm",
        max_length=48,
        column=["prompt=question", "completion=no"],
        task_option=["append_eos=false", "max_length=9", "reduction=sum"],
    )
    assert found.task == {
        "name": "causal-lm",
        "max_length": 48,
        "columns": {"prompt": "question", "completion": "no"},
        "append_eos": False,
        "reduction": "sum",
    }


def test_text_columns_keep_their_order():
    found = of(text_column=["premise", "hypothesis"], label_column="gold")
    assert found.task == {
        "text_columns": ["premise", "hypothesis"],
        "label_column": "gold",
    }


def test_options_of_the_method_join_those_of_the_file(tmp_path):
    given = written(tmp_path / "run.yaml", score={"options": {"seed": 3, "steps": 9}})
    found = of(given, method="lissa", option=["steps=50", "tolerance=1e-3"])
    assert found.score.options == {"seed": 3, "steps": 50, "tolerance": 1e-3}
    assert found.score.method == "lissa"


@pytest.mark.parametrize("whole_run", [True, False])
def test_a_recipe_comes_from_its_own_file_or_from_a_run(tmp_path, whole_run):
    recipe = {
        "peft": {"r": 4, "lora_alpha": 8},
        "training": {"max_steps": 3},
        "seed": 5,
    }
    values = {"recipe": recipe, "model": "other"} if whole_run else recipe
    file = written(tmp_path / "recipe.yaml", **values)
    found = of(recipe=file, rank=2, lr=0.1)
    assert found.recipe == Recipe(
        peft={"r": 2, "lora_alpha": 8},
        training={"max_steps": 3, "learning_rate": 0.1},
        seed=5,
    )
    assert found.model is None


def test_a_recipe_file_wins_over_that_of_the_run(tmp_path):
    run = written(tmp_path / "run.yaml", recipe={"peft": {"r": 4}, "seed": 5})
    file = written(tmp_path / "recipe.yaml", peft={"r": 7})
    assert of(run, recipe=file).recipe == Recipe(peft={"r": 7}, seed=5)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"recipe": 7}, "{file}: recipe must be a mapping, got 7."),
        (
            {"pfet": {}},
            "recipe.pfet is unknown: expected one of: peft, training, seed; did you "
            "mean 'peft'?.",
        ),
    ],
)
def test_a_file_that_holds_no_recipe_is_refused(tmp_path, values, message):
    file = written(tmp_path / "recipe.yaml", **values)
    expected = re.escape(message.format(file=file))
    with pytest.raises(OptionError, match=f"^{expected}$"):
        of(recipe=file)


@pytest.mark.parametrize(
    ("flag", "such_as"),
    [
        ("column", "prompt=question"),
        ("task_option", "append_eos=false"),
        ("option", "steps=50"),
    ],
)
def test_a_repeatable_flag_without_a_pair_is_refused_with_an_example(flag, such_as):
    name = "--" + flag.replace("_", "-")
    message = f"{name} 'word' must be key=value, such as {such_as}."
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        of(**{flag: ["word"]})
