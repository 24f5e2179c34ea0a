"""What an adapter would train: the parameters whose gradients are collected."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property

from torch import nn

from datainf.core.layout import Block, Layout


@dataclass(frozen=True, eq=False)
class TrainedParameter:
    """One parameter that the adapter trains.

    Attributes:
        block: Its name without the tuner's wrapping, and its shape.
        parameter: The parameter itself.
        path: Its full path in the model, for messages.
    """

    block: Block
    parameter: nn.Parameter
    path: str


@dataclass(frozen=True, eq=False)
class LowRankLayer:
    """A linear layer with two low-rank matrices beside it, y = x Wᵀ + b + s (x Aᵀ) Bᵀ.

    Attributes:
        module: The layer.
        base: Holds W and b.
        a: Holds A, `[r, i]`.
        b: Holds B, `[o, r]`.
        scale: s.
        plain: Whether a call of the layer would give that and nothing else now.
    """

    module: nn.Module
    base: nn.Linear
    a: nn.Linear
    b: nn.Linear
    scale: float
    plain: Callable[[], bool]


@dataclass(frozen=True, eq=False)
class Adapter:
    """An adapter of a model, as capture sees it: no tuner library involved.

    Attributes:
        name: The adapter's name in the model.
        parameters: Everything that is collected, in the model's order.
        saved: What the adapter saves besides, without being collected: it belongs to
            the adapter's identity, since gradients depend on it.
        left_out: (name, reason) of saved tensors that are not collected.
        task_type: What the adapter was made for ("SEQ_CLS", "CAUSAL_LM"), if it says
            so.
        activated: Gives a scope in which this adapter, and no other, is switched on.
        low_rank: Layers that may run as one product while gradients are taken.
    """

    name: str
    parameters: tuple[TrainedParameter, ...]
    saved: tuple[TrainedParameter, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()
    task_type: str | None = None
    activated: Callable[[], AbstractContextManager[object]] = nullcontext
    low_rank: tuple[LowRankLayer, ...] = ()

    @cached_property
    def layout(self) -> Layout:
        """The blocks of a gradient row."""
        return Layout(tuple(trained.block for trained in self.parameters))
