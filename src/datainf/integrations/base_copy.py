"""A copy of a base model with another configuration, in a folder of its own.

For what a recipe cannot say: a base's own dropout, above all, which is on in training
whatever the adapter's is.
"""

from collections.abc import Sequence
from pathlib import Path

from transformers import AutoModel

from datainf.core.errors import AdapterError
from datainf.integrations.base_models import (
    load_config,
    load_tokenizer,
    not_loaded,
    quiet_loading,
)

DROPOUTS = (
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "classifier_dropout",
    "attention_dropout",
    "dropout",
    "activation_dropout",
    "embd_pdrop",
    "attn_pdrop",
    "resid_pdrop",
)
"""What configurations call the shares that are dropped."""


def copy_without_dropout(name: str, folder: str | Path) -> tuple[str, ...]:
    """Save a base with every dropout of its configuration set to 0.

    Args:
        name: A folder or hub name.
        folder: Where to; written anew.

    Returns:
        The entries of the configuration that were above 0.

    Raises:
        AdapterError: If it cannot be loaded.
    """
    config = load_config(name)
    above = _positive(config, DROPOUTS)
    for entry in above:
        setattr(config, entry, 0.0)
    try:
        with quiet_loading():
            model = AutoModel.from_pretrained(name, config=config)
            model.save_pretrained(str(folder))
    except (OSError, ValueError) as error:
        raise AdapterError(not_loaded("model", name, error)) from error
    load_tokenizer(name).save_pretrained(str(folder))
    return above


def _positive(config: object, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in names if getattr(config, name, None))
