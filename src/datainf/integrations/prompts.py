"""Prompt learning: what trains, and how a batch's examples each get their own prompt.

PEFT makes one prompt and repeats it for the batch, so that no layer of the prompt's
encoder sees examples. In capture's scope the encoder is asked for B prompts, one an
example: equal ones, with gradients of their own. An adapter in inference mode holds the
finished prompt alone (its encoder's other layers were never saved): that is what it
could train further, and then nothing but its embedding is read.

B examples, P virtual tokens.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import peft
from torch import Tensor, nn

PROMPT_ENCODER = "prompt_encoder"
PROMPT_KEY = "prompt_embeddings"
# Their prompts are made from more than the encoder, so PEFT's own way is kept.
_ONE_PROMPT = {peft.PeftType.PROMPT_TUNING, peft.PeftType.P_TUNING}


def prompt_parameters(model: peft.PeftModel, name: str) -> set[str]:
    """Find what prompt learning trains.

    Args:
        model: A PEFT model.
        name: One of its adapters.

    Returns:
        Paths of the encoder's parameters; none for other kinds of adapter.
    """
    config = model.peft_config[name]
    if not config.is_prompt_learning:
        return set()
    start = f"{PROMPT_ENCODER}.{name}."
    return {
        path
        for path, _ in model.named_parameters()
        if path.startswith(start)
        and (not config.inference_mode or ".embedding." in path)
    }


def ignores_positions(model: nn.Module) -> bool:
    """Tell whether PEFT drops `position_ids`, with a warning, for this model.

    Args:
        model: Any model.

    Returns:
        Whether its active adapter is prompt learning.
    """
    return isinstance(model, peft.PeftModel) and bool(
        model.active_peft_config.is_prompt_learning
    )


@contextmanager
def prompts_per_example(model: peft.PeftModel, name: str) -> Iterator[None]:
    """Let every example of a batch have a prompt of its own, for the scope.

    Args:
        model: A PEFT model.
        name: Its active adapter.

    Yields:
        Nothing; the model is changed in place and restored at the end.
    """
    config: Any = model.peft_config[name]
    if not config.is_prompt_learning:
        yield
        return
    encoder: Any = model.prompt_encoder[name]
    before = config.inference_mode
    projects = getattr(encoder, "prefix_projection", None)

    def one_each(batch_size: int, *_: Any, **__: Any) -> Tensor:
        tokens = model.prompt_tokens[name].to(encoder.embedding.weight.device)
        read = encoder.embedding if before else encoder
        prompts: Tensor = read(tokens.unsqueeze(0).expand(batch_size, -1))
        return prompts

    try:
        if config.peft_type in _ONE_PROMPT:
            model.get_prompt = one_each
        elif config.peft_type is peft.PeftType.PREFIX_TUNING:
            config.inference_mode = False
            # A finished prefix has no projection, although its configuration names one.
            encoder.prefix_projection = bool(projects and not before)
        yield
    finally:
        vars(model).pop("get_prompt", None)
        config.inference_mode = before
        if projects is not None:
            encoder.prefix_projection = projects
