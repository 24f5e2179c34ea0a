"""`evaluate lds`, `loo`, `prune`: how good scores are, by training again."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from datainf.cli.config import config_of
from datainf.cli.console import Bars, tell
from datainf.cli.flags import Given
from datainf.cli.output import Format, format_of, write_facts, write_table

if TYPE_CHECKING:
    from datainf.workflows.evaluate import Evaluated


class LdsUnlessNamed(TyperGroup):
    """A group in which `datainf evaluate RUN.yaml` means `datainf evaluate lds`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `lds` first where the user named no command and asked for no help."""
        named = args[:1] and args[0] in (*self.commands, "--help")
        asked = ctx.resilient_parsing and not args  # by a shell: what may come here?
        return super().parse_args(ctx, args if named or asked else ["lds", *args])

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Offer the flags of `lds` beside the commands."""
        flags = self.commands["lds"].shell_complete(ctx, incomplete)
        return [*super().shell_complete(ctx, incomplete), *flags]


def lds(given: Given) -> None:
    """Retrain on random subsets, and see which scores foretold the queries' losses."""
    from datainf.workflows.evaluate_lds import lds_run

    found = _run(given, lds_run)
    from datainf.workflows.verdict import headlines

    if format_of(given) is Format.TABLE:
        typer.echo()
        for sentence in headlines(found.table):
            typer.echo(sentence)


def loo(given: Given) -> None:
    """Leave single examples out, and see whose loss changed as the scores say."""
    from datainf.workflows.evaluate_loo import loo_run

    _run(given, loo_run)


def prune(given: Given) -> None:
    """Drop the strongest proponents, and see how much more than at random it hurts."""
    from datainf.workflows.evaluate_prune import prune_run

    _run(given, prune_run)


def _run(given: Given, work: "Callable[..., Evaluated]") -> "Evaluated":
    """Evaluate and write the table."""
    style = format_of(given)
    config = config_of(given)
    found = work(config, Bars())
    if style is Format.JSON:
        write_facts(found.details, style)
    else:
        write_table(found.table, style)
    tell(f"files: {', '.join(str(file) for file in found.files)}")
    return found
