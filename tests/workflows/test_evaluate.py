"""What every evaluation shares: which scores are made, when, and what is left."""

import json

import pandas as pd
import pytest

from datainf.core.errors import OptionError
from datainf.core.evaluate_options import EvaluateOptions
from datainf.core.run_config import RunConfig
from datainf.workflows.contenders import DEFAULT_METHODS, contenders
from datainf.workflows.evaluate import all_scores, chosen, write_results
from datainf.workflows.ground import Ground
from datainf.workflows.run_file import read_run
from tests.workflows.collecting import Told
from tests.workflows.judging import judged
from tests.workflows.run_folders import N, Q, review_folders


@pytest.fixture(scope="module")
def reviews(tmp_path_factory):
    return review_folders(tmp_path_factory.mktemp("reviews"))


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
