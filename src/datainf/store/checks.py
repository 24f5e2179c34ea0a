"""What a shard must be before it is written: the store's blocks, rows and order.

n rows of the shard, d parameters of a block.
"""

from collections.abc import Mapping, Sequence

from jaxtyping import Shaped
from torch import Tensor

from datainf.core.errors import OptionError
from datainf.core.layout import Layout
from datainf.store.shard import RESERVED


def refuse_reserved(layout: Layout) -> None:
    """Refuse block names that mean something else in a shard.

    Args:
        layout: The blocks of a store.

    Raises:
        OptionError: If there is one; names it.
    """
    for name in layout.names:
        if name in RESERVED:
            raise OptionError(
                f"a block cannot be called {name!r} in a store, that name has a "
                "meaning there; rename the parameter."
            )


def require_shard(
    layout: Layout,
    gradients: Mapping[str, Shaped[Tensor, "..."]],
    loss: Shaped[Tensor, "..."],
    index: Shaped[Tensor, "..."],
    positions: Sequence[int],
) -> None:
    """Refuse gradients, losses or positions that are not those of a shard.

    Args:
        layout: The blocks of the store.
        gradients: Block name -> `[n, d]`.
        loss: `[n]`.
        index: `[n]`.
        positions: What the index must be.

    Raises:
        OptionError: If a block is missing or unknown, or a shape or the index wrong.
    """
    if set(gradients) != set(layout.names):
        missing = [name for name in layout.names if name not in gradients]
        extra = [name for name in gradients if name not in layout.sizes]
        raise OptionError(
            f"gradients must be those of the store's blocks: missing {missing}, "
            f"unknown {extra}."
        )
    expected = {name: (len(positions), size) for name, size in layout.sizes.items()}
    for name, shape in expected.items():
        if tuple(gradients[name].shape) != shape:
            raise OptionError(
                f"gradients of {name} must have shape {list(shape)}, "
                f"got {list(gradients[name].shape)}."
            )
    if tuple(loss.shape) != (len(positions),):
        raise OptionError(
            f"loss must have shape {[len(positions)]}, got {list(loss.shape)}."
        )
    if index.tolist() != list(positions):
        raise OptionError(
            f"index must be that of the shard's examples, {len(positions)} from "
            f"{positions[0]} to {positions[-1]}, in their order."
        )
