"""Whether a model draws in training: dropout in its modules and its configuration."""

from typing import Any

from torch import nn

NAMES = (
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "classifier_dropout",
    "attention_dropout",
    "dropout",
    "dropout_rate",
    "activation_dropout",
    "embd_pdrop",
    "attn_pdrop",
    "resid_pdrop",
)
"""What configurations call the shares that are dropped."""
# Statistics over the batch: what one example gives depends on the others.
_BATCHED = (nn.modules.batchnorm._NormBase,)


def dropouts_of(config: Any) -> tuple[str, ...]:
    """Name the entries of a configuration that drop something.

    Args:
        config: Of a transformers model.

    Returns:
        Those above 0.
    """
    return tuple(name for name in NAMES if getattr(config, name, None))


def rows_are_apart(model: nn.Module) -> bool:
    """Say whether in training an example's loss depends on nothing else in its batch.

    Args:
        model: The model; its mode does not matter.

    Returns:
        False where it drops at random, for the draws go through the batch, or where it
        normalises over the batch.
    """
    if dropouts_of(getattr(model, "config", None)):
        return False
    return not any(
        isinstance(module, _BATCHED)
        or (isinstance(module, nn.modules.dropout._DropoutNd) and module.p > 0)
        for module in model.modules()
    )
