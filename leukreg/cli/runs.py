"""``leukreg runs``: the runs of a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from leukreg.cli.arguments import runs_folder
from leukreg.cli.output import say
from leukreg.registry import installed
from leukreg.report.console import open_console, print_table
from leukreg.section import Table
from leukreg.text import counted, rounded
from leukreg.types import Figure, Score

if TYPE_CHECKING:
    from leukreg.runs.run_list import RunSummary

IN_NAME = ("recipe", "when")
"""What a run's name tells already; left out on a narrow terminal."""
WIDE = 110


@click.command("runs")
@runs_folder
def command(root: Path) -> None:
    """List the runs of a folder, oldest first: unfinished and damaged ones too."""
    from leukreg.evaluate.scoring import declared
    from leukreg.runs.run_list import list_runs

    found = list_runs(root)
    if not found:
        say(f"No runs in {root}.")
        return
    console = open_console()
    narrow = console.is_terminal and console.width < WIDE
    headlines = [figure for figure in declared(installed()).values() if figure.headline]
    of_patients = any(run.patient_scores for run in found)
    rows = [_row(run, headlines, of_patients) for run in found]
    chosen = [column for column in rows[0] if not (narrow and column in IN_NAME)]
    cells = tuple(tuple(row[column] for column in chosen) for row in rows)
    print_table(Table(columns=tuple(chosen), rows=cells), console)
    for run in found:
        if run.error:
            say(f"{run.name}: {run.error.splitlines()[0]}")


def _row(run: RunSummary, headlines: Sequence[Figure], of_patients: bool) -> dict[str, str]:
    row = {"run": run.name, "recipe": run.recipe, "when": run.started[:10], "status": run.standing}
    for figure in headlines:
        row[figure.title] = _value(run.scores, figure)
        if of_patients:
            row[f"{figure.title}, patients"] = _value(run.patient_scores, figure)
    findings = [
        counted(run.errors, "error") if run.errors else "",
        counted(run.warnings, "warning") if run.warnings else "",
        f"{run.waived} waived" if run.waived else "",
    ]
    said = ", ".join(filter(None, findings)) or "none"
    row["scored"] = ", ".join(sorted(run.scored))
    return row | {"findings": said if run.standing == "finished" else ""}


def _value(scores: Sequence[Score], figure: Figure) -> str:
    score = next((one for one in scores if one.name == figure.name), None)
    if score is None:
        return ""
    return "undefined" if score.value is None else rounded(score.value)
