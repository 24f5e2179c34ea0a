"""Every task with a tiny model in double precision: what its laws are tested on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import transformers
from torch import nn
from transformers import T5PreTrainedModel

from datainf.core.task import Example, Task
from datainf.integrations.tasks.callable import CallableTask
from datainf.integrations.tasks.causal_lm import CausalLM
from datainf.integrations.tasks.image_classification import ImageClassification
from datainf.integrations.tasks.seq2seq import Seq2Seq
from datainf.integrations.tasks.sequence_classification import SequenceClassification
from datainf.integrations.tasks.text_to_image import TextToImage
from datainf.integrations.tasks.token_classification import TokenClassification
from tests.tiny_diffusion import (
    DIFFUSERS,
    PIPELINES,
    tiny_images,
    tiny_pipeline,
    with_diffusion_lora,
)
from tests.tiny_models import (
    tiny_bart,
    tiny_bert_classifier,
    tiny_bert_tagger,
    tiny_image_processor,
    tiny_llama,
    tiny_t5,
    tiny_tokenizer,
    tiny_vit,
    with_lora,
)


@dataclass(frozen=True)
class Case:
    """A task with a model and rows of different lengths.

    Attributes:
        make: The task.
        model: A model in double precision, by its attention.
        rows: Three of them.
        counted: Entries of a batch whose widths together are an example's length, or
            `patches` of 16 × 16 pixels, or `places` of a latent by four.
        rtol: How closely a loss is the same in every batch.
    """

    make: Callable[[], Task]
    model: Callable[[str], nn.Module]
    rows: Sequence[Example]
    counted: Sequence[str] = ("input_ids",)
    rtol: float = 1e-12

    def tokens(self, batch: Any) -> int:
        """Count the tokens of a batch of one."""
        if self.counted == "patches":
            height, width = batch["pixel_values"].shape[2:]
            return int(height // 16 * width // 16)
        if self.counted == "places":
            height, width = batch["latents"].shape[2:]
            return int(height * width // 4)
        return sum(batch[name].shape[1] for name in self.counted)


def classifier(attn: str, outputs: int = 3) -> nn.Module:
    base = tiny_bert_classifier(outputs, dtype=torch.float64, attn=attn)
    return with_lora(base, "SEQ_CLS")


def language_model(attn: str) -> nn.Module:
    return with_lora(tiny_llama(dtype=torch.float64, attn=attn), "CAUSAL_LM")


def bart(attn: str) -> nn.Module:
    # Eager attention of decoders overflows in double precision before transformers 5.
    attn = attn if int(transformers.__version__.split(".")[0]) >= 5 else "sdpa"
    return with_lora(tiny_bart(dtype=torch.float64, attn=attn), "SEQ_2_SEQ_LM")


def t5(attn: str) -> nn.Module:
    attn = "eager" if attn == "sdpa" and not T5PreTrainedModel._supports_sdpa else attn
    return with_lora(tiny_t5(dtype=torch.float64, attn=attn), "SEQ_2_SEQ_LM")


def vit(attn: str) -> nn.Module:
    base = tiny_vit(5, side=32, patch=16, dtype=torch.float64, attn=attn)
    return with_lora(base, None, modules_to_save=["classifier"])


def picture(seed: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    shape = (23 + seed, 31, 3)
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def tagger(attn: str) -> nn.Module:
    return with_lora(tiny_bert_tagger(dtype=torch.float64, attn=attn), "TOKEN_CLS")


def squared_logits(model: nn.Module, batch: Any) -> torch.Tensor:
    logits = model(**batch).logits.mean(dim=2)
    return (logits * batch["attention_mask"]).square().sum(dim=1)


def chat(*texts: str) -> list[dict[str, str]]:
    roles = ("user", "assistant")
    return [{"role": roles[i % 2], "content": text} for i, text in enumerate(texts)]


PROMPTS = [
    {"prompt": "2 + 2 = ", "completion": "4"},
    {"prompt": "reverse: ", "completion": "a long answer, too"},
    {"prompt": "x", "completion": "yes"},
]
WORDS: list[dict[str, Any]] = [
    {"tokens": ["ann", "lives", "here"], "ner_tags": [1, 0, 2]},
    {"tokens": ["bob"], "ner_tags": [1]},
    {"tokens": "she left rome", "ner_tags": [0, -100, 2]},
]
CASES = {
    "one text": Case(
        lambda: SequenceClassification(tiny_tokenizer(), num_labels=3),
        classifier,
        [
            {"text": "a fine film", "label": 2},
            {"text": "dull", "label": 0},
            {"text": "neither good nor bad, but long", "label": 1},
        ],
    ),
    "two texts": Case(
        lambda: SequenceClassification(tiny_tokenizer("left", type_ids=True)),
        classifier,
        [
            {"premise": "it rains", "hypothesis": "it is wet", "label": 1},
            {"premise": "no", "hypothesis": "yes", "label": 0},
            {"premise": "a dog runs", "hypothesis": "a cat sleeps all day", "label": 2},
        ],
    ),
    "several classes": Case(
        lambda: SequenceClassification(
            tiny_tokenizer(), num_labels=3, problem="multi_label_classification"
        ),
        classifier,
        [
            {"text": "a fine film", "label": [0, 2]},
            {"text": "dull", "label": []},
            {"text": "neither good nor bad", "label": [0.0, 1.0, 0.0]},
        ],
    ),
    "a number": Case(
        lambda: SequenceClassification(tiny_tokenizer(), problem="regression"),
        lambda attn: classifier(attn, 1),
        [
            {"text": "a fine film", "label": 4.5},
            {"text": "dull", "label": -1},
            {"text": "neither good nor bad", "label": 2},
        ],
    ),
    "text": Case(
        lambda: CausalLM(tiny_tokenizer()),
        language_model,
        [{"text": "abc"}, {"text": "a longer line of text"}, {"text": "z"}],
    ),
    "prompts": Case(lambda: CausalLM(tiny_tokenizer()), language_model, PROMPTS),
    "prompts, summed": Case(
        lambda: CausalLM(tiny_tokenizer(), reduction="sum"), language_model, PROMPTS
    ),
    "prompts, joint": Case(
        lambda: CausalLM(tiny_tokenizer(), border="joint"), language_model, PROMPTS
    ),
    "messages": Case(
        lambda: CausalLM(tiny_tokenizer(chat_template=True)),
        language_model,
        [
            {"messages": chat("hi", "hello")},
            {"messages": chat("1 + 1?", "2", "and 2 + 2?", "4")},
            {"messages": chat("bye", "see you")},
        ],
    ),
    "last turns, summed": Case(
        lambda: CausalLM(
            tiny_tokenizer(chat_template=True), turns="last", reduction="sum"
        ),
        language_model,
        [
            {"messages": chat("hi", "hello")},
            {"prompt": chat("1 + 1?"), "completion": [chat("", "2")[1]]},
            {"messages": chat("bye", "no", "bye!", "see you")},
        ],
    ),
    "both masks": Case(
        lambda: CausalLM(tiny_tokenizer()),
        language_model,
        [
            {
                "input_ids": [2, 5, 6, 7 + i, *[9] * i],
                "completion_mask": [0, 0, 1, 1, *[1] * i],
                "assistant_masks": [0, 1, 0, 1, *[1] * i],
            }
            for i in range(3)
        ],
    ),
    "tokens": Case(
        lambda: CausalLM(tiny_tokenizer()),
        language_model,
        [
            {"input_ids": [2, 5, 6, 7], "completion_mask": [0, 0, 1, 1]},
            {"input_ids": [2, 9, 8, 7, 6, 5], "completion_mask": [0, 1, 1, 1, 1, 1]},
            {"input_ids": [2, 11], "completion_mask": [0, 1]},
        ],
    ),
    "source and target": Case(
        lambda: Seq2Seq(tiny_tokenizer("left"), prefix="sum: "),
        bart,
        PROMPTS,
        ("input_ids", "labels"),
    ),
    "source and target, summed": Case(
        lambda: Seq2Seq(tiny_tokenizer(), reduction="sum"),
        bart,
        PROMPTS,
        ("input_ids", "labels"),
    ),
    # T5 takes the softmax of its eager attention, and its norms, in single precision.
    "source and target of T5": Case(
        lambda: Seq2Seq(tiny_tokenizer()), t5, PROMPTS, ("input_ids", "labels"), 1e-6
    ),
    "source and target as tokens": Case(
        lambda: Seq2Seq(tiny_tokenizer()),
        bart,
        [
            {"input_ids": [2, 5, 6, 7], "labels": [9, 3]},
            {"input_ids": [2, 9], "labels": [8, 7, 3]},
            {"input_ids": [2, 11, 4], "labels": [3]},
        ],
        ("input_ids", "labels"),
    ),
    "image": Case(
        lambda: ImageClassification(tiny_image_processor(32), num_labels=5),
        vit,
        [{"image": picture(i), "label": i} for i in (4, 0, 2)],
        counted="patches",
    ),
    "words": Case(
        lambda: TokenClassification(tiny_tokenizer("left"), num_labels=3),
        tagger,
        WORDS,
    ),
    "words, all of them": Case(
        lambda: TokenClassification(tiny_tokenizer(), label_all_subtokens=True),
        tagger,
        WORDS,
    ),
    "a function": Case(
        lambda: CallableTask(squared_logits),
        language_model,
        [{"input_ids": [5, 6, 7]}, {"input_ids": [8, 9, 4, 3, 11]}, {"input_ids": [6]}],
    ),
    "prompts, padded on the left": Case(
        lambda: CausalLM(tiny_tokenizer("left")), language_model, PROMPTS
    ),
    "text, padded on the left": Case(
        lambda: CausalLM(tiny_tokenizer("left")),
        language_model,
        [{"text": "abc"}, {"text": "a longer line of text"}, {"text": "z"}],
    ),
}


def pictures(family: str) -> Case:
    return Case(
        lambda: TextToImage(tiny_pipeline(family), timesteps=2, noises=2),
        lambda _: with_diffusion_lora(tiny_pipeline(family)),
        tiny_images(),
        counted="places",
    )


if DIFFUSERS:
    CASES |= {f"pictures by {family}": pictures(family) for family in PIPELINES}
