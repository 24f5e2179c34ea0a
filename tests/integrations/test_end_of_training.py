"""The end of training: what is kept on the way, and who is told."""

import re
from pathlib import Path
from typing import Any

import pytest
from transformers import TrainerCallback

from datainf.core.errors import OptionError, StoreError
from datainf.integrations.checkpoints import find_checkpoints
from datainf.integrations.end_of_training import EndOfTraining
from datainf.integrations.kept_checkpoints import KeptCheckpoints
from datainf.integrations.optimizer_state import learning_rates
from tests.trainings import adapter_bytes, names_of, trainer_of


class Ended(EndOfTraining):
    """Counts how often training ended."""

    ended = 0

    def finish(self) -> dict[str, float]:
        self.ended += 1
        return {"influence_seven": 7.0}


class Tracker(TrainerCallback):
    """What a tracker sees, in order."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def on_log(self, *_: Any, **rest: Any) -> None:
        self.seen += [name for name in rest["logs"] if name.startswith("influence")]

    def on_train_end(self, *_: Any, **__: Any) -> None:
        self.seen.append("closed")


def watched(folder: Path, *, moments: bool = False, **arguments: Any) -> Any:
    """A trainer with a callback that keeps checkpoints."""
    trainer = trainer_of(folder / "trainer", **arguments)
    kept = KeptCheckpoints(folder / "kept", moments=moments)
    callback = Ended(trainer, kept, moments=moments)
    trainer.add_callback(callback)
    return trainer, callback


def test_training_is_the_same_to_the_bit(tmp_path):
    alone = trainer_of(tmp_path / "alone")
    alone.train()
    trainer, callback = watched(tmp_path, moments=True)
    trainer.train()
    assert callback.ended == 1
    assert adapter_bytes(trainer.model) == adapter_bytes(alone.model)


def test_where_the_trainer_saves_nothing_each_epoch_is_kept(tmp_path):
    trainer, _ = watched(tmp_path)
    trainer.train()
    found = find_checkpoints(tmp_path / "kept")
    assert names_of(found) == ["checkpoint-3", "checkpoint-6"]
    # Six steps, the rate falling from 0.01 to 0 in a straight line.
    rates = [0.01 * (1 - step / 6) for step in range(6)]
    expected = [sum(rates[:3]) / 3, sum(rates[3:]) / 3]
    assert learning_rates(found) == pytest.approx(expected)


def test_what_the_trainer_deletes_is_kept(tmp_path):
    trainer, _ = watched(
        tmp_path, save_strategy="steps", save_steps=2, save_total_limit=1
    )
    trainer.train()
    assert names_of(find_checkpoints(tmp_path / "trainer")) == ["checkpoint-6"]
    assert names_of(find_checkpoints(tmp_path / "kept")) == [
        *("checkpoint-2", "checkpoint-4", "checkpoint-6")
    ]


def test_trackers_are_told_before_they_close(tmp_path):
    tracker = Tracker()
    trainer = trainer_of(tmp_path)
    trainer.add_callback(tracker)
    trainer.add_callback(Ended(trainer, None))
    trainer.train()
    assert tracker.seen == ["influence_seven", "closed"]
    assert trainer.state.log_history[-1]["influence_seven"] == 7.0


def test_without_copies_nothing_is_saved(tmp_path):
    trainer = trainer_of(tmp_path)
    trainer.add_callback(Ended(trainer, None))
    trainer.train()
    assert list(tmp_path.rglob("checkpoint-*")) == []


def test_another_optimizer_than_adam_shows_with_the_first_checkpoint(tmp_path):
    trainer, callback = watched(tmp_path, moments=True, optim="sgd")
    with pytest.raises(StoreError, match="less needs a training with one of these"):
        trainer.train()
    assert trainer.state.global_step == 3
    assert callback.ended == 0


@pytest.mark.parametrize("kind", ["is_deepspeed_enabled", "is_fsdp_enabled"])
def test_weights_spread_over_processes_are_refused(tmp_path, kind):
    trainer = trainer_of(tmp_path)
    setattr(trainer, kind, True)
    message = (
        "DeepSpeed and FSDP spread a model's weights over processes, and gradients of "
        "single examples need them whole; train as you like, then score the saved "
        "adapter with `datainf attribute`."
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        EndOfTraining(trainer, None)


def test_what_is_done_is_for_the_subclass_to_say(tmp_path):
    trainer = trainer_of(tmp_path)
    with pytest.raises(NotImplementedError):
        EndOfTraining(trainer, None).finish()
