"""``leukreg runs``: the runs of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from leukreg.cli.arguments import runs_folder
from leukreg.cli.output import say
from leukreg.text import rounded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leukreg.runs.listing import RunSummary
    from leukreg.types import Figure

IN_NAME = ("recipe", "when")
"""What a run's name tells already; left out on a narrow terminal."""
WIDE = 110


@click.command("runs")
@runs_folder
def command(root: Path) -> None:
    """List the runs of a folder, oldest first: unfinished and damaged ones too."""

    from leukreg.evaluate.scoring import declared
    from leukreg.registry import installed
    from leukreg.report.console import open_console, print_table
    from leukreg.runs.listing import list_runs
    from leukreg.types import Table

    found = list_runs(root)
    if not found:
        say(f"No runs in {root}.")
        return
    console = open_console()
    narrow = console.is_terminal and console.width < WIDE
    headlines = [figure for figure in declared(installed()).values() if figure.headline]
    rows = [_row(run, headlines) for run in found]
    chosen = [column for column in rows[0] if not (narrow and column in IN_NAME)]
    cells = tuple(tuple(row[column] for column in chosen) for row in rows)
    print_table(Table(columns=tuple(chosen), rows=cells), console)
    for run in found:
        if run.error:
            say(f"{run.name}: {run.error.splitlines()[0]}")


def _row(run: RunSummary, headlines: Sequence[Figure]) -> dict[str, str]:
    row = {"run": run.name, "recipe": run.recipe, "when": run.started[:10], "status": run.standing}
    row |= {figure.title: _value(run, figure) for figure in headlines}
    return row | {"scored": ", ".join(sorted(run.scored)), "findings": _findings(run)}


def _value(run: RunSummary, figure: Figure) -> str:
    score = next((score for score in run.scores if score.name == figure.name), None)
    return "" if score is None else "undefined" if score.value is None else rounded(score.value)


def _findings(run: RunSummary) -> str:
    if run.standing != "finished":
        return ""
    counts = (
        (run.errors, "error" if run.errors == 1 else "errors"),
        (run.warnings, "warning" if run.warnings == 1 else "warnings"),
        (run.waived, "waived"),
    )
    return ", ".join(f"{n} {word}" for n, word in counts if n) or "none"
