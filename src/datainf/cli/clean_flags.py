"""The flags of `datainf clean` and `datainf select`."""

from collections.abc import Mapping

from datainf.cli.flag import Flag
from datainf.core.clean_options import CleanOptions, SelectOptions
from datainf.core.options import help_of


def _flag(name: str, kind: type, option: str, owner: type = CleanOptions) -> Flag:
    """Make the flag of an option."""
    return Flag((name,), kind, help_of(owner, option))


CLEAN_FLAGS: Mapping[str, Flag] = {
    "clean_file": Flag(
        ("--out",),
        str,
        "The file to write: like the data for drop and relabel; .csv or .parquet for "
        "review, .json for a labelling tool.",
    ),
    "select_file": Flag(("--out",), str, "The file to write, of the data's format."),
    "action": _flag("--action", str, "action"),
    "count": _flag("--count", int, "count"),
    "share": _flag("--share", float, "share"),
    "sure": _flag("--sure", float, "sure"),
    "tool": _flag("--tool", str, "tool"),
    "retrain": _flag("--retrain", bool, "retrain"),
    "test": _flag("--test", str, "test"),
    "test_split": _flag("--test-split", str, "test_split"),
    "retrain_seeds": _flag("--retrain-seeds", int, "retrain_seeds"),
    "by": _flag("--by", str, "by", SelectOptions),
    "balance": _flag("--balance", str, "balance", SelectOptions),
}
FOR_CLEAN = (
    "clean_file", "action", "count", "share", "sure", "tool", "retrain", "test",
    "test_split", "retrain_seeds",
)  # fmt: skip
FOR_SELECT = ("select_file", "count", "by", "balance")
