"""Adam's moments and learning rates out of a real Trainer's checkpoints."""

import json
import re
import shutil

import pytest
import torch
import transformers
from torch.nn.functional import cosine_similarity
from transformers import Trainer

from datainf.core.errors import StoreError
from datainf.core.recipe import Recipe
from datainf.estimators.adam_source import AdamSource
from datainf.integrations.optimizer_state import learning_rates, read_moments
from datainf.integrations.peft import adapter_of
from datainf.integrations.tasks.sequence_classification import SequenceClassification
from datainf.integrations.trainer import train
from datainf.store.memory import InMemorySource
from tests.tiny_models import tiny_bert_classifier, tiny_tokenizer

ROWS = [{"text": "good" if i % 2 else "bad " * i, "label": i % 2} for i in range(13)]
# A bias beside the matrices, so that both groups hold something.
PEFT = {"r": 2, "target_modules": ["query", "value"], "bias": "lora_only"}
TRAINING = {
    "num_train_epochs": 2,
    "per_device_train_batch_size": 4,
    "learning_rate": 1e-2,
    "weight_decay": 0.1,
    "save_strategy": "epoch",
    "logging_steps": 1,
}


def refuses(message):
    return pytest.raises(StoreError, match=f"^{re.escape(message)}$")


def trained(out, monkeypatch=None, **training):
    """Train, and keep the last Trainer's optimizer by the parameters themselves."""
    kept = {}
    if monkeypatch is not None:
        step = Trainer.train

        def spy(self, *args, **options):
            found = step(self, *args, **options)
            kept.update(self.optimizer.state)
            return found

        monkeypatch.setattr(Trainer, "train", spy)
    recipe = Recipe(peft=PEFT, training={**TRAINING, **training}, seed=0)
    task = SequenceClassification(tiny_tokenizer(), num_labels=2)
    return train(tiny_bert_classifier(2), ROWS, task, recipe, out=out), kept


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        model, kept = trained(folder, patch)
    return folder / "checkpoints", model, kept


@pytest.fixture
def changed(run, tmp_path):
    """A checkpoint whose optimizer's state a test may change."""
    folder = tmp_path / "checkpoint-8"
    shutil.copytree(run[0] / "checkpoint-8", folder)

    def change(how):
        state = torch.load(folder / "optimizer.pt", weights_only=True)
        torch.save(how(state) or state, folder / "optimizer.pt")
        return folder

    return change


def test_every_block_gets_the_moments_that_its_parameter_had(run):
    folder, model, kept = run
    adapter = adapter_of(model)
    found = read_moments(folder / "checkpoint-8", model, adapter)
    assert any(name.endswith("bias") for name in adapter.layout.names)
    assert sorted(found.first) == sorted(adapter.layout.names)
    by_id = {id(parameter): state for parameter, state in kept.items()}
    for one in adapter.parameters:
        state = by_id[id(one.parameter)]
        assert torch.equal(found.first[one.block.name], state["exp_avg"].flatten())
        assert torch.equal(found.second[one.block.name], state["exp_avg_sq"].flatten())
        assert found.steps[one.block.name] == int(state["step"]) == 8
    assert (found.betas, found.eps) == ((0.9, 0.999), 1e-8)
    found.require_fitting(adapter.layout)


def test_the_last_step_of_training_is_that_of_the_moments_read(run):
    """Adam's step without new gradient follows the momentum that was read."""
    folder, model, _ = run
    adapter = adapter_of(model)
    moments = read_moments(folder / "checkpoint-8", model, adapter)
    zeros = {name: torch.zeros(1, d) for name, d in adapter.layout.sizes.items()}
    part = next(AdamSource(InMemorySource(zeros, adapter.layout), moments).rows())
    name = next(name for name in adapter.layout.names if "lora_B" in name)
    alike = cosine_similarity(part.gradients[name][0], moments.first[name], dim=0)
    assert float(alike) > 0


def test_other_optimizers_are_refused_by_what_they_keep(tmp_path):
    model, _ = trained(tmp_path, optim="adagrad", num_train_epochs=1)
    (folder,) = (tmp_path / "checkpoints").glob("checkpoint-*")
    with refuses(
        f"{folder / 'optimizer.pt'}: parameter 0 holds step, sum, where Adam and "
        "AdamW keep exp_avg, exp_avg_sq and step; less needs a training with one of "
        "these (optim: adamw_torch)."
    ):
        read_moments(folder, model, adapter_of(model))


def test_parameters_in_another_order_are_refused_where_shapes_tell(run, changed):
    def turn(state):
        numbers = state["param_groups"][0]["params"]
        numbers.append(numbers.pop(0))

    with pytest.raises(StoreError, match=r"parameter \d+ has shape .* which stands"):
        read_moments(changed(turn), run[1], adapter_of(run[1]))


def test_other_numbers_of_parameters_are_refused(run, changed):
    def drop(state):
        state["param_groups"][0]["params"].pop()

    def move(state):
        first, second = state["param_groups"]
        second["params"].append(first["params"].pop())

    for how, said in ((drop, r"is of \d+ parameters in 2"), (move, r"has a group of")):
        with pytest.raises(StoreError, match=said):
            read_moments(changed(how), run[1], adapter_of(run[1]))
        shutil.copy(run[0] / "checkpoint-8" / "optimizer.pt", changed(lambda _: None))


def test_other_settings_of_the_groups_are_refused(run, changed):
    def other(state):
        state["param_groups"][1]["eps"] = 1e-3

    folder = changed(other)
    with refuses(
        f"{folder / 'optimizer.pt'}: its groups have other betas and eps, or none; "
        "less needs one Adam for all parameters."
    ):
        read_moments(folder, run[1], adapter_of(run[1]))


def test_files_that_are_missing_damaged_or_something_else_are_refused(run, changed):
    folder = changed(lambda state: state["state"])
    path, adapter = folder / "optimizer.pt", adapter_of(run[1])
    with refuses(
        f"{path} is no optimizer's state: expected state and param_groups; give a "
        "checkpoint of the Trainer."
    ):
        read_moments(folder, run[1], adapter)
    path.write_bytes(b"nothing of the kind")
    with refuses(
        f"{path} cannot be read as an optimizer's tensors; copy the checkpoint again."
    ):
        read_moments(folder, run[1], adapter)
    path.unlink()
    with refuses(f"{folder} has no optimizer.pt; train with save_only_model=False."):
        read_moments(folder, run[1], adapter)


def test_learning_rates_are_the_mean_of_those_logged_since_the_last(run):
    folders = [run[0] / "checkpoint-4", run[0] / "checkpoint-8"]
    # Linear from 0.01 to 0 in eight steps, as logged: by transformers 4 after the step.
    late = int(int(transformers.__version__.split(".")[0]) < 5)
    rates = [0.01 * (1 - (step + late) / 8) for step in range(8)]
    expected = [sum(rates[:4]) / 4, sum(rates[4:]) / 4]
    assert learning_rates(folders) == pytest.approx(expected)
    assert learning_rates(folders[::-1]) == pytest.approx(expected[::-1])
    assert learning_rates(folders[1:]) == pytest.approx([sum(rates) / 8])


def test_rates_that_were_not_logged_are_refused(run, tmp_path):
    shutil.copytree(run[0] / "checkpoint-4", tmp_path / "checkpoint-4")
    path = tmp_path / "checkpoint-4" / "trainer_state.json"
    state = json.loads(path.read_text())
    path.write_text(json.dumps({**state, "log_history": []}))
    with refuses(
        f"{path} has no learning rate of steps 1 to 4; train with logging_steps of at "
        "most 4, or give the weights in Checkpoint(..., weight=...)."
    ):
        learning_rates([path.parent])
    path.write_text("{}")
    with refuses(
        f"{path} has no global_step; give a checkpoint that the Trainer saved."
    ):
        learning_rates([path.parent])
    path.unlink()
    with refuses(f"{path} cannot be read; give a checkpoint that the Trainer saved."):
        learning_rates([path.parent])
