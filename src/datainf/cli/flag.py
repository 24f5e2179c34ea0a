"""One flag of the command line, and the headings that flags stand under."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Flag:
    """One flag.

    Attributes:
        names: As typed.
        kind: Type of its value; bool makes a switch.
        help: One sentence.
        path: Where its value belongs in run.yaml; None where it does not.
        many: Whether it can be given several times.
        panel: Heading in `--help`.
    """

    names: tuple[str, ...]
    kind: type
    help: str
    path: tuple[str, ...] | None = None
    many: bool = False
    panel: str = "This command"


MODEL, DATA, COLLECT, SCORE, RECIPE, EVALUATE, STUDY = (
    "Model and task",
    "Data",
    "Collecting",
    "Scoring",
    "Training",
    "Retraining",
    "The experiment",
)
