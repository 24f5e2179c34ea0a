"""`methods`, `doctor`, `demo`."""

from datainf.cli.config import config_of
from datainf.cli.console import Bars
from datainf.cli.flags import Given
from datainf.cli.output import Format, format_of, write_table


def methods(given: Given) -> None:
    """List the estimators with formula, cost, exactness and paper."""
    style = format_of(given)
    from datainf.estimators.table import methods as listed

    write_table(listed(), style)


def doctor(given: Given) -> None:
    """Check the machine and, with --adapter and --data, what would be collected."""
    style = format_of(given)
    config = config_of(given)
    import pandas as pd
    import typer

    from datainf.workflows.doctor import examine

    found = examine(config, Bars())
    table = pd.DataFrame(
        [{"check": f.check, "state": f.state, "found": f.found} for f in found]
    )
    if style is Format.TABLE:
        for finding in found:
            typer.echo(f"{finding.state:<7} {finding.check}: {finding.found}")
    else:
        write_table(table, style)
    if any(finding.state == "fix" for finding in found):
        raise typer.Exit(2)


def demo(given: Given) -> None:
    """Fine-tune a small adapter offline, attribute it, write a report: in a minute."""
    from datainf.experiments import demo as experiment

    if given["out"] is None:
        experiment.main()
    else:
        experiment.main(out=given["out"])
