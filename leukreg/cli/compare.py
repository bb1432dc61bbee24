"""``leukreg compare A B ...``: runs and published figures side by side."""

from __future__ import annotations

from pathlib import Path

import click

from leukreg.cli.options import runs_folder


@click.command("compare")
@click.argument("names", nargs=-1, metavar="[NAME...]")
@click.option("--all", "everything", is_flag=True, help="Compare all runs, and NAMEs with them.")
@runs_folder
def command(names: tuple[str, ...], everything: bool, root: Path) -> None:
    """Put runs and published figures side by side with their findings, and say what differs.

    NAME is a run (folder, name, unique beginning, "last"), a file of published figures, or a
    recipe: its latest run beside its published figures, trials with --set aside. A bare v3 means
    experiments/v3.toml where that exists. Runs without a result are said and left out.
    """
    from leukreg.cli.compared import every_run, subjects
    from leukreg.registry import installed
    from leukreg.report.compare import comparison
    from leukreg.report.console import open_console, render

    if everything:
        names = (*names, *every_run(root))
    if len(names) < 2:
        raise click.UsageError("name at least two runs, recipes or papers to compare")
    console, registry = open_console(), installed()
    for section in comparison(subjects(names, root, registry), registry):
        render(section, console)
