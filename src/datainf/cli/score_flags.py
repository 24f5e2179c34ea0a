"""The flags of scoring: the method, its options, and what is scored beside rows."""

from collections.abc import Mapping

from datainf.cli.flag import SCORE, Flag
from datainf.core.options import ScoreOptions, help_of
from datainf.core.run_config import RunConfig

SCORE_FLAGS: Mapping[str, Flag] = {
    "method": Flag(
        ("--method",),
        str,
        help_of(ScoreOptions, "method"),
        ("score", "method"),
        panel=SCORE,
    ),
    "damping": Flag(
        ("--damping",),
        str,
        help_of(ScoreOptions, "damping"),
        ("score", "damping"),
        panel=SCORE,
    ),
    "blocks": Flag(
        ("--blocks",),
        str,
        help_of(ScoreOptions, "blocks"),
        ("score", "blocks"),
        panel=SCORE,
    ),
    "fisher": Flag(
        ("--fisher",),
        str,
        help_of(ScoreOptions, "fisher"),
        ("score", "fisher"),
        panel=SCORE,
    ),
    "normalize": Flag(
        ("--normalize",),
        str,
        help_of(ScoreOptions, "normalize"),
        ("score", "normalize"),
        panel=SCORE,
    ),
    "option": Flag(
        ("--option",),
        str,
        "steps=50: an option of the method itself; repeatable.",
        None,
        True,
        SCORE,
    ),
    "group_by": Flag(
        ("--group-by",),
        str,
        help_of(RunConfig, "group_by"),
        ("group_by",),
        panel=SCORE,
    ),
    "tokens": Flag(
        ("--tokens",), int, help_of(RunConfig, "tokens"), ("tokens",), panel=SCORE
    ),
    "checkpoints": Flag(
        ("--checkpoints",),
        str,
        help_of(RunConfig, "checkpoints"),
        ("checkpoints",),
        panel=SCORE,
    ),
    "checkpoint_limit": Flag(
        ("--checkpoint-limit",),
        int,
        help_of(RunConfig, "checkpoint_limit"),
        ("checkpoint_limit",),
        panel=SCORE,
    ),
    "agreement": Flag(
        ("--agreement",),
        bool,
        help_of(ScoreOptions, "agreement"),
        ("score", "agreement"),
        panel=SCORE,
    ),
    "keep_blocks": Flag(
        ("--keep-blocks",),
        bool,
        help_of(ScoreOptions, "keep_blocks"),
        ("score", "keep_blocks"),
        panel=SCORE,
    ),
}
FOR_SEARCH = ("method", "damping", "blocks", "normalize", "option")
FOR_SCORE = (*FOR_SEARCH, "agreement", "keep_blocks")
