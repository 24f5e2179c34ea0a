"""InfluenceCallback in TRL's SFTTrainer, which checkpoints and computes in bfloat16."""

import importlib.metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import transformers
from datasets import Dataset
from packaging.requirements import Requirement

import datainf
from datainf.capture.looped import looped_gradients
from datainf.capture.session import CaptureSession
from datainf.core.records import Scores
from datainf.integrations.checkpoints import find_checkpoints
from datainf.integrations.peft import adapter_of
from datainf.integrations.tasks.rows import tokens_alone
from datainf.workflows.influence_callback import InfluenceCallback
from tests.tiny_models import tiny_llama, tiny_tokenizer, with_lora
from tests.trainings import names_of

ROWS = [{"prompt": f"{i} + 1 = ", "completion": str(i + 1)} for i in range(7)]
STEPS_AN_EPOCH, EPOCHS = 3, 2


@pytest.fixture(scope="module", autouse=True)
def trl() -> Any:
    """TRL, where it can be imported: it fails in many ways beside an old library."""
    module = pytest.importorskip("trl", exc_type=ImportError)
    for line in importlib.metadata.requires("trl") or ():
        needed = Requirement(line)
        if needed.name == "transformers" and not needed.specifier.contains(
            transformers.__version__
        ):
            pytest.skip(f"trl needs {needed}, here is {transformers.__version__}")
    return module


def watched(trl: Any, folder: Path, **arguments: Any) -> Any:
    """An SFTTrainer with the callback on it."""
    transformers.set_seed(0)
    tokenizer = tiny_tokenizer()
    trainer = trl.SFTTrainer(
        model=with_lora(tiny_llama(), "CAUSAL_LM"),
        args=trl.SFTConfig(
            output_dir=str(folder / "trainer"),
            num_train_epochs=EPOCHS,
            per_device_train_batch_size=3,
            learning_rate=1e-2,
            save_strategy="epoch",
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
            **arguments,
        ),
        train_dataset=Dataset.from_list(ROWS),
        processing_class=tokenizer,
    )
    callback = InfluenceCallback(
        trainer,
        ROWS[:2],
        datainf.CausalLM(tokenizer),
        method="tracin",
        out=folder / "run",
    )
    trainer.add_callback(callback)
    return trainer, callback


@pytest.fixture(scope="module")
def whole(trl, tmp_path_factory):
    """A training that nothing interrupts."""
    folder = tmp_path_factory.mktemp("sft")
    trainer, callback = watched(trl, folder)
    trainer.train()
    return folder, trainer, callback


def test_scores_are_there_when_training_ends(whole):
    folder, _, callback = whole
    assert callback.scores.values.shape == (2, 7)
    assert np.abs(callback.scores.values).min() > 0
    saved = Scores.load(folder / "run" / "scores")
    np.testing.assert_array_equal(saved.values, callback.scores.values)
    kept = find_checkpoints(folder / "run" / "checkpoints")
    assert names_of(kept) == ["checkpoint-3", "checkpoint-6"]
    assert callback.report.is_file()


def test_examples_are_the_tokens_that_were_trained_on(whole):
    """SFTTrainer leaves its own texts beside them, which end with EOS."""
    folder, trainer, _ = whole
    prepared, task = trainer.train_dataset, datainf.CausalLM(tiny_tokenizer())
    assert {"prompt", "completion"} < set(prepared.column_names)
    alone = tokens_alone(prepared)
    assert alone.column_names == ["input_ids", "labels"]
    # The same as the task makes of the texts that were given.
    given, trained = task.collate(ROWS), task.collate(list(alone))
    assert all(given[key].equal(trained[key]) for key in given)
    read = pd.read_parquet(next(folder.rglob("train/examples.parquet")))
    assert read["tokens"].tolist() == [len(ids) for ids in prepared["input_ids"]]


def test_layers_keep_their_rules_and_the_gradients_of_the_looped_path(whole):
    """SFTTrainer leaves a model that checkpoints, and casts inside its forward."""
    _, trainer, _ = whole
    assert trainer.args.bf16
    model, task = trainer.model, datainf.CausalLM(tiny_tokenizer())
    adapter = adapter_of(model)
    with CaptureSession(model, adapter, task) as session:
        session.probe(ROWS[:2])
        assert set(session.coverage.values()) == {"rule Linear"}
        batch = task.collate(ROWS)
        found, _ = session.gradients(batch)
        parameters = [t.parameter for t in adapter.parameters]
        right = looped_gradients(model, batch, task.losses, parameters)
    for trained, rows in zip(adapter.parameters, right, strict=True):
        expected = rows.flatten(1)
        error = (found[trained.block.name] - expected).norm(dim=1).max()
        assert error < 0.01 * expected.norm(dim=1).max()  # bfloat16 keeps 8 bits


def test_an_interrupted_and_resumed_training_ends_with_the_same_scores(
    trl, whole, tmp_path, monkeypatch
):
    cut, lost = watched(trl, tmp_path)

    def stop(_: Any, state: Any, *__: Any, **___: Any) -> None:
        if state.global_step == STEPS_AN_EPOCH + 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(lost, "on_step_end", stop)
    with pytest.raises(KeyboardInterrupt):
        cut.train()
    again, found = watched(trl, tmp_path)
    again.train(resume_from_checkpoint=str(tmp_path / "trainer/checkpoint-3"))
    np.testing.assert_array_equal(found.scores.values, whole[2].scores.values)
