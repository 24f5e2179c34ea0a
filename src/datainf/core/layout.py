"""Which adapter tensors a gradient row is made of: names, shapes, order, grouping.

A *block* is one adapter tensor, the paper's θ_l. Names are the parameter's path in the
base model with PEFT's wrapping taken out
("model.layers.0.self_attn.q_proj.lora_A.weight"), so that they do not depend on the
adapter's name. Rows may hold a projection of each tensor's gradient
(`core/side_projection.py`); a block's shape is then that of the projection, and `whole`
that of the tensor. L blocks, d numbers of a block in a row, D = Σ d.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from datainf.core.errors import OptionError, StoreError
from datainf.core.options import Blocks, word
from datainf.core.side_projection import SideProjection

# Name components with which PEFT's tuners begin their own parameters.
_TUNERS = (
    "adamss beft boft bone c3a deft delora fourierft frod glora gralora hada hira hra "
    "ia3 lily ln_tuning lokr lora miss oft osf peanut poly psoft pvera randlora road "
    "shira supertuning tinylora trainable_tokens unilora vblora vera waveft"
)
TUNER = re.compile(rf"^({'|'.join(_TUNERS.split())})_")


@dataclass(frozen=True, slots=True)
class Block:
    """One adapter tensor: its name and shape.

    Attributes:
        name: The parameter's path.
        shape: Of its gradient as rows hold it.
        whole: The tensor's own shape, where rows hold a projection; None where not.
    """

    name: str
    shape: tuple[int, ...]
    whole: tuple[int, ...] | None = None

    @property
    def size(self) -> int:
        """Numbers in a row, d; of a whole gradient, the number of parameters."""
        return math.prod(self.shape)

    @property
    def parameters(self) -> int:
        """Number of the tensor's parameters."""
        return math.prod(self.shape if self.whole is None else self.whole)

    @property
    def module(self) -> str:
        """Path of the adapted module: what stands before the tuner's own names."""
        parts = self.name.split(".")
        for i, part in enumerate(parts):
            if i and TUNER.match(part):
                return ".".join(parts[:i])
        return ".".join(parts[:-1]) or self.name

    @property
    def layer(self) -> str:
        """Path up to the first number ("model.layers.0"); the module where none."""
        found = re.match(r"^(.*?\.\d+)(?:\.|$)", self.name)
        return found.group(1) if found else self.module


@dataclass(frozen=True)
class Layout:
    """The blocks of a gradient row, in their order."""

    blocks: tuple[Block, ...]

    def __post_init__(self) -> None:
        """Check that there are blocks, of different names and positive sizes.

        Raises:
            OptionError: If not.
        """
        if not self.blocks:
            raise OptionError("a layout needs at least one block, got none.")
        names = [block.name for block in self.blocks]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise OptionError(
                f"block names must differ, got twice: {', '.join(twice)}."
            )
        empty = [block.name for block in self.blocks if block.size < 1]
        if empty:
            raise OptionError(
                f"blocks must hold parameters, empty: {', '.join(empty)}."
            )

    @classmethod
    def from_shapes(cls, shapes: Mapping[str, tuple[int, ...]]) -> "Layout":
        """Make a layout from names and shapes, in the mapping's order."""
        return cls(tuple(Block(name, tuple(shape)) for name, shape in shapes.items()))

    def __iter__(self) -> Iterator[Block]:
        """Go through the blocks in order."""
        return iter(self.blocks)

    def __len__(self) -> int:
        """Count the blocks, L."""
        return len(self.blocks)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Block names in order."""
        return tuple(block.name for block in self.blocks)

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Numbers of each block in a row, d."""
        return {block.name: block.size for block in self.blocks}

    @cached_property
    def parameters(self) -> dict[str, int]:
        """Parameters of each block, of its whole tensor: what λ is counted over."""
        return {block.name: block.parameters for block in self.blocks}

    @property
    def total(self) -> int:
        """Numbers of all blocks, D."""
        return sum(self.sizes.values())

    def projected(self, projection: SideProjection | None) -> "Layout":
        """Give the layout of projected rows.

        Args:
            projection: How they are projected; None for not at all.

        Returns:
            The same blocks, with the shapes that rows have then.
        """
        if projection is None:
            return self
        shapes = [(block, projection.shape_of(block.shape)) for block in self.blocks]
        return Layout(
            tuple(
                block if shape == block.shape else Block(block.name, shape, block.shape)
                for block, shape in shapes
            )
        )

    def group(self, by: Blocks | str) -> dict[str, tuple[str, ...]]:
        """Gather block names into curvature groups.

        Args:
            by: `tensor`, `module`, `layer` or `all`.

        Returns:
            Group name -> names of its blocks, both in layout order.

        Examples:
            >>> shapes = {"h.0.q.lora_A.weight": (2, 5), "h.0.q.lora_B.weight": (3, 2)}
            >>> Layout.from_shapes(shapes).group("module")
            {'h.0.q': ('h.0.q.lora_A.weight', 'h.0.q.lora_B.weight')}
        """
        keys: dict[Blocks, Callable[[Block], str]] = {
            Blocks.TENSOR: lambda block: block.name,
            Blocks.MODULE: lambda block: block.module,
            Blocks.LAYER: lambda block: block.layer,
            Blocks.ALL: lambda _: "all",
        }
        key = keys[word(Blocks, by, "blocks")]
        groups: dict[str, tuple[str, ...]] = {}
        for block in self.blocks:
            groups[key(block)] = (*groups.get(key(block), ()), block.name)
        return groups

    def require_same(self, other: "Layout", what: str, other_what: str) -> None:
        """Refuse two gradient sources whose rows are not made of the same tensors.

        Args:
            other: The other source's layout.
            what: What this one belongs to, for the message ("train").
            other_what: What the other belongs to.

        Raises:
            StoreError: If they differ; names the first difference.
        """
        for mine, theirs in zip(self.blocks, other.blocks, strict=False):
            if mine != theirs:
                raise StoreError(
                    f"{what} and {other_what} hold gradients of different tensors: "
                    f"{mine.name} {list(mine.shape)} against {theirs.name} "
                    f"{list(theirs.shape)}; collect both with the same adapter."
                )
        if len(self) != len(other):
            raise StoreError(
                f"{what} holds {len(self)} blocks and {other_what} {len(other)}; "
                "collect both with the same adapter and parameters=."
            )
