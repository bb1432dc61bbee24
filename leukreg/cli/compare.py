"""``leukreg compare A B ...``: runs and published figures side by side."""

from __future__ import annotations

from pathlib import Path

import click

from leukreg.cli.options import runs_folder


@click.command("compare")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@runs_folder
def command(names: tuple[str, ...], root: Path) -> None:
    """Put runs and published figures side by side with their findings, and say what differs.

    NAME is a run (folder, name, unique beginning, "last"), a file of published figures, or a
    recipe: its latest run beside its published figures. A bare v3 means experiments/v3.toml where
    that exists.
    """

    from leukreg.cli.compared import subjects
    from leukreg.registry import installed
    from leukreg.report.compare import comparison
    from leukreg.report.console import open_console, render

    if len(names) < 2:
        raise click.UsageError("name at least two runs, recipes or papers to compare")
    console, registry = open_console(), installed()
    for section in comparison(subjects(names, root, registry), registry):
        render(section, console)
