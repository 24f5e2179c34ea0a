"""The flags of `datainf evaluate`: how often and how to train again."""

from collections.abc import Mapping

from datainf.cli.flag import EVALUATE, Flag
from datainf.core.evaluate_options import EvaluateOptions
from datainf.core.options import help_of


def _flag(name: str, kind: type, option: str, *, many: bool = False) -> Flag:
    """Make the flag of an option of `evaluate`."""
    text = help_of(EvaluateOptions, option)
    return Flag((name,), kind, text, ("evaluate", option), many, EVALUATE)


EVALUATE_FLAGS: Mapping[str, Flag] = {
    "methods": _flag("--method", str, "methods", many=True),
    "scores": _flag("--scores", str, "scores", many=True),
    "remove": _flag("--remove", float, "remove", many=True),
    "batch_order": _flag("--batch-order", str, "order", many=True),
    "subsets": _flag("--subsets", int, "subsets"),
    "twins": _flag("--twins", int, "twins"),
    "example": _flag("--example", int, "examples", many=True),
    "drop": _flag("--drop", int, "drop", many=True),
    "each": _flag("--each", int, "each"),
    "subset_seed": _flag("--subset-seed", int, "subset_seed"),
    "workers": _flag("--workers", int, "workers"),
    "diverged": _flag("--diverged", int, "diverged"),
    "retrained": _flag("--retrained", str, "retrained"),
}
FOR_EVALUATE = ("methods", "scores", "subset_seed", "workers", "diverged", "retrained")
