"""``leukreg runs``: the runs of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from leukreg.cli.options import runs_folder
from leukreg.cli.output import say

if TYPE_CHECKING:
    from leukreg.runs.listing import RunSummary

COLUMNS = ("run", "recipe", "when", "status", "bal. acc.", "scored", "findings")
IN_NAME = ("recipe", "when")
"""What a run's name tells already; left out on a narrow terminal."""
WIDE = 110


@click.command("runs")
@runs_folder
def command(root: Path) -> None:
    """List the runs of a folder, oldest first: unfinished and damaged ones too."""

    from leukreg.report.console import open_console, print_table
    from leukreg.runs.listing import list_runs
    from leukreg.types import Table

    found = list_runs(root)
    if not found:
        say(f"No runs in {root}.")
        return
    console = open_console()
    narrow = console.is_terminal and console.width < WIDE
    chosen = [column for column in COLUMNS if not (narrow and column in IN_NAME)]
    rows = tuple(tuple(_row(run)[column] for column in chosen) for run in found)
    print_table(Table(columns=tuple(chosen), rows=rows), console)
    for run in found:
        if run.error:
            say(f"{run.name}: {run.error.splitlines()[0]}")


def _row(run: RunSummary) -> dict[str, str]:
    score = run.balanced_accuracy
    value = "" if score is None else "undefined" if score.value is None else f"{score.value:.3f}"
    when = run.started[:10]
    scored = ", ".join(sorted(run.scored))
    cells = (run.name, run.recipe, when, run.standing, value, scored, _findings(run))
    return dict(zip(COLUMNS, cells, strict=True))


def _findings(run: RunSummary) -> str:
    if run.standing != "finished":
        return ""
    counts = (
        (run.errors, "error" if run.errors == 1 else "errors"),
        (run.warnings, "warning" if run.warnings == 1 else "warnings"),
        (run.waived, "waived"),
    )
    return ", ".join(f"{n} {word}" for n, word in counts if n) or "none"
