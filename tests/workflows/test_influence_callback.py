"""InfluenceCallback in a real Trainer: the scores that `attribute` gives afterwards."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset

import datainf
from datainf.core.errors import DataError, DatainfWarning, OptionError, StoreError
from datainf.core.records import Scores
from datainf.integrations.checkpoints import find_checkpoints
from datainf.workflows import influence_callback
from datainf.workflows.attribute import attribute
from datainf.workflows.influence_callback import InfluenceCallback
from tests.tiny_models import tiny_bert_classifier
from tests.trainings import QUESTIONS, ROWS, TASK, names_of, trainer_of


def refused(message: str, kind: type[Exception] = OptionError) -> Any:
    return pytest.raises(kind, match=f"^{re.escape(message)}$")


def watched(folder: Path, arguments: Any = None, **options: Any) -> Any:
    """A trainer with the callback on it."""
    trainer = trainer_of(folder / "trainer", **(arguments or {}))
    callback = InfluenceCallback(
        trainer, QUESTIONS, TASK, out=folder / "run", **options
    )
    trainer.add_callback(callback)
    return trainer, callback


def test_scores_are_those_of_the_trained_adapter(tmp_path):
    trainer, callback = watched(tmp_path)
    trainer.train()
    own = attribute(trainer.model, ROWS, QUESTIONS, TASK)
    np.testing.assert_array_equal(callback.scores.values, own.values)
    saved = Scores.load(tmp_path / "run" / "scores")
    np.testing.assert_array_equal(saved.values, own.values)
    assert callback.report.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert (tmp_path / "run" / "adapter" / "adapter_config.json").is_file()
    told = trainer.state.log_history[-1]
    assert (told["influence_queries"], told["influence_examples"]) == (3, 11)
    assert told["influence_residual"] == own.residual.max()
    assert told["influence_agreement"] == pytest.approx(own.agreement.mean())


@pytest.mark.parametrize("method", ["tracin", "less"])
def test_methods_along_training_see_each_checkpoint(tmp_path, method):
    """Whatever the Trainer keeps and logs itself."""
    trainer, callback = watched(
        tmp_path,
        {"save_strategy": "epoch", "save_total_limit": 1, "logging_steps": 500},
        method=method,
    )
    trainer.train()
    other = trainer_of(tmp_path / "other", save_strategy="epoch", logging_steps=1)
    other.train()
    own = attribute(
        other.model,
        ROWS,
        QUESTIONS,
        TASK,
        method=method,
        checkpoints=tmp_path / "other",
    )
    size = np.abs(own.values).max()
    np.testing.assert_allclose(callback.scores.values, own.values, atol=1e-6 * size)


def test_other_methods_are_averaged_over_checkpoints_when_asked(tmp_path):
    trainer, callback = watched(
        tmp_path, over_checkpoints=True, checkpoint_limit=1, method="dot"
    )
    trainer.train()
    kept = find_checkpoints(tmp_path / "run" / "checkpoints")
    assert names_of(kept) == ["checkpoint-3", "checkpoint-6"]
    own = attribute(trainer.model, ROWS, QUESTIONS, TASK, method="dot")
    np.testing.assert_allclose(callback.scores.values, own.values, rtol=1e-6)


def test_an_interrupted_and_resumed_training_ends_with_the_same_scores(
    tmp_path, monkeypatch
):
    whole, expected = watched(tmp_path / "whole", method="tracin")
    whole.train()
    cut, lost = watched(tmp_path / "cut", method="tracin")

    def stop(_: Any, state: Any, *__: Any, **___: Any) -> None:
        if state.global_step == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(lost, "on_step_end", stop)
    with pytest.raises(KeyboardInterrupt):
        cut.train()
    with refused("there are no scores: training has not ended yet."):
        _ = lost.scores
    again, found = watched(tmp_path / "cut", method="tracin")
    again.train(resume_from_checkpoint=str(tmp_path / "cut/trainer/checkpoint-3"))
    np.testing.assert_array_equal(found.scores.values, expected.scores.values)
    weights = found.scores.provenance.options["checkpoint_weights"]
    assert weights == expected.scores.provenance.options["checkpoint_weights"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (StoreError("the disk is full."), "the disk is full"),
        (RuntimeError("out of memory"), "RuntimeError: out of memory"),
    ],
)
def test_a_failure_after_training_does_not_take_the_training_away(
    tmp_path, monkeypatch, error, said
):
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    trainer, callback = watched(tmp_path)
    monkeypatch.setattr(influence_callback, "attribute", fail)
    message = (
        f"training is done, and the adapter lies in {tmp_path / 'run/adapter'}, but "
        f"there are no scores: {said}."
    )
    with pytest.warns(DatainfWarning, match=f"^{re.escape(message)}$"):
        trainer.train()
    assert (tmp_path / "run/adapter/adapter_model.safetensors").is_file()
    with refused(f"there are no scores: {said}."):
        _ = callback.scores


def test_results_of_an_earlier_training_stay(tmp_path):
    first, _ = watched(tmp_path, method="dot")
    first.train()
    again, _ = watched(tmp_path, method="dot")
    with refused(
        f"{tmp_path / 'run'} holds adapter of an earlier training; give the callback "
        "another out, or delete it."
    ):
        again.train()
    assert again.state.global_step == 0


# --- refused before training --------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"damping": 0.0}, "datainf: damping must be a positive number, got 0.0."),
        (
            {"checkpoint_limit": 2},
            "checkpoint_limit came without checkpoints; give over_checkpoints=True.",
        ),
        (
            {"method": "less", "over_checkpoints": False},
            "less reads Adam's moments at checkpoints; leave over_checkpoints out.",
        ),
    ],
)
def test_wrong_options_are_refused(tmp_path, options, message):
    with refused(message):
        watched(tmp_path, **options)


def test_less_needs_checkpoints_with_the_optimizer(tmp_path):
    with refused(
        "less needs the optimizer's state, and the Trainer saves only the model; train "
        "with save_only_model=False."
    ):
        watched(tmp_path, {"save_only_model": True}, method="less")


def test_examples_that_stream_by_are_refused(tmp_path):
    trainer = trainer_of(tmp_path)
    trainer.train_dataset = Dataset.from_list(ROWS).to_iterable_dataset()
    with refused(
        "the Trainer's train_dataset is a IterableDataset; examples must have a length "
        "and be read by number: give train=ROWS.",
        DataError,
    ):
        InfluenceCallback(trainer, QUESTIONS, TASK)
    InfluenceCallback(trainer, QUESTIONS, TASK, train=ROWS)


def test_queries_that_cannot_be_read_are_refused(tmp_path):
    trainer = trainer_of(tmp_path)
    with pytest.raises(DataError, match=re.escape("example 1: label 9 is outside")):
        InfluenceCallback(trainer, [QUESTIONS[0], {"text": "x", "label": 9}], TASK)


def test_a_model_without_adapter_is_refused(tmp_path):
    trainer = trainer_of(tmp_path)
    trainer.model = tiny_bert_classifier(2)
    with pytest.raises(datainf.AdapterError):
        InfluenceCallback(trainer, QUESTIONS, TASK)
