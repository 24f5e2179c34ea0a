"""Scores over a real training's checkpoints, against each adapter by itself."""

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datainf.core.checkpoint import Checkpoint
from datainf.core.errors import AdapterError, OptionError, StoreError
from datainf.core.recipe import Recipe
from datainf.core.run_config import RunConfig
from datainf.estimators.table import build
from datainf.integrations.adapters import load_adapter
from datainf.integrations.checkpoints import find_checkpoints
from datainf.integrations.optimizer_state import learning_rates, read_moments
from datainf.integrations.peft import adapter_of
from datainf.workflows.attribute import attribute
from datainf.workflows.checkpoints import (
    Several,
    chosen_checkpoints,
    gathered,
    refuse_checkpoints,
)
from datainf.workflows.collect import collect
from datainf.workflows.data import load_rows
from datainf.workflows.mislabeled import mislabeled
from datainf.workflows.run_file import read_run, write_run
from datainf.workflows.runs import (
    attribute_run,
    collect_run,
    estimate_run,
    mislabeled_run,
    score_run,
)
from datainf.workflows.score import score
from datainf.workflows.subject import load_subject
from datainf.workflows.training import train_run
from tests.reference import influence_by_inverse
from tests.workflows.collecting import Told, state_of, together
from tests.workflows.run_folders import Folders, N, Q, review_folders

EPOCHS = 3


def refused(message: str, kind: type[Exception] = OptionError) -> Any:
    return pytest.raises(kind, match=f"^{re.escape(message)}")


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> Folders:
    """An adapter with the checkpoint of each of three epochs beside it."""
    made = review_folders(tmp_path_factory.mktemp("reviews"))
    assert made.config.recipe is not None
    training = {
        "num_train_epochs": EPOCHS,
        "per_device_train_batch_size": 4,
        "learning_rate": 1e-2,
        "save_strategy": "epoch",
    }
    recipe = Recipe(peft=made.config.recipe.peft, training=training, seed=3)
    out = Path(made.adapter).parent / "longer"
    train_run(replace(made.config, recipe=recipe, out=str(out)))
    return replace(made, adapter=str(out))


@pytest.fixture(scope="module")
def parts(folders):
    """Model, training examples, queries and task of the adapter."""
    subject = load_subject(replace(read_run(folders.adapter), adapter=folders.adapter))
    config = folders.run(Path("nowhere"))
    train, queries = (
        load_rows(data, subject.task).dataset for data in (config.train, config.queries)
    )
    return subject.model, train, queries, subject.task


@pytest.fixture(scope="module")
def alone(folders, parts, tmp_path_factory):
    """Each checkpoint loaded as an adapter by itself: its gradients, and moments."""
    _, train, queries, task = parts
    found = []
    for place in find_checkpoints(folders.adapter):
        model, _ = load_adapter(str(place), base=folders.base)
        out = tmp_path_factory.mktemp(place.name)
        pair = [
            collect(model, rows, task, out=out / name)
            for name, rows in (("train", train), ("queries", queries))
        ]
        found.append((pair, read_moments(place, model, adapter_of(model))))
    return found


def run_of(folders: Folders, out: Path, **changes: Any) -> RunConfig:
    """A run with the task that the adapter was trained for."""
    return folders.run(out, task=read_run(folders.adapter).task, **changes)


def over(parts, folders, **options):
    return attribute(*parts, checkpoints=folders.adapter, **options)


@pytest.mark.parametrize("method", ["tracin", "datainf", "dot"])
def test_scores_are_the_weighted_sum_of_each_adapters_own(
    method, folders, parts, alone, tmp_path
):
    before = state_of(parts[0])
    found = over(parts, folders, method=method, cache=tmp_path)
    assert state_of(parts[0]) == before
    rates = learning_rates(find_checkpoints(folders.adapter))
    weights = rates if method == "tracin" else [1 / EPOCHS] * EPOCHS
    expected: Any = 0
    for weight, (pair, _) in zip(weights, alone, strict=True):
        rows, asked = (together(store) for store in pair)
        expected = expected + weight * influence_by_inverse(
            method, rows, asked, groups=[[name] for name in rows]
        )
    size = float(expected.abs().max())
    np.testing.assert_allclose(
        found.values, expected.numpy(), rtol=1e-4, atol=1e-5 * size
    )
    assert found.provenance.options["checkpoint_weights"] == pytest.approx(weights)
    assert found.values.shape == (Q, N)
    assert found.train["index"].tolist() == list(range(N))


def test_less_reads_the_moments_of_each_checkpoint(folders, parts, alone):
    found = over(parts, folders, method="less", projection=101)
    rates = learning_rates(find_checkpoints(folders.adapter))
    estimator = build("less", options={"projection": 101})
    expected: Any = 0
    for rate, (pair, moments) in zip(rates, alone, strict=True):
        one = Checkpoint(pair[0], pair[1], moments=moments)
        expected = expected + rate * estimator.score_at(one).values
    np.testing.assert_allclose(found.values, expected, atol=1e-5 * sum(rates))
    assert np.abs(found.values).max() <= sum(rates)


def test_trak_takes_margins_at_every_checkpoint(folders, parts):
    found = over(parts, folders, method="trak", output="margin", projection=17)
    assert found.residual.max() < 1e-6
    assert np.isfinite(found.values).all()
    with refused("trak is made of gradients of the margin, got output='loss'"):
        over(parts, folders, method="trak")


def test_stores_lie_by_checkpoint_and_are_reused(folders, parts, tmp_path):
    told = Told()
    first = over(parts, folders, method="tracin", cache=tmp_path, progress=told)
    assert sum(title == "gradients" for title, _ in told.of("stage")) == 2 * EPOCHS
    names = [path.name for path in find_checkpoints(folders.adapter)]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(names)
    assert all((tmp_path / name / "train").is_dir() for name in names)
    told = Told()
    again = over(parts, folders, method="tracin", cache=tmp_path, progress=told)
    assert "gradients" not in dict(told.of("stage"))
    np.testing.assert_array_equal(first.values, again.values)
    assert [text for text in told.of("say") if "weight" in text][-1].startswith(
        f"{names[-1]}, weight 0.00"
    )


def test_a_limit_takes_fewer(folders, parts):
    found = over(parts, folders, checkpoint_limit=2, method="dot")
    assert found.provenance.options["checkpoint_weights"] == [0.5, 0.5]
    assert {name for name in found.provenance.sources if "checkpoint" in name} == {
        f"{what} at {find_checkpoints(folders.adapter)[-1].name}"
        for what in ("train", "queries")
    }


def test_mislabeled_is_against_the_mean_query_at_each_checkpoint(folders, parts):
    model, train, queries, task = parts
    found = mislabeled(
        model, train, queries, task, method="tracin", checkpoints=folders.adapter
    )
    each = over(parts, folders, method="tracin")
    mean = each.values.mean(axis=0)
    np.testing.assert_allclose(found.scores.values[0], mean, rtol=1e-4, atol=1e-7)
    with refused("self-influence is that of one state of the adapter; give"):
        mislabeled(model, train, None, task, checkpoints=folders.adapter)


# --- which checkpoints ---------------------------------------------------------------


def test_methods_along_training_take_the_adapters_own_where_none_are_named(folders):
    own = find_checkpoints(folders.adapter)
    for method in ("tracin", "less"):
        chosen = chosen_checkpoints(build(method), None, adapter=folders.adapter)
        assert chosen == own
    assert chosen_checkpoints(build("tracin"), None, adapter="nowhere") is None
    assert chosen_checkpoints(build("datainf"), None, adapter=folders.adapter) is None
    assert chosen_checkpoints(build("datainf"), own[:2], 1) == [own[1]]


def test_checkpoints_that_an_earlier_training_left_there_are_refused(folders, tmp_path):
    adapter = shutil.copytree(folders.adapter, tmp_path / "twice")
    own = read_run(adapter)
    kept = replace(own.recipe or Recipe(), seed=4).keeping_nothing()
    write_run(replace(own, recipe=kept), adapter)
    message = (
        f"{adapter / 'checkpoints'} holds checkpoints of a training with another "
        f"recipe than that of {adapter}; train it again in a folder of its own, with "
        "save_strategy: epoch in the recipe."
    )
    with refused(message):
        chosen_checkpoints(build("tracin"), None, adapter=str(adapter))
    named = chosen_checkpoints(build("tracin"), adapter / "checkpoints")
    assert named == find_checkpoints(adapter)
    (adapter / "checkpoints" / "run.json").unlink()  # a Trainer's own
    assert chosen_checkpoints(build("tracin"), None, adapter=str(adapter)) == named


def test_a_limit_without_checkpoints_is_refused():
    with refused(
        "checkpoint_limit=2 came without checkpoints; name their folder with "
        "checkpoints= (--checkpoints), or leave it out."
    ):
        chosen_checkpoints(build("datainf"), None, 2)
    with refused("checkpoint_limit must be a whole number of at least 1, got 0."):
        chosen_checkpoints(build("datainf"), "x", 0)


def test_less_without_checkpoints_is_refused_before_any_work(folders, parts):
    with refused(
        "less needs Adam's moments at checkpoints of the training, which an adapter "
        "alone has not; train with save_strategy: epoch and name the checkpoints' "
        "folder with checkpoints= (--checkpoints)."
    ):
        attribute(*parts, method="less")
    with refused("less is made of gradients of the loss, as Adam's moments are, got"):
        attribute(*parts, method="less", output="margin", checkpoints=folders.adapter)


def test_a_checkpoint_without_its_optimizer_is_refused_before_any_gradient(
    folders, parts, tmp_path
):
    last = find_checkpoints(folders.adapter)[-1]
    shutil.copytree(last, tmp_path / last.name)
    (tmp_path / last.name / "optimizer.pt").unlink()
    told = Told()
    with refused(f"{tmp_path / last.name} has no optimizer.pt; train", StoreError):
        attribute(*parts, method="less", checkpoints=tmp_path, progress=told)
    assert told.of("stage") == []


def test_checkpoints_of_another_adapter_are_refused(folders, parts, tmp_path):
    last = find_checkpoints(folders.adapter)[-1]
    shutil.copytree(last, tmp_path / last.name)
    config = tmp_path / last.name / "adapter_config.json"
    text = re.sub(r'"lora_alpha": \d+', '"lora_alpha": 9', config.read_text())
    config.write_text(text)
    with refused(
        f"{tmp_path / last.name} is an adapter with lora_alpha=9", AdapterError
    ):
        attribute(*parts, checkpoints=tmp_path)


def test_the_folder_is_temporary_without_a_cache(folders, parts, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    saved = find_checkpoints(folders.adapter, 1)
    model, train, queries, task = parts
    with gathered(
        model, train, queries, task, saved, build("dot"), cache=None
    ) as found:
        assert isinstance(found, Several)
        assert found.train.path.is_relative_to(tmp_path)
    assert list(tmp_path.iterdir()) == []


# --- whole runs ----------------------------------------------------------------------


def test_runs_take_checkpoints_and_replay(folders, tmp_path):
    config = run_of(folders, tmp_path / "a", checkpoint_limit=2)
    config = replace(config, score=replace(config.score, method="tracin"))
    first = attribute_run(config)
    assert len(first.scores.provenance.options["checkpoint_weights"]) == 2
    again = attribute_run(replace(read_run(tmp_path / "a"), out=str(tmp_path / "b")))
    np.testing.assert_array_equal(first.scores.values, again.scores.values)
    suspects = mislabeled_run(replace(config, out=str(tmp_path / "a")))
    np.testing.assert_allclose(
        suspects.scores.values[0], first.scores.values.mean(axis=0), rtol=1e-4,
        atol=1e-7,
    )  # fmt: skip
    told = estimate_run(config)
    assert set(told) == {
        "train at each of 2 checkpoints",
        "queries at each of 2 checkpoints",
    }


def test_what_works_at_one_state_refuses_checkpoints(folders, tmp_path):
    config = folders.run(tmp_path / "a", checkpoints=folders.adapter)
    message = "{} works at one state of the adapter; leave checkpoints and"
    with refused(message.format("datainf collect")):
        collect_run(config)
    with refused(message.format("datainf score")):
        score_run(config)
    with refused(message.format("x")):
        refuse_checkpoints(replace(config, checkpoints=None, checkpoint_limit=1), "x")
    refuse_checkpoints(RunConfig(), "x")


def test_several_give_score_what_it_takes(folders, parts):
    saved = find_checkpoints(folders.adapter)
    model, train, queries, task = parts
    with gathered(
        model, train, queries, task, saved, build("dot"), cache=None
    ) as found:
        assert isinstance(found, Several)
        assert [one.name for one in found.checkpoints] == [p.name for p in saved]
        assert score(**found.sources, method="dot").values.shape == (Q, N)


@pytest.mark.parametrize("name", ["train", "queries-1a2b3c4d", "scores"])
def test_a_checkpoint_does_not_take_the_place_of_a_runs_own_folder(
    name, folders, parts, tmp_path
):
    place = tmp_path / name
    shutil.copytree(find_checkpoints(folders.adapter)[0], place)
    message = f"a checkpoint's stores lie in a folder of its name, and {name!r} is"
    with refused(message):
        attribute(*parts, method="dot", checkpoints=[place], cache=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_store_to_reuse_that_is_not_there_is_refused(folders, parts, tmp_path):
    missing = str(tmp_path / "missing")
    with refused(f"reuse={missing!r} is no folder. Over checkpoints each one's own"):
        over(parts, folders, method="dot", cache=tmp_path / "run", reuse=missing)


def test_what_needs_moments_has_no_self_influence(parts):
    model, train, _, task = parts
    message = (
        "less ranks by influence on trusted rows, and has no self-influence; give "
        "validation data (--validation), or choose another method."
    )
    with refused(message):
        mislabeled(model, train, None, task, method="less", checkpoints="anywhere")


def test_self_influence_of_a_method_along_training_says_that_it_is_of_one_state(parts):
    model, train, _, task = parts
    found = mislabeled(model, train, None, task, method="tracin")
    assert found.scores.provenance.notes[0].endswith(
        "tracin would follow training over its checkpoints; self-influence is that of "
        "the last state alone."
    )
