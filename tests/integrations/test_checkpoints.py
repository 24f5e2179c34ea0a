"""Checkpoints of a real training: found, spread, put into the model and taken out."""

import inspect
import json
import re
import shutil

import peft
import pytest
import torch
from safetensors.torch import load_file, save_file

from datainf.core.errors import AdapterError, OptionError
from datainf.core.recipe import Recipe
from datainf.integrations.checkpoints import beside, find_checkpoints, loaded
from datainf.integrations.optimizer_state import learning_rates
from datainf.integrations.tasks.sequence_classification import SequenceClassification
from datainf.integrations.trainer import train
from tests.tiny_models import tiny_bert_classifier, tiny_llama, tiny_tokenizer

ROWS = [{"text": "good" if i % 2 else "bad " * i, "label": i % 2} for i in range(13)]
SAME = "give checkpoints of the training that made this adapter."


def refused(message, kind=AdapterError):
    return pytest.raises(kind, match=f"^{re.escape(message)}")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """An adapter of five epochs of four steps, with its checkpoints."""
    folder = tmp_path_factory.mktemp("trained")
    training = {
        "num_train_epochs": 5,
        "per_device_train_batch_size": 4,
        "learning_rate": 1e-2,
        "save_strategy": "epoch",
    }
    recipe = Recipe(peft={"r": 2, "target_modules": ["query"]}, training=training)
    task = SequenceClassification(tiny_tokenizer(), num_labels=2)
    return folder, train(tiny_bert_classifier(2), ROWS, task, recipe, out=folder)


@pytest.fixture
def copied(run, tmp_path):
    """A checkpoint that a test may change."""
    shutil.copytree(run[0] / "checkpoints" / "checkpoint-8", tmp_path / "checkpoint-8")
    return tmp_path / "checkpoint-8"


def steps(folders):
    return [int(folder.name.rpartition("-")[2]) for folder in folders]


def bits(model):
    return {name: t.numpy().tobytes() for name, t in model.state_dict().items()}


def test_checkpoints_are_found_by_their_steps_in_either_folder(run):
    folder, _ = run
    found = find_checkpoints(folder / "checkpoints")
    assert steps(found) == [4, 8, 12, 16, 20]
    assert find_checkpoints(str(folder)) == found
    assert beside(folder) == folder / "checkpoints"
    assert beside(folder / "checkpoints" / "checkpoint-4") is None
    assert find_checkpoints(found[::-1]) == found[::-1]


@pytest.mark.parametrize(
    ("limit", "expected"),
    [(1, [20]), (2, [12, 20]), (3, [8, 16, 20]), (5, [4, 8, 12, 16, 20]),
     (9, [4, 8, 12, 16, 20])],
)  # fmt: skip
def test_a_limit_spreads_them_and_keeps_the_last(run, limit, expected):
    assert steps(find_checkpoints(run[0], limit)) == expected


def test_learning_rates_of_datainf_trainings_are_known_without_being_asked_for(run):
    rates = learning_rates(find_checkpoints(run[0]))
    assert rates == sorted(rates, reverse=True)
    assert len(set(rates)) == 5
    assert rates[-1] > 0


def test_weights_are_those_of_the_checkpoint_for_the_scope_alone(run):
    folder, model = run
    before, parameters = bits(model), [*model.parameters()]
    for checkpoint in find_checkpoints(folder):
        with loaded(model, "default", checkpoint):
            saved = load_file(checkpoint / "adapter_model.safetensors")
            inside = peft.get_peft_model_state_dict(model, save_embedding_layers=False)
            assert saved.keys() == inside.keys()
            assert all(torch.equal(saved[key], inside[key]) for key in saved)
            assert (bits(model) == before) == (checkpoint.name == "checkpoint-20")
        assert bits(model) == before
    assert all(a is b for a, b in zip(parameters, model.parameters(), strict=True))


def test_weights_come_back_after_an_error(run):
    folder, model = run
    before = bits(model)
    with pytest.raises(KeyError), loaded(model, "default", find_checkpoints(folder)[0]):
        raise KeyError
    assert bits(model) == before


def test_no_checkpoints_are_refused(tmp_path):
    with refused(f"no checkpoints in {tmp_path}: expected folders", OptionError):
        find_checkpoints(tmp_path)
    with refused("no checkpoints in []: expected folders", OptionError):
        find_checkpoints([])


def test_two_of_the_same_name_are_refused(copied, run):
    with refused(
        "checkpoints must have different names, got twice: checkpoint-8.", OptionError
    ):
        find_checkpoints([copied, run[0] / "checkpoints" / "checkpoint-8"])


def test_a_folder_without_an_adapter_is_refused(copied):
    (copied / "adapter_config.json").unlink()
    with refused(f"{copied} holds no adapter (adapter_config.json is not there)"):
        find_checkpoints(copied.parent)


def change(folder, how):
    file = folder / "adapter_model.safetensors"
    tensors = load_file(file)
    how(tensors)
    save_file(tensors, file)


def test_a_checkpoint_of_another_adapter_is_refused_and_changes_nothing(copied, run):
    model = run[1]
    before, key = bits(model), "base_model.model.classifier.bias"
    cases = {
        f"{copied} holds {key} of shape [3], the model's is [2]; {SAME}": lambda t: (
            t.update({key: torch.ones(3)})
        ),
        f"{copied} holds, and the model has not, other; {SAME}": lambda t: t.update(
            {key: torch.ones(2), "other": torch.ones(1)}
        ),
        f"{copied} lacks {key}; {SAME}": lambda t: [t.pop(key), t.pop("other")],
    }
    for message, how in cases.items():
        change(copied, how)
        with refused(message), loaded(model, "default", copied):
            pass
    assert bits(model) == before


def test_another_scaling_is_refused(copied, run):
    file = copied / "adapter_config.json"
    text = file.read_text().replace('"lora_alpha": 8', '"lora_alpha": 9')
    file.write_text(text)
    with (
        refused(f"{copied} is an adapter with lora_alpha=9, the model's has 8; {SAME}"),
        loaded(run[1], "default", copied),
    ):
        pass


@pytest.mark.parametrize("name", ["P-tuning", "Prefix tuning, projected"])
def test_prompts_that_an_encoder_made_cannot_come_back(name, tmp_path):
    options = {
        "task_type": "CAUSAL_LM",
        "num_virtual_tokens": 3,
        "encoder_hidden_size": 8,
    }
    if name == "P-tuning":
        config = peft.PromptEncoderConfig(**options)
    else:
        config = peft.PrefixTuningConfig(**options, prefix_projection=True)
    model = peft.get_peft_model(tiny_llama(), config)
    folder = tmp_path / "checkpoint-4"
    model.save_pretrained(folder)
    before = bits(model)
    with (
        refused(
            f"{folder} keeps the prompts that the encoder of {config.peft_type.value}"
        ),
        loaded(model, "default", folder),
    ):
        pass
    assert bits(model) == before


def test_one_checkpoint_may_be_named_by_its_own_folder(copied):
    assert find_checkpoints(copied) == find_checkpoints([copied]) == [copied]


def test_an_adapter_that_kept_none_is_no_checkpoint_itself(run, tmp_path):
    run[1].save_pretrained(tmp_path / "adapter")
    message = f"no checkpoints in {tmp_path / 'adapter'}: expected folders"
    with refused(message, OptionError):
        find_checkpoints(tmp_path / "adapter")


def test_a_start_taken_out_of_the_base_is_another_kind(run, copied):
    config = json.loads((copied / "adapter_config.json").read_text())
    config["init_lora_weights"] = "pissa_niter_4"
    (copied / "adapter_config.json").write_text(json.dumps(config))
    message = (
        f"{copied} is an adapter with init_lora_weights=pissa_niter_4, the model's"
    )
    with refused(message), loaded(run[1], "default", copied):
        pass


def test_a_folder_is_known_by_its_name_however_it_is_written(copied, monkeypatch):
    monkeypatch.chdir(copied)
    assert find_checkpoints(["."]) == [copied]


@pytest.mark.parametrize("given", [4, [4, 8]])
def test_numbers_are_no_folders(given):
    message = f"checkpoints must be a folder or a list of folders, got {given}."
    with refused(message, OptionError):
        inspect.unwrap(find_checkpoints)(given)
