"""What is judged: read from one line of text, made from stores, files or baselines."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from datainf.core.errors import DataError, OptionError, StoreError
from datainf.evaluation.baselines import random_scores, tfidf_scores
from datainf.workflows.contenders import (
    DEFAULT_METHODS,
    contenders,
    saved_scores,
    scores_of,
)
from datainf.workflows.ground import Ground
from datainf.workflows.pair import collected
from datainf.workflows.score import score
from tests.workflows.collecting import Told
from tests.workflows.judging import judged
from tests.workflows.run_folders import N, Q, review_folders


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reviews")
    return Ground.prepare(judged(review_folders(folder), folder / "out"), Told())


@pytest.fixture(scope="module")
def pair(ground):
    with collected(
        ground.model,
        ground.train.dataset,
        ground.queries.dataset,
        ground.task,
        cache=ground.config.out,
    ) as found:
        yield found


def made(spec, ground, pair):
    (one,) = contenders([spec])
    return scores_of(one, ground, pair)


def test_alternatives_are_all_combined_and_listed_once():
    found = contenders(["exact:damping=1/10,normalize=none/example", "dot", "dot"])
    assert [one.name for one in found] == [
        "exact:damping=1,normalize=none",
        "exact:damping=1,normalize=example",
        "exact:damping=10,normalize=none",
        "exact:damping=10,normalize=example",
        "dot",
    ]
    assert found[1].options == {"damping": 1, "normalize": "example"}


def test_a_baseline_stands_on_the_gradients_of_dot():
    found = contenders(["random", "trak:damping=1"])
    assert [one.estimator.name for one in found] == ["dot", "trak"]
    assert found[1].estimator.damping == 1


def test_numbers_and_truths_are_read_as_such():
    (one,) = contenders(["lissa:damping=1e-1,steps=7,blocks=layer,keep_blocks=true"])
    assert one.options == {
        "damping": 0.1,
        "steps": 7,
        "blocks": "layer",
        "keep_blocks": True,
    }


def test_every_default_can_be_made():
    assert len(contenders(DEFAULT_METHODS)) == 28


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("exact:damping", "method 'exact:damping' must be a name, or name:option=value "
         "with commas between options and / between values, such as "
         "exact:damping=1/10,normalize=none/example."),
        ("random:seed=1", "random has no options, got seed=1."),
        ("dot:damping=1", "dot does not use damping, got 1; leave it out."),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(spec, message):
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        contenders([spec])


def test_a_method_that_is_not_there_is_refused():
    with pytest.raises(OptionError, match=r"^method='exakt' is unknown: expected one "):
        contenders(["exakt"])


def test_a_method_gives_what_score_gives(ground, pair):
    found = made("exact:damping=10,normalize=example", ground, pair)
    options: dict[str, Any] = {"damping": 10, "normalize": "example"}
    expected = score(pair.train, pair.queries, method="exact", **options)
    np.testing.assert_array_equal(found, expected.values)


def test_rows_without_a_gradient_count_nothing(ground, pair, tmp_path):
    rows = [ground.train.dataset[i] for i in range(N - 1)]
    queries = ground.queries.dataset
    with collected(ground.model, rows, queries, ground.task, cache=tmp_path) as fewer:
        for spec in ("dot", "loss"):
            found = made(spec, ground, fewer)
            expected = made(spec, ground, pair)
            np.testing.assert_allclose(found[:, :-1], expected[:, :-1], rtol=1e-4)
            assert not found[:, -1].any()


def test_margins_are_not_taken_for_losses(ground, tmp_path):
    data = (ground.train.dataset, ground.queries.dataset, ground.task)
    with collected(ground.model, *data, cache=tmp_path, output="margin") as margins:
        assert made("trak", ground, margins).shape == (Q, N)
        with pytest.raises(OptionError, match=r"^loss ranks by the examples' losses, "):
            made("loss", ground, margins)


def test_queries_without_a_gradient_are_refused(ground, pair):
    more = replace(ground, queries=replace(ground.queries, table=ground.train.table))
    message = f"{N - Q} of {N} queries have no gradient; leave them out of the queries."
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        made("dot", more, pair)


def test_baselines_look_at_no_gradient(ground, pair):
    train, queries = (
        list(rows.table["text"]) for rows in (ground.train, ground.queries)
    )
    np.testing.assert_array_equal(
        made("tfidf", ground, pair), tfidf_scores(train, queries)
    )
    np.testing.assert_array_equal(
        made("random", ground, pair), random_scores(Q, N, seed=0)
    )
    losses = made("loss", ground, pair)
    np.testing.assert_array_equal(losses, np.tile(pair.train.losses, (Q, 1)))


def test_saved_scores_of_these_rows_are_read(ground, pair, tmp_path):
    scores = score(pair.train, pair.queries, method="dot")
    scores.save(tmp_path / "run" / "scores")
    scores.save(tmp_path / "plain")
    folders = [str(tmp_path / "run"), str(tmp_path / "plain")]
    found = list(saved_scores(folders, ground))
    assert [name for name, _ in found] == folders
    for _, values in found:
        np.testing.assert_array_equal(values, scores.values)


@pytest.mark.parametrize("side", ["train", "queries"])
def test_saved_scores_of_other_rows_are_refused(ground, pair, tmp_path, side):
    sides = {"train": pair.train, "queries": pair.queries}
    other = "queries" if side == "train" else "train"
    score(**{**sides, side: sides[other]}, method="dot").save(tmp_path)
    count = {"train": N, "queries": Q}[side]
    message = (
        f"{tmp_path} holds scores of other {side} rows than this run's {count}; score "
        "them again, or give the data they were made of."
    )
    with pytest.raises(StoreError, match=f"^{re.escape(message)}$"):
        list(saved_scores([str(tmp_path)], ground))
