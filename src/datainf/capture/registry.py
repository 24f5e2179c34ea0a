"""The table of layer rules: which layer types give per-example gradients directly.

A rule is a pure function (inputs `[B, ...]`, output gradients `[B, ...]`) -> parameter
name -> `[B, *shape]`. A new rule is one file and one line here. Types match exactly: a
subclass may compute something else, so it takes the looped path until it has a line of
its own.
"""

from collections.abc import Callable

from torch import Tensor, nn

from datainf.capture.linear import linear_gradients

Rule = Callable[[Tensor, Tensor], dict[str, Tensor]]

RULES: dict[type[nn.Module], Rule] = {
    nn.Linear: linear_gradients,
}
