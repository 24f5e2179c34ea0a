"""Tasks by name: built from settings, told from models, held against adapters."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from peft import TaskType
from torch import nn

from datainf.core.errors import AdapterError, OptionError
from datainf.core.task import Task
from datainf.core.task_options import Processor
from datainf.integrations.tasks.callable import CallableTask
from datainf.integrations.tasks.causal_lm import CausalLM
from datainf.integrations.tasks.image_classification import ImageClassification
from datainf.integrations.tasks.seq2seq import Seq2Seq
from datainf.integrations.tasks.sequence_classification import SequenceClassification
from datainf.integrations.tasks.table import (
    TASKS,
    as_task,
    infer_task_name,
    reads_by,
    require_task_fits,
    task_from_settings,
)
from datainf.integrations.tasks.token_classification import TokenClassification
from tests.tiny_diffusion import DIFFUSERS, tiny_pipeline
from tests.tiny_models import (
    tiny_bart,
    tiny_bert_classifier,
    tiny_image_processor,
    tiny_llama,
    tiny_tokenizer,
    tiny_vit,
)


def refused(message, kind=OptionError):
    return pytest.raises(kind, match=f"^{re.escape(message)}$")


@pytest.mark.parametrize(
    "task",
    [
        SequenceClassification(tiny_tokenizer(), ("a", "b"), labels=["x", "y"]),
        SequenceClassification(tiny_tokenizer(), problem="regression"),
        CausalLM(tiny_tokenizer(), border="joint", columns={"text": "body"}),
        Seq2Seq(tiny_tokenizer(), prefix="x: ", columns={"prompt": "q"}),
        ImageClassification(tiny_image_processor(), labels=["a", "b"]),
        TokenClassification(tiny_tokenizer(), "words", label_all_subtokens=True),
    ],
    ids=lambda task: task.name,
)
def test_settings_give_back_an_equal_task(task):
    again = task_from_settings(
        task.settings(), getattr(task, "tokenizer", None) or task.processor
    )
    assert again == task
    assert again.settings() == task.settings()


@pytest.mark.parametrize("name", TASKS)
def test_a_name_alone_is_enough(name):
    if name == "text-to-image" and not DIFFUSERS:
        pytest.skip("diffusers cannot be imported with these versions")
    made: dict[Processor, Callable[[], Any]] = {
        Processor.TOKENIZER: tiny_tokenizer,
        Processor.IMAGES: tiny_image_processor,
        Processor.PIPELINE: tiny_pipeline,
    }
    processor = made[reads_by(name)]()
    task = task_from_settings({"name": name}, processor)
    assert isinstance(task, TASKS[name])
    assert isinstance(task, Task)


def test_unknown_names_and_options_are_refused():
    message = (
        f"task.name='causal' is unknown: expected one of: {', '.join(TASKS)}; did you "
        "mean 'causal-lm'?."
    )
    with refused(message):
        task_from_settings({"name": "causal"}, tiny_tokenizer())
    message = (
        "task.max_lenght is unknown: expected one of: text_columns, label_column, "
        "labels, num_labels, max_length, truncation, problem; did you mean "
        "'max_length'?."
    )
    with refused(message):
        task_from_settings(
            {"name": "sequence-classification", "max_lenght": 5}, tiny_tokenizer()
        )


@pytest.mark.parametrize(
    ("name", "key", "value", "kind"),
    [
        ("causal-lm", "append_eos", "nope", "true or false"),
        ("causal-lm", "append_eos", None, "true or false"),
        ("causal-lm", "mask_prompt", 1, "true or false"),
        ("causal-lm", "max_length", "abc", "a whole number"),
        ("causal-lm", "max_length", 3.5, "a whole number"),
        ("causal-lm", "max_length", True, "a whole number"),
        ("causal-lm", "template_kwargs", 3, "a mapping"),
        ("causal-lm", "columns", ["text"], "a mapping"),
        ("causal-lm", "chat_template", 3, "a text; put it in quotes"),
        ("seq2seq", "prefix", 3, "a text; put it in quotes"),
        ("seq2seq", "max_target_length", "7", "a whole number"),
        ("sequence-classification", "truncation", "left", "true or false"),
        ("sequence-classification", "num_labels", 2.0, "a whole number"),
        ("token-classification", "label_all_subtokens", "no", "true or false"),
        ("image-classification", "image_column", 7, "a text; put it in quotes"),
    ],
)
def test_options_of_the_wrong_kind_are_refused_by_name(name, key, value, kind):
    images = name == "image-classification"
    processor = tiny_image_processor() if images else tiny_tokenizer()
    with refused(f"task.{key} must be {kind}, got {value!r}."):
        task_from_settings({"name": name, key: value}, processor)


def test_settings_of_another_tokenizer_are_refused():
    settings = CausalLM(tiny_tokenizer()).settings()
    message = (
        "task.tokenizer was recorded for another tokenizer: special_ids, backend "
        "differ; use the tokenizer of that run, or take the entry out."
    )
    tokenizer = tiny_tokenizer(bos=False)
    tokenizer.pad_token = None
    with refused(message):
        task_from_settings(settings, tokenizer)


def test_settings_of_another_image_processor_are_refused():
    settings = ImageClassification(tiny_image_processor()).settings()
    message = (
        "task.processor was recorded for another processor: size differ; use the "
        "processor of that run, or take the entry out."
    )
    with refused(message):
        task_from_settings(settings, tiny_image_processor(16))


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("SEQ_CLS", "sequence-classification"),
        ("CAUSAL_LM", "causal-lm"),
        (TaskType.SEQ_CLS, "sequence-classification"),
        (TaskType.CAUSAL_LM, "causal-lm"),
        ("SEQ_2_SEQ_LM", "seq2seq"),
        ("TOKEN_CLS", "token-classification"),
        ("BertForTokenClassification", "token-classification"),
        ("ViTForImageClassification", "image-classification"),
        (tiny_vit(), "image-classification"),
        ("T5ForConditionalGeneration", "seq2seq"),
        (tiny_bart(), "seq2seq"),
        ("BertForSequenceClassification", "sequence-classification"),
        ("GPT2LMHeadModel", "causal-lm"),
        (type(tiny_llama()), "causal-lm"),
        (tiny_bert_classifier(), "sequence-classification"),
    ],
    ids=str,
)
def test_the_task_is_told_from_type_class_or_model(source, name):
    assert infer_task_name(source) == name


def test_what_tells_no_task_is_refused():
    message = f"no task is known for Linear; give the task by name: {', '.join(TASKS)}."
    with refused(message):
        infer_task_name(nn.Linear(2, 3))


@pytest.mark.parametrize("task_type", [None, "CAUSAL_LM", TaskType.CAUSAL_LM])
def test_a_fitting_adapter_passes(task_type):
    require_task_fits(CausalLM(tiny_tokenizer()), task_type)
    require_task_fits(CallableTask(lambda model, batch: model(batch)), task_type)


@pytest.mark.parametrize(
    ("task", "task_type", "message"),
    [
        (
            CausalLM(tiny_tokenizer()),
            "SEQ_CLS",
            "the adapter was trained for SEQ_CLS, the task causal-lm needs CAUSAL_LM; "
            "use the task sequence-classification.",
        ),
        (
            SequenceClassification(tiny_tokenizer()),
            TaskType.CAUSAL_LM,
            "the adapter was trained for CAUSAL_LM, the task sequence-classification "
            "needs SEQ_CLS; use the task causal-lm.",
        ),
        (
            CausalLM(tiny_tokenizer()),
            "SEQ_2_SEQ_LM",
            "the adapter was trained for SEQ_2_SEQ_LM, the task causal-lm needs "
            "CAUSAL_LM; use the task seq2seq.",
        ),
        (
            Seq2Seq(tiny_tokenizer()),
            "CAUSAL_LM",
            "the adapter was trained for CAUSAL_LM, the task seq2seq needs "
            "SEQ_2_SEQ_LM; use the task causal-lm.",
        ),
        (
            ImageClassification(tiny_image_processor()),
            "FEATURE_EXTRACTION",
            "the adapter was trained for FEATURE_EXTRACTION, the task "
            "image-classification needs one without a task type; give a loss of your "
            "own.",
        ),
        (
            CausalLM(tiny_tokenizer()),
            "QUESTION_ANS",
            "the adapter was trained for QUESTION_ANS, the task causal-lm needs "
            "CAUSAL_LM; give a loss of your own.",
        ),
    ],
    ids=["classifier", "language model", "pair", "pair, turned", "images", "none"],
)
def test_an_adapter_of_another_task_is_refused(task, task_type, message):
    with refused(message, AdapterError):
        require_task_fits(task, task_type)


@pytest.mark.parametrize(
    ("task", "model", "message"),
    [
        (
            CausalLM(tiny_tokenizer()),
            tiny_vit(),
            "the task causal-lm makes input_ids, and the model reads pixel_values; use "
            "the task that the adapter was trained for.",
        ),
        (
            ImageClassification(tiny_image_processor()),
            tiny_llama(),
            "the task image-classification makes pixel_values, and the model reads "
            "input_ids; use the task that the adapter was trained for.",
        ),
    ],
    ids=["tokens", "pixels"],
)
def test_an_untyped_adapter_of_other_inputs_is_refused(task, model, message):
    with refused(message, AdapterError):
        require_task_fits(task, None, model)


def test_an_untyped_adapter_of_the_same_inputs_passes():
    require_task_fits(ImageClassification(tiny_image_processor()), None, tiny_vit())
    require_task_fits(CausalLM(tiny_tokenizer()), None, tiny_llama())
    require_task_fits(CallableTask(lambda model, batch: model(batch)), None, tiny_vit())


def test_functions_become_tasks():
    def loss(model, batch):
        return model(batch)

    task = CausalLM(tiny_tokenizer())
    assert as_task(task) is task
    assert as_task(loss) == CallableTask(loss)
    for wrong in ("causal-lm", CausalLM):
        message = (
            "task must be a task such as CausalLM(tokenizer), or a function (model, "
            f"batch) -> one loss an example, got {wrong!r}."
        )
        with refused(message):
            as_task(wrong)
