"""`methods`, `doctor`, `demo`."""

from datainf.cli.config import config_of
from datainf.cli.console import Bars, printable
from datainf.cli.flags import Given
from datainf.cli.output import Format, format_of, heading, write_facts, write_table
from datainf.core.errors import OptionError


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
            # Lines after the first stand below the check's name.
            found_lines = printable(finding.found).replace("\n", f"\n{'':8}")
            typer.echo(f"{finding.state:<7} {finding.check}: {found_lines}")
    else:
        write_table(table, style)
    if any(finding.state == "fix" for finding in found):
        raise typer.Exit(2)


def demo(given: Given) -> None:
    """Fine-tune a small adapter offline, attribute it, write a report: in a minute."""
    style = format_of(given)
    if style is Format.CSV:
        raise OptionError("demo shows several tables; give --format table or json.")
    from datainf.experiments.demo import run_demo

    found = run_demo(given["out"] or "runs/demo", progress=Bars())
    if style is Format.JSON:
        write_facts(
            {
                "exact_match": {"before": found.before, "after": found.after},
                "classes": found.classes.to_dict(orient="records"),
                "planted": found.planted.to_dict(orient="records"),
                "report": found.report,
            },
            style,
        )
        return
    heading("Held-out answers that are right to the letter")
    write_facts(
        {
            family: f"{before:.0%} before fine-tuning, {found.after[family]:.0%} after"
            for family, before in found.before.items()
        },
        style,
    )
    for title, table in (
        ("What taught the model these answers (datainf, unit length)", found.examples),
        ("Is the query's own class first? (AUC 0.5 is chance)", found.classes),
        ("Planted wrong answers, among as many most suspicious rows", found.planted),
    ):
        heading(title)
        write_table(table, style)
    heading("Report")
    write_facts({"report": found.report}, style)
