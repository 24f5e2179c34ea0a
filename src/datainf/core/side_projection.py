"""What a projection of gradients makes of their shapes: each side at most k numbers.

The gradient of a tensor of o × i numbers is stored as P_out G P_inᵀ, of at most k × k
(`linalg/sides.py`). A side that is no longer than k stays as it is; so does a block of
which both do. A vector has one side; of more than two dimensions, all but the first
are the inputs' side.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

KIND = "sides"
"""What `manifest.json` calls it."""


@dataclass(frozen=True)
class SideProjection:
    """Two seeded random matrices a block.

    Attributes:
        width: Most numbers of a side, k.
        seed: Chooses the matrices.
    """

    width: int
    seed: int = 0

    def shape_of(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Give the shape of a block's projected gradient.

        Args:
            shape: Of the block.

        Returns:
            The same where no side is longer than k.

        Examples:
            >>> SideProjection(16).shape_of((8, 384))
            (8, 16)
            >>> SideProjection(16).shape_of((320, 4, 3, 3))
            (16, 16)
            >>> SideProjection(16).shape_of((3, 1, 2, 2))
            (3, 1, 2, 2)
        """
        found = sides(shape)
        if all(side <= self.width for side in found):
            return shape
        return tuple(min(side, self.width) for side in found)

    def to_dict(self) -> dict[str, Any]:
        """Write it as JSON values."""
        return {"kind": KIND, "width": self.width, "seed": self.seed}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any] | None) -> "SideProjection | None":
        """Read what `to_dict` wrote; None stays None."""
        return None if value is None else cls(value["width"], value["seed"])


def sides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Give the lengths of a tensor's sides.

    Args:
        shape: Its shape.

    Returns:
        Outputs and inputs; the one length of a vector.
    """
    return shape if len(shape) < 2 else (shape[0], math.prod(shape[1:]))


def said(value: Mapping[str, Any] | None) -> str:
    """Write a projection as the options that make it.

    Args:
        value: What `to_dict` gave; None for none.

    Returns:
        As in "project=16, project_seed=0".
    """
    if value is None:
        return "none"
    return f"project={value['width']}, project_seed={value['seed']}"
