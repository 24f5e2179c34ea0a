"""Captions: whether a pipeline reads them to their end."""

import inspect
from typing import Any

_TOKENIZERS = {
    "tokenizer": "text_encoder",
    "tokenizer_2": "text_encoder_2",
    "tokenizer_3": "text_encoder_3",
}
_LONGEST = "max_sequence_length"


def is_cut(pipeline: Any, caption: str) -> bool:
    """Tell whether every tokenizer of a pipeline cuts a caption.

    Args:
        pipeline: Of diffusers. For T5 what its `encode_prompt` takes at most counts,
            for CLIP the tokenizer's own limit.
        caption: The text.

    Returns:
        Whether its end reaches no text encoder.
    """
    taken = inspect.signature(pipeline.encode_prompt).parameters.get(_LONGEST)
    found = []
    for name, encoder in _TOKENIZERS.items():
        tokenizer = getattr(pipeline, name, None)
        # SD3 runs without its T5, whose tokenizer may be there all the same.
        if tokenizer is None or getattr(pipeline, encoder, None) is None:
            continue
        limit = tokenizer.model_max_length
        if taken is not None and type(tokenizer).__name__.startswith("T5"):
            limit = taken.default
        found.append(len(tokenizer(caption, verbose=False).input_ids) > limit)
    return bool(found) and all(found)
