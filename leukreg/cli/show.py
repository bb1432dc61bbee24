"""``leukreg show RUN``: the report of a run, or of a sweep."""

from __future__ import annotations

from pathlib import Path

import click

from leukreg.cli.arguments import run_named, runs_folder
from leukreg.registry import installed
from leukreg.report.console import open_console, render, show


@click.command("show")
@click.argument("run")
@runs_folder
def command(run: str, root: Path) -> None:
    """Show the report of a run.

    RUN is a run's folder, its name, a unique beginning of its name, or "last"; or the same of a
    sweep, "last" apart, of which it shows what `leukreg compare SWEEP` does.
    """
    from leukreg.cli.compare import sweep_of
    from leukreg.runs.contents import read
    from leukreg.runs.sweep_record import find_sweep

    if (place := find_sweep(run, root)) is not None:
        for section in sweep_of(place):
            render(section, open_console())
        return
    show(read(run_named(run, root)), open_console(), installed())
