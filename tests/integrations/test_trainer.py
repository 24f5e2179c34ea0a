"""Training from a recipe: the same twice, resumed, saved, and refused by name."""

import json
import random
import re

import numpy as np
import pytest
import torch
import transformers
from peft import PeftModel
from safetensors.torch import load_file

from datainf.core.errors import (
    AdapterError,
    DataError,
    NonFiniteError,
    OptionError,
)
from datainf.core.recipe import Recipe
from datainf.integrations.tasks.callable import CallableTask
from datainf.integrations.tasks.causal_lm import CausalLM
from datainf.integrations.tasks.sequence_classification import SequenceClassification
from datainf.integrations.trainer import (
    peft_config,
    seeded,
    train,
    training_arguments,
)
from tests.tiny_models import tiny_bert_classifier, tiny_llama, tiny_tokenizer

OLD = int(transformers.__version__.split(".")[0]) < 5
PEFT = {"r": 2, "target_modules": ["query", "value"], "lora_dropout": 0.1}
TRAINING = {
    "num_train_epochs": 2,
    "per_device_train_batch_size": 4,
    "learning_rate": 1e-2,
    "logging_steps": 1,
}
ROWS = [
    {"text": "good" if i % 2 else "bad " * (i % 3 + 1), "label": i % 2}
    for i in range(13)
]


def refused(message, kind=OptionError):
    return pytest.raises(kind, match=f"^{re.escape(message)}$")


def recipe(seed=0, peft=(), **training):
    return Recipe(
        peft={**PEFT, **dict(peft)}, training={**TRAINING, **training}, seed=seed
    )


def classification():
    return SequenceClassification(tiny_tokenizer(), num_labels=2)


def trained(out, *, rows=ROWS, asked=None, task=None, **options):
    base, task = tiny_bert_classifier(2), task or classification()
    return train(base, rows, task, asked or recipe(), out=out, **options)


def saved(out):
    return load_file(out / "adapter_model.safetensors")


def same(first, second):
    assert first.keys() == second.keys()
    return all(torch.equal(first[name], second[name]) for name in first)


def test_the_same_recipe_gives_the_same_adapter_to_the_bit(tmp_path):
    trained(tmp_path / "a")
    torch.manual_seed(5)
    trained(tmp_path / "b")
    trained(tmp_path / "c", asked=recipe(seed=1))
    assert same(saved(tmp_path / "a"), saved(tmp_path / "b"))
    assert not same(saved(tmp_path / "a"), saved(tmp_path / "c"))


def test_without_a_folder_the_same_adapter_is_trained_and_nothing_kept(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    here = trained(None)
    assert list(tmp_path.iterdir()) == []
    there = trained(tmp_path / "a")
    assert same(dict(here.named_parameters()), dict(there.named_parameters()))


def state():
    return (
        random.getstate(),
        np.random.get_state(legacy=False)["state"]["key"].tolist(),
        torch.get_rng_state(),
    )


def draw():
    return random.random(), np.random.rand(), float(torch.rand(()))


def test_the_callers_random_state_is_put_back_after_errors_too():
    before = state()
    first = []

    def fail():
        with seeded(3):
            first.append(draw())
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    after = state()
    assert after[:2] == before[:2]
    assert torch.equal(after[2], before[2])
    with seeded(3):
        assert [draw()] == first


def test_training_does_not_draw_from_the_callers_generators(tmp_path):
    before = state()
    trained(tmp_path)
    after = state()
    # Python's own is left to the test above: type checks in tests draw from it.
    assert after[1] == before[1]
    assert torch.equal(after[2], before[2])


def test_adapter_head_and_tokenizer_are_saved_and_load_again(tmp_path):
    model = trained(tmp_path)
    assert not model.training
    assert {"tokenizer.json", "adapter_config.json"} <= {
        p.name for p in tmp_path.iterdir()
    }
    assert not (tmp_path / "checkpoints").exists()
    assert any("classifier" in name for name in saved(tmp_path))
    head = model.base_model.model.classifier
    assert not torch.equal(
        head.modules_to_save["default"].weight, head.original_module.weight
    )
    # The head's first values come from another seed: only what was saved may count.
    again = PeftModel.from_pretrained(tiny_bert_classifier(2), str(tmp_path)).eval()
    batch = classification().collate(ROWS[:3])
    with torch.no_grad():
        torch.testing.assert_close(model(**batch).logits, again(**batch).logits)


def test_training_lowers_the_loss_and_tells_of_every_step(tmp_path):
    steps = []
    options = {"num_train_epochs": 10, "learning_rate": 1e-1}
    trained(
        tmp_path,
        asked=recipe(**options),
        progress=lambda step, total, loss: steps.append((step, total, loss)),
    )
    assert [step for step, _, _ in steps] == list(range(1, 41))
    assert {total for _, total, _ in steps} == {40}
    assert steps[0][2] is None
    losses = [loss for _, _, loss in steps[1:]]
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])


def test_nothing_is_printed(tmp_path, capsys):
    trained(tmp_path)
    assert capsys.readouterr().out == ""


def test_a_language_model_is_trained(tmp_path):
    task = CausalLM(tiny_tokenizer("left"))
    rows = [{"prompt": "a" * n, "completion": "b"} for n in range(1, 8)]
    peft = {"target_modules": ["q_proj", "v_proj"], "modules_to_save": ["lm_head"]}
    model = train(tiny_llama(), rows, task, recipe(peft=peft), out=tmp_path)
    assert model.peft_config["default"].task_type == "CAUSAL_LM"
    assert any("lm_head" in name for name in saved(tmp_path))


@pytest.mark.parametrize(
    "steps",
    [1, pytest.param(2, marks=pytest.mark.skipif(OLD, reason="refused, see below"))],
)
@pytest.mark.parametrize("own_loss", [True, False])
def test_own_losses_and_accumulated_batches_train_alike(tmp_path, own_loss, steps):
    def head_after(task, steps):
        base = tiny_bert_classifier(2)
        for module in base.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0  # drawn a batch, so it would tell their sizes apart
        asked = recipe(
            peft={"modules_to_save": ["classifier"], "lora_dropout": 0.0},
            gradient_accumulation_steps=steps,
            per_device_train_batch_size=4 // steps,
            optim="sgd",
            max_grad_norm=0.0,
        )
        model = train(base, ROWS[:12], task, asked, out=tmp_path)
        return next(
            value
            for name, value in model.named_parameters()
            if name.endswith("classifier.modules_to_save.default.weight")
        )

    task = classification()
    own = CallableTask(task.losses, task.collate) if own_loss else task
    torch.testing.assert_close(
        head_after(own, steps), head_after(task, 1), rtol=1e-5, atol=1e-7
    )


def test_a_trainer_that_sums_accumulated_batches_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("transformers.__version__", "4.49.0")
    with refused(
        "gradient_accumulation_steps=2: the Trainer of transformers 4.49.0 adds up the "
        "gradients of accumulated batches where it should average them; upgrade to "
        "transformers 5, or leave it out."
    ):
        trained(tmp_path, asked=recipe(gradient_accumulation_steps=2))


class _StoppedError(Exception):
    pass


def stop_at(number):
    def stop(step, total, loss):  # noqa: ARG001
        if step == number:
            raise _StoppedError

    return stop


def test_an_interrupted_training_goes_on_and_ends_the_same(tmp_path):
    asked = recipe(save_strategy="steps", save_steps=3)
    trained(tmp_path / "whole", asked=asked)
    with pytest.raises(_StoppedError):
        trained(tmp_path / "cut", asked=asked, progress=stop_at(5))
    steps = []
    trained(tmp_path / "cut", asked=asked, progress=lambda step, *_: steps.append(step))
    assert steps == [4, 5, 6, 7, 8]
    assert same(saved(tmp_path / "cut"), saved(tmp_path / "whole"))


def test_resume_false_starts_over(tmp_path):
    asked = recipe(save_strategy="steps", save_steps=3)
    with pytest.raises(_StoppedError):
        trained(tmp_path, asked=asked, progress=stop_at(5))
    steps = []
    trained(
        tmp_path,
        asked=asked,
        resume=False,
        progress=lambda step, *_: steps.append(step),
    )
    assert steps == list(range(1, 9))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"asked": recipe(1, save_strategy="steps", save_steps=3)}, "recipe"),
        ({"rows": [*ROWS[:-1], {"text": "other", "label": 0}]}, "data"),
        (
            {"task": SequenceClassification(tiny_tokenizer(), max_length=9)},
            "task",
        ),
    ],
    ids=["recipe", "data", "task"],
)
def test_checkpoints_of_another_training_are_refused(tmp_path, change, what):
    asked = {"asked": recipe(save_strategy="steps", save_steps=3)}
    with pytest.raises(_StoppedError):
        trained(tmp_path, **asked, progress=stop_at(5))
    message = (
        f"{tmp_path / 'checkpoints'} holds checkpoints of a training with another "
        f"{what}; give another folder, or resume=False to start over."
    )
    with refused(message):
        trained(tmp_path, **{**asked, **change})
    (tmp_path / "checkpoints" / "run.json").unlink()
    with pytest.raises(OptionError, match=r"another recipe and task and data; give"):
        trained(tmp_path, **asked)


def test_a_training_that_ends_in_nan_is_refused_and_not_saved(tmp_path):
    pattern = (
        r"^training ended with the mean loss nan; not finite: base_model\.\S+, \S+, "
        r"\S+; nothing was saved\. Lower learning_rate, or train in float32\.$"
    )
    with pytest.raises(NonFiniteError, match=pattern):
        trained(tmp_path, asked=recipe(learning_rate=1e30, max_grad_norm=0.0))
    assert not (tmp_path / "adapter_model.safetensors").exists()


def test_no_examples_are_refused(tmp_path):
    with refused("training needs examples, got none.", DataError):
        trained(tmp_path, rows=[])


def test_a_model_with_an_adapter_is_refused(tmp_path):
    model = trained(tmp_path)
    message = (
        "training starts from a base model, got one with an adapter; give "
        "model.unload(), or the base's name to load_base."
    )
    with refused(message, AdapterError):
        train(model, ROWS, classification(), recipe(), out=tmp_path)
    message = (
        "the base model has adapter layers in it, from an earlier training on the same "
        "object; call unload() on that training's result first."
    )
    with refused(message, AdapterError):
        train(model.base_model.model, ROWS, classification(), recipe(), out=tmp_path)
    train(model.unload(), ROWS, classification(), recipe(), out=tmp_path)


@pytest.mark.parametrize(
    ("peft", "message"),
    [
        (
            {"peft_type": "LOHO"},
            r"recipe\.peft\.peft_type='LOHO' is unknown: expected one of: .*LOHA.*\.",
        ),
        (
            {"target_module": ["query"]},
            r"recipe\.peft\.target_module is unknown: expected one of: .*; did you "
            r"mean 'target_modules'\?\.",
        ),
        (
            {"task_type": "CAUSAL_LM"},
            r"recipe\.peft\.task_type='CAUSAL_LM', but the task trains SEQ_CLS; leave "
            r"it out\.",
        ),
        (
            {"layers_to_transform": [0], "target_modules": "query"},
            r"recipe\.peft is refused by peft: .+",
        ),
    ],
)
def test_wrong_peft_settings_are_refused(peft, message):
    with pytest.raises(OptionError, match=f"^{message}$"):
        peft_config(recipe(peft=peft), classification())


def test_peft_settings_reach_peft():
    config = peft_config(
        recipe(peft={"r": 7, "modules_to_save": ["pooler"], "peft_type": "lora"}),
        classification(),
    )
    assert (config.r, config.modules_to_save) == (7, ["pooler"])
    assert config.task_type == "SEQ_CLS"
    assert peft_config(recipe(), CallableTask(torch.add)).task_type is None


@pytest.mark.parametrize(
    ("training", "message"),
    [
        (
            {"learning_rat": 1.0},
            r"recipe\.training\.learning_rat is unknown: expected one of: .*; did you "
            r"mean 'learning_rate'\?\.",
        ),
        (
            {"remove_unused_columns": True},
            r"recipe\.training\.remove_unused_columns cannot be chosen: the task makes "
            r"the batches\.",
        ),
        (
            {"lr_scheduler_type": "lineer"},
            r"recipe\.training is refused by TrainingArguments: .+",
        ),
    ],
)
def test_wrong_training_settings_are_refused(tmp_path, training, message):
    with pytest.raises(OptionError, match=f"^{message}$"):
        training_arguments(recipe(**training), tmp_path)


def test_training_settings_reach_the_trainer(tmp_path):
    arguments = training_arguments(recipe(seed=5, weight_decay=0.25), tmp_path)
    assert (arguments.seed, arguments.weight_decay) == (5, 0.25)
    assert arguments.report_to == []


def test_the_run_of_the_checkpoints_is_written(tmp_path):
    trained(tmp_path, asked=recipe(save_strategy="epoch"))
    written = json.loads((tmp_path / "checkpoints" / "run.json").read_text())
    assert written["recipe"] == recipe(save_strategy="epoch").fingerprint
