"""A copy of a base model with another configuration, in a folder of its own.

For what a recipe cannot say: a base's own dropout, above all, which is on in training
whatever the adapter's is.
"""

from pathlib import Path

from transformers import AutoModel

from datainf.core.errors import AdapterError
from datainf.integrations.base_models import (
    load_config,
    load_tokenizer,
    not_loaded,
    quiet_loading,
)
from datainf.integrations.dropout import NAMES, dropouts_of, rows_are_apart


def copy_without_dropout(name: str, folder: str | Path) -> tuple[str, ...]:
    """Save a base with every dropout of its configuration set to 0.

    Args:
        name: A folder or hub name.
        folder: Where to; written anew.

    Returns:
        The entries of the configuration that were above 0.

    Raises:
        AdapterError: If it cannot be loaded, or drops all the same.
    """
    config = load_config(name)
    above = dropouts_of(config)
    for entry in above:
        setattr(config, entry, 0.0)
    try:
        with quiet_loading():
            model = AutoModel.from_pretrained(name, config=config)
    except (OSError, ValueError) as error:
        raise AdapterError(not_loaded("model", name, error)) from error
    if not rows_are_apart(model):
        raise AdapterError(
            f"the model {name} drops or normalises over batches by other entries of "
            f"its configuration than {', '.join(NAMES)}, so its dropout cannot be "
            "switched off by name; set it to 0 in a copy of its config.json."
        )
    model.save_pretrained(str(folder))
    load_tokenizer(name).save_pretrained(str(folder))
    return above
