"""Recipe: what it refuses, what it writes, when two are the same."""

import re

import pytest

from datainf.core.errors import OptionError
from datainf.core.recipe import Recipe


@pytest.mark.parametrize(
    ("name", "advice"),
    [("output_dir", "each run sets its own."), ("seed", "use recipe.seed.")],
)
def test_what_the_recipe_sets_itself_is_refused(name, advice):
    message = f"recipe.training must not hold {name!r}: {advice}"
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        Recipe(training={name: 1})


def test_a_dictionary_gives_the_same_back():
    recipe = Recipe(peft={"r": 4}, training={"learning_rate": 1e-3}, seed=7)
    assert Recipe.from_dict(recipe.to_dict()) == recipe


def test_an_unknown_key_is_refused():
    message = (
        "recipe.traning is unknown: expected one of: peft, training, seed; did you "
        "mean "
        "'training'?."
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        Recipe.from_dict({"traning": {}})


def test_fingerprints_differ_where_a_value_does():
    recipe = Recipe(peft={"r": 4, "lora_alpha": 8})
    assert recipe.fingerprint == Recipe(peft={"lora_alpha": 8, "r": 4}).fingerprint
    assert recipe.fingerprint != Recipe(peft={"r": 4, "lora_alpha": 9}).fingerprint
    assert recipe.fingerprint != Recipe(peft=recipe.peft, seed=1).fingerprint
