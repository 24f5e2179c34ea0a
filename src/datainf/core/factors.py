"""Kronecker factors: what the tokens of a layer tell of its gradients' second moments.

A linear layer y = x Wᵀ has the gradient Σ_t δ_t x_tᵀ, the sum running over an example's
tokens, x_t what the layer was called with and δ_t the gradient of the loss with respect
to y_t. Its factors are the two means over all tokens of all examples

    A = mean of x_t x_tᵀ   [i, i],        S = mean of δ_t δ_tᵀ   [o, o]

They cannot be had from gradient rows, which hold sums over tokens, so they are gathered
while the model runs. i, o: the layer's inputs and outputs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from datainf.core.errors import OptionError


@dataclass(frozen=True, eq=False)
class Factors:
    """Factors of one block, or why it has none.

    Attributes:
        inputs: A; None where the block has no factors.
        outputs: S; None likewise.
        reason: Why there are none, in words.
    """

    inputs: Float[Tensor, "i i"] | None = None
    outputs: Float[Tensor, "o o"] | None = None
    reason: str = ""


def require_factors(name: str, given: Factors, shape: Sequence[int]) -> None:
    """Refuse factors that cannot be a block's.

    Args:
        name: The block.
        given: Its factors.
        shape: The block's shape, `(o, i)`, or `(d,)` where only its size is known.

    Raises:
        OptionError: If one is missing, no square matrix, not symmetric, not finite, or
            of another size than the block's side.
    """
    if given.inputs is None and given.outputs is None:
        return
    sides = dict(zip(("outputs", "inputs"), shape, strict=False))
    for which in ("outputs", "inputs"):
        factor: Tensor | None = getattr(given, which)
        wrong = None
        if factor is None:
            wrong = "is missing"
        elif factor.ndim != 2 or factor.shape[0] != factor.shape[1]:
            wrong = f"is of shape {list(factor.shape)} and must be square"
        elif len(shape) == 2 and len(factor) != sides[which]:
            wrong = f"has side {len(factor)} and the block {sides[which]}"
        elif not bool(torch.isfinite(factor).all()):
            wrong = "is NaN or infinite"
        elif not torch.allclose(factor, factor.T, rtol=1e-3, atol=1e-6):
            wrong = "is not symmetric"
        if wrong:
            raise OptionError(
                f"factors of block {name}: {which} {wrong}; give the means of x xᵀ "
                "(inputs) and δ δᵀ (outputs) over its tokens."
            )


@runtime_checkable
class FactoredSource(Protocol):
    """A GradientSource that can tell factors of its rows, if they were gathered."""

    def factors(self, block: str) -> Factors | None:
        """Give the factors of a block; None where none were gathered at all.

        Args:
            block: A block of the source's layout.
        """
        ...


class BlockSums(NamedTuple):
    """Sums over some tokens of one block.

    Attributes:
        inputs: Σ x xᵀ.
        outputs: Σ δ δᵀ.
        tokens: How many.
    """

    inputs: Float[Tensor, "i i"]
    outputs: Float[Tensor, "o o"]
    tokens: int

    def plus(self, other: "BlockSums") -> "BlockSums":
        """Add the sums over other tokens."""
        return BlockSums(
            self.inputs + other.inputs.to(self.inputs.device),
            self.outputs + other.outputs.to(self.outputs.device),
            self.tokens + other.tokens,
        )


class FactorSums:
    """Sums of every block that has factors, and why the others have none.

    Attributes:
        blocks: Block name -> its sums so far.
        missing: Block name -> why it has no factors.
    """

    def __init__(self, missing: Mapping[str, str] | None = None) -> None:
        """Begin with no token.

        Args:
            missing: Blocks that cannot have factors, each with the reason.
        """
        self.blocks: dict[str, BlockSums] = {}
        self.missing = dict(missing or {})

    def add(self, blocks: Mapping[str, BlockSums]) -> None:
        """Add the sums over other tokens.

        Args:
            blocks: Block name -> sums; those of blocks without factors are let go.
        """
        for name, sums in blocks.items():
            if name not in self.missing:
                before = self.blocks.get(name)
                self.blocks[name] = sums if before is None else before.plus(sums)

    def leave_out(self, missing: Mapping[str, str]) -> None:
        """Give blocks up: what was summed of them does not cover every token.

        Args:
            missing: Block name -> why.
        """
        for name, reason in missing.items():
            self.missing.setdefault(name, reason)
            self.blocks.pop(name, None)

    def to_cpu(self) -> "FactorSums":
        """Give the same sums on the CPU."""
        found = FactorSums(self.missing)
        found.blocks = {
            name: BlockSums(sums.inputs.cpu(), sums.outputs.cpu(), sums.tokens)
            for name, sums in self.blocks.items()
        }
        return found

    @property
    def bytes(self) -> int:
        """Memory of the sums."""
        return sum(s.inputs.nbytes + s.outputs.nbytes for s in self.blocks.values())

    def factors(self, block: str) -> Factors:
        """Give the means of one block.

        Args:
            block: Its name.

        Returns:
            Its factors, or why there are none.
        """
        sums = self.blocks.get(block)
        if sums is None:
            silent = "none of its tokens has a gradient"
            return Factors(reason=self.missing.get(block, silent))
        return means(sums)


def means(sums: BlockSums) -> Factors:
    """Divide the sums of one block by its tokens.

    Args:
        sums: At least one token's.

    Returns:
        The factors, symmetric to the bit.
    """
    return Factors(_mean(sums.inputs, sums.tokens), _mean(sums.outputs, sums.tokens))


def _mean(total: Float[Tensor, "s s"], tokens: int) -> Float[Tensor, "s s"]:
    mean = total / tokens
    return torch.add(mean, mean.T).div_(2)
