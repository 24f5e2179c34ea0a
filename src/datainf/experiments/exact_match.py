"""Exact match: the share of prompts that a model answers to the letter.

Greedy decoding, in batches of prompts of like length, padded on the left. T tokens.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from datainf.integrations.tasks.causal_lm import CausalLM
from datainf.integrations.tasks.tokens import IGNORED, pad_id


@torch.inference_mode()
def answers(
    model: Any,
    task: CausalLM,
    prompts: Sequence[str],
    *,
    max_new_tokens: int = 48,
    batch_size: int = 50,
) -> list[str]:
    """Let a model complete prompts, greedily.

    Args:
        model: A causal language model with `generate`.
        task: Tokenises prompts as in training; its tokenizer has an end-of-sequence
            token.
        prompts: What to complete.
        max_new_tokens: Where an answer without an end is cut.
        batch_size: Prompts generated together.

    Returns:
        One answer a prompt, without special tokens.
    """
    was_training = model.training
    model.eval()
    found = [""] * len(prompts)
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    for begin in range(0, len(order), batch_size):
        chosen = order[begin : begin + batch_size]
        rows = [_prompt_ids(task, prompts[i]) for i in chosen]
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


def _prompt_ids(task: CausalLM, prompt: str) -> list[int]:
    """Give what stands before a completion: leading special tokens and the prompt."""
    encoded = task.encode({"prompt": prompt, "completion": "a"})
    learned = [label != IGNORED for label in encoded.labels]
    return encoded.input_ids[: learned.index(True)]


def exact_match(answered: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> float:
    """Compare answers with completions, to the letter.

    Args:
        answered: One answer a row.
        rows: Rows with `completion`.

    Returns:
        The share that is equal, in [0, 1].

    Examples:
        >>> exact_match(["a", "b"], [{"completion": "a"}, {"completion": "c"}])
        0.5
    """
    pairs = zip(answered, rows, strict=True)
    return sum(a == row["completion"] for a, row in pairs) / len(rows)
