"""The projector: brings a block's gradients to their stored shape while they are made.

A rule whose gradient is a sum of outer products gets projected inputs and output
gradients, so that the whole gradient is never formed; every other gradient is projected
when it is finished, by the same two matrices, with the same result up to rounding.
Memory: the matrices, k numbers for each number on a side that is longer than k.

B examples, o and i sides of a block, k numbers of a projected side.
"""

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor

from datainf.core.layout import Layout
from datainf.core.side_projection import SideProjection, sides
from datainf.linalg.sides import INPUTS, OUTPUTS, project_sides, side_matrix


class Projector:
    """The matrices of an adapter's blocks, made when they are first needed."""

    def __init__(
        self, layout: Layout | None = None, projection: SideProjection | None = None
    ) -> None:
        """Remember which blocks are projected.

        Args:
            layout: Of the whole gradients.
            projection: How they are projected; None passes all on as it is.
        """
        self._seed = 0 if projection is None else projection.seed
        blocks = () if layout is None else layout.projected(projection).blocks
        self._blocks = {b.name: b for b in blocks if b.whole is not None}
        self._matrices: dict[tuple[str, str], Tensor] = {}

    def factors(
        self, block: str, x: Float[Tensor, "... i"], g: Float[Tensor, "... o"]
    ) -> tuple[Float[Tensor, "... _"], Float[Tensor, "... _"]]:
        """Project both factors of a gradient Σ g xᵀ.

        Args:
            block: A linear layer's weight.
            x: What the layer was called with.
            g: Gradient of its output.

        Returns:
            The two, in the same order.
        """
        inputs, outputs = (
            self._matrix(block, INPUTS, x),
            self._matrix(block, OUTPUTS, g),
        )
        return (
            x if inputs is None else x @ inputs,
            g if outputs is None else g @ outputs,
        )

    def finished(self, block: str, gradient: Float[Tensor, "B ..."]) -> Tensor:
        """Project a whole gradient.

        Args:
            block: Whose.
            gradient: `[B, *shape]`.

        Returns:
            `[B, *stored shape]`.
        """
        if block not in self._blocks:
            return gradient
        outputs = self._matrix(block, OUTPUTS, gradient)
        inputs = self._matrix(block, INPUTS, gradient)
        # A vector is a matrix of one column.
        matrices = gradient.reshape(*gradient.shape[:2], -1)
        shape = self._blocks[block].shape
        return project_sides(matrices, outputs, inputs).reshape(-1, *shape)

    def lifted(self, vectors: Mapping[str, Float[Tensor, " _"]]) -> dict[str, Tensor]:
        """Turn directions for projected gradients into such for whole ones.

        Args:
            vectors: Block -> x, of the stored size.

        Returns:
            Block -> P_outᵀ x P_in, of the block's own size: its product with a whole
            gradient is that of x with the projected one.
        """
        return {name: self._lifted(name, x) for name, x in vectors.items()}

    def _lifted(self, block: str, x: Float[Tensor, " _"]) -> Float[Tensor, " _"]:
        if block not in self._blocks:
            return x
        pair = (self._matrix(block, side, x) for side in (OUTPUTS, INPUTS))
        matrix = x.view(1, self._blocks[block].shape[0], -1)
        turned = (None if m is None else m.T for m in pair)
        return project_sides(matrix, *turned).flatten()

    def _matrix(self, block: str, side: str, like: Tensor) -> Tensor | None:
        """Give Pᵀ of a side; None where it stays as it is."""
        one = self._blocks.get(block)
        at = (OUTPUTS, INPUTS).index(side)
        if one is None or one.whole is None or at == len(one.shape):
            return None
        size, width = sides(one.whole)[at], one.shape[at]
        if size == width:
            return None
        known = self._matrices.get((block, side))
        if known is None or (known.dtype, known.device) != (like.dtype, like.device):
            known = side_matrix(
                block, side, size=size, width=width, seed=self._seed, like=like
            )
            self._matrices[block, side] = known
        return known
