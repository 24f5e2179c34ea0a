"""Answers that a tuned language model gives by itself, by greedy decoding.

A prompt is tokenised as in training: all that stands before the first token that is
learned. An answer ends where the model or its tokenizer says that a text ends, or after
as many tokens as are allowed. T tokens.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from datainf.core.task import Example
from datainf.integrations.tasks.causal_lm import CausalLM
from datainf.integrations.tasks.seq2seq import Seq2Seq
from datainf.integrations.tasks.tokens import IGNORED, pad_id

MOST_TOKENS = 48
"""Where an answer without an end is cut, if nothing else is said."""


@torch.inference_mode()
def answers(
    model: Any,
    task: CausalLM,
    prompts: Sequence[str],
    *,
    max_new_tokens: int = MOST_TOKENS,
    batch_size: int = 50,
) -> list[str]:
    """Let a model complete prompts, in batches of prompts of like length.

    Args:
        model: A causal language model with `generate`.
        task: Tokenises prompts as in training; its tokenizer has an end-of-sequence
            token.
        prompts: What to complete.
        max_new_tokens: Where an answer without an end is cut.
        batch_size: Prompts generated together, padded on the left.

    Returns:
        One answer a prompt, without special tokens.
    """
    was_training = model.training
    model.eval()
    found = [""] * len(prompts)
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    for begin in range(0, len(order), batch_size):
        chosen = order[begin : begin + batch_size]
        rows = [
            prompt_ids(task, {"prompt": prompts[i], "completion": "a"}) for i in chosen
        ]
        width = max(len(row) for row in rows)
        pad = pad_id(task.tokenizer)
        ids = [[pad] * (width - len(row)) + row for row in rows]
        mask = [[0] * (width - len(row)) + [1] * len(row) for row in rows]
        written = model.generate(
            input_ids=torch.tensor(ids, device=model.device),
            attention_mask=torch.tensor(mask, device=model.device),
            max_new_tokens=max_new_tokens,
            do_sample=False,
            pad_token_id=pad,
            eos_token_id=task.tokenizer.eos_token_id,
        )
        for i, row in zip(chosen, written, strict=True):
            found[i] = task.tokenizer.decode(row[width:], skip_special_tokens=True)
    model.train(was_training)
    return found


@torch.no_grad()
def answer(
    model: Any,
    task: CausalLM | Seq2Seq,
    example: Example,
    *,
    max_new_tokens: int = MOST_TOKENS,
) -> str:
    """Let a model answer one example, of whatever shape, in its own words.

    Args:
        model: A language model with `generate`, in eval mode.
        task: Tokenises the example as in training.
        example: A row; its answer only stands in for the model's.
        max_new_tokens: Where an answer without an end is cut.

    Returns:
        The answer, without special tokens.
    """
    if isinstance(task, CausalLM):
        ids = prompt_ids(task, example)
        begin = len(ids)  # it goes on with the prompt
    else:
        ids, begin = task.encode(example)[0], 0  # its decoder begins anew
    tokens = torch.tensor([ids], device=model.device)
    written = model.generate(
        input_ids=tokens,
        attention_mask=torch.ones_like(tokens),
        max_new_tokens=max_new_tokens,
        do_sample=False,
        pad_token_id=pad_id(task.tokenizer),
        eos_token_id=_ends(model, task.tokenizer),
    )
    return task.tokenizer.decode(written[0][begin:], skip_special_tokens=True)


def prompt_ids(task: CausalLM, example: Example) -> list[int]:
    """Give what stands before an answer: special tokens, template and prompt.

    Args:
        task: Tokenises as in training.
        example: A row with any answer.

    Returns:
        Tokens.
    """
    encoded = replace(task, mask_prompt=True).encode(example)
    learned = [label != IGNORED for label in encoded.labels]
    return encoded.input_ids[: learned.index(True)]


def _ends(model: Any, tokenizer: Any) -> list[int] | None:
    """List the tokens that end an answer: chat models end turns by one of their own."""
    config = getattr(model, "generation_config", None)
    given = getattr(config, "eos_token_id", None)
    own = given if isinstance(given, list) else [given]
    ends = {int(i) for i in (*own, tokenizer.eos_token_id) if i is not None}
    return sorted(ends) or None
