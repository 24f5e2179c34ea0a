"""What every evaluation shares: which scores are made, when, and what is left."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from datainf.core.errors import OptionError, StoreError
from datainf.core.evaluate_options import BatchOrder, EvaluateOptions
from datainf.core.options import CollectOptions, ScoreOptions
from datainf.core.recipe import Recipe
from datainf.core.run_config import RunConfig
from datainf.workflows.contenders import DEFAULT_METHODS, contenders
from datainf.workflows.evaluate import all_scores, chosen, write_results
from datainf.workflows.ground import Ground
from datainf.workflows.retraining import Retraining
from datainf.workflows.run_file import read_run
from datainf.workflows.runs import attribute_run
from tests.workflows.collecting import Told
from tests.workflows.judging import judged
from tests.workflows.run_folders import N, Q, review_folders


@pytest.fixture(scope="module")
def reviews(tmp_path_factory):
    return review_folders(tmp_path_factory.mktemp("reviews"))


def keeping(config, folder):
    """Let a run train its adapter first, and keep a checkpoint an epoch."""
    recipe = config.recipe or Recipe()
    training = {**recipe.training, "save_strategy": "epoch"}
    own = replace(recipe, training=training)
    return replace(config, adapter=None, recipe=own, out=str(folder))


def options(**given):
    return RunConfig(evaluate=EvaluateOptions(**given))


def test_the_default_methods_are_judged_where_nothing_is_named():
    assert chosen(RunConfig()) == chosen(options()) == contenders(DEFAULT_METHODS)
    assert chosen(options(methods=["dot"])) == contenders(["dot"])
    assert chosen(options(scores=["folder"])) == []


def test_scores_are_saved_ones_first_and_the_model_is_let_go(reviews, tmp_path):
    ground = Ground.prepare(judged(reviews, tmp_path), Told())
    (first,) = all_scores(ground, contenders(["dot"]), Told())
    assert first[0] == "dot"
    assert first[1].shape == (Q, N)
    assert ground.model is None
    assert {path.name.partition("-")[0] for path in tmp_path.iterdir()} == {
        "train",
        "queries",
    }


def test_without_methods_nothing_is_collected(reviews, tmp_path):
    ground = Ground.prepare(judged(reviews, tmp_path), Told())
    assert all_scores(ground, [], Told()) == []
    assert not any(tmp_path.iterdir())


def test_methods_along_the_training_take_the_checkpoints_beside_the_adapter(
    reviews, tmp_path
):
    config = judged(reviews, tmp_path)
    ground = Ground.prepare(keeping(config, tmp_path), Told())
    asked = contenders(["tracin", "dot", "random", "less", "trak"])
    found = all_scores(ground, asked, Told())
    assert [name for name, _ in found] == [one.name for one in asked]
    for method in ("tracin", "less", "trak", "dot"):
        run = replace(
            read_run(tmp_path / "adapter"),
            adapter=str(tmp_path / "adapter"),
            queries=config.queries,
            score=ScoreOptions(method=method, agreement=False),
            collect=CollectOptions(output="margin" if method == "trak" else "loss"),
            out=str(tmp_path / method),
        )
        expected = attribute_run(run, Told()).scores.values
        np.testing.assert_allclose(dict(found)[method], expected, rtol=1e-6)


def test_methods_along_the_training_are_refused_without_checkpoints(reviews, tmp_path):
    ground = Ground.prepare(judged(reviews, tmp_path), Told())
    message = (
        f"less follows the training, and {reviews.adapter} has no checkpoints; train "
        "it with save_strategy: epoch in the recipe (retraining keeps none), or leave "
        "the method out."
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        all_scores(ground, contenders(["dot", "less"]), Told())
    assert not any(tmp_path.iterdir())


def test_what_methods_lack_is_told_before_the_first_gradient(reviews, tmp_path):
    config = keeping(judged(reviews, tmp_path), tmp_path)
    ground = Ground.prepare(config, Told())
    margins = replace(ground.config, collect=CollectOptions(output="margin"))
    with pytest.raises(OptionError, match=r"^less is made of gradients of the loss"):
        all_scores(replace(ground, config=margins), contenders(["dot", "less"]), Told())
    for moments in (tmp_path / "adapter").glob("checkpoints/*/optimizer.pt"):
        moments.unlink()
    with pytest.raises(StoreError, match=r"has no optimizer\.pt; train with"):
        all_scores(ground, contenders(["dot", "less"]), Told())
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]


def test_rows_of_margins_are_reused_from_their_own_store(reviews, tmp_path):
    config = judged(reviews, tmp_path)
    reuse = CollectOptions(reuse=tmp_path / "train")
    found = []
    for how in (CollectOptions(), reuse):
        ground = Ground.prepare(replace(config, collect=how), Told())
        found.append(all_scores(ground, contenders(["dot", "trak"]), Told()))
    for (_, first), (_, second) in zip(*found, strict=True):
        np.testing.assert_array_equal(first, second)


def test_retrainings_are_shared_with_a_recipe_that_keeps_checkpoints(reviews, tmp_path):
    config = judged(reviews, tmp_path / "none")
    runs = (config, keeping(config, tmp_path / "kept"))
    first, second = (Ground.prepare(one, Told()) for one in runs)
    assert first.retrained.folder.name == second.retrained.folder.name
    asked = [Retraining((1, 2), BatchOrder.RESHUFFLED, 0)]
    losses = [one.outcomes(asked, Told())[0].losses for one in (first, second)]
    assert losses[0] == losses[1]


def test_results_lie_beside_the_run_that_makes_them_again(reviews, tmp_path):
    config = judged(reviews, tmp_path, subsets=5)
    ground = Ground.prepare(config, Told())
    table = pd.DataFrame({"scores": ["dot"], "lds": [0.1]})
    csv, facts, run = write_results(ground, "lds", table, {"designs": [1]})
    pd.testing.assert_frame_equal(pd.read_csv(csv), table)
    found = json.loads(facts.read_text())
    assert found["designs"] == [1]
    assert found["retrained"]["recipe"] == ground.recipe.to_dict()
    assert found["retrained"]["folder"] == ground.retrained.folder.name
    again = read_run(run)
    assert again.evaluate == config.evaluate
    assert Ground.prepare(again, Told()).retrained.folder == ground.retrained.folder


def test_a_wrong_method_is_told_before_anything_else():
    with pytest.raises(OptionError, match=r"^dot does not use damping, got 1; leave"):
        chosen(options(methods=["dot:damping=1"]))
