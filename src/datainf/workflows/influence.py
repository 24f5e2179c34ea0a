"""`influence`: scores from plain tensors; no model, no file.

N training examples, Q queries, d parameters of a block.
"""

import warnings
from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from datainf.core.errors import DatainfWarning, OptionError
from datainf.core.options import Blocks, Normalize
from datainf.estimators.base import Estimator
from datainf.estimators.table import build
from datainf.store.memory import InMemorySource


def influence(
    train: Mapping[str, Tensor],
    queries: Mapping[str, Tensor],
    *,
    method: str | Estimator = "datainf",
    damping: float | str | None = None,
    blocks: Blocks | str | None = None,
    normalize: Normalize | str | None = None,
    **options: Any,
) -> Float[Tensor, "Q N"]:
    """Score training examples from their gradients.

    Args:
        train: Block name -> `[N, d]`, the gradient of each training example's loss.
        queries: The same blocks -> `[Q, d]`, the gradient of each query's loss.
        method: A name of `datainf.methods()`, or an estimator.
        damping: λ of a block over its mean squared gradient entry, or "auto"; None for
            the method's default (0.1, the paper's).
        blocks: Which blocks share a curvature group: `tensor` (each by itself, the
            default), `module`, `layer` or `all`.
        normalize: `none`; `example` or `block` to scale every training gradient, or
            each block of it, to unit length; `relatif`.
        **options: Options of the method itself, such as `steps` of `lissa`.

    Returns:
        Influence of each training example on each query's loss, in the widest dtype of
        the gradients and at least float32, on the queries' device. Negative:
        up-weighting the example lowers the query's loss (proponent).

    Raises:
        OptionError: If training examples and queries do not have the same blocks.

    Examples:
        Three training examples and one query, in two blocks. The first example pulls
        where the query does, the third the other way.

        >>> train = {
        ...     "lora_A": torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]),
        ...     "lora_B": torch.tensor([[2.0], [0.0], [-2.0]]),
        ... }
        >>> queries = {
        ...     "lora_A": torch.tensor([[1.0, 0.0]]),
        ...     "lora_B": torch.tensor([[1.0]]),
        ... }
        >>> influence(train, queries, method="dot")
        tensor([[-3.,  0.,  3.]])
        >>> influence(train, queries).sign()
        tensor([[-1.,  0.,  1.]])
    """
    estimator = build(
        method, damping=damping, blocks=blocks, normalize=normalize, options=options
    )
    missing = [name for name in train if name not in queries]
    extra = [name for name in queries if name not in train]
    if missing or extra:
        raise OptionError(
            "train and queries must have the same blocks: queries lack "
            f"{missing or 'none'}, train lacks {extra or 'none'}."
        )
    rows = InMemorySource(train)
    asked = InMemorySource({name: queries[name] for name in train})
    for name, size in rows.layout.sizes.items():
        if asked.layout.sizes[name] != size:
            raise OptionError(
                f"block {name} has {size} columns in train and "
                f"{asked.layout.sizes[name]} in queries; give gradients of the same "
                "tensor."
            )
    scores = estimator.score(estimator.fit(rows), rows, asked)
    for note in scores.provenance.notes:
        if note.startswith("not converged"):  # a tensor has no place for a verdict
            warnings.warn(f"{estimator.name}: {note}", DatainfWarning, stacklevel=2)
    device = next(iter(queries.values())).device
    return torch.from_numpy(scores.values).to(device)
