"""``leukreg show RUN``: the report of a run."""

from __future__ import annotations

from pathlib import Path

import click

from leukreg.cli.arguments import run_named, runs_folder
from leukreg.registry import installed
from leukreg.report.console import open_console, show


@click.command("show")
@click.argument("run")
@runs_folder
def command(run: str, root: Path) -> None:
    """Show the report of a run.

    RUN is a run's folder, its name, a unique beginning of its name, or "last".
    """
    from leukreg.runs.contents import read

    show(read(run_named(run, root)), open_console(), installed())
