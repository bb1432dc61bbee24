"""``leukreg runs``: the runs of a folder, those of a sweep as one."""

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
@click.argument("sweep", required=False)
@runs_folder
def command(sweep: str | None, root: Path) -> None:
    """List the runs of a folder, oldest first: unfinished and damaged ones too.

    The runs of a sweep are one line; with SWEEP (its folder, its name or "last") they are listed
    themselves.
    """
    from leukreg.report.sweep_tables import sweeps_table
    from leukreg.runs.run_list import list_runs
    from leukreg.runs.sweep_record import read_sweep_record, sweep_named, sweeps_in

    if sweep is not None:
        of = sweep_named(sweep, root)
        own = [run for run in list_runs(of.parent) if run.sweep == of.name]
        _print(own, f"No run of {of.name} has begun.")
        if own and read_sweep_record(of).search is not None:
            say("These are figures on test rows; leukreg compare chooses by validation rows.")
        return
    every = list_runs(root)
    places = sweeps_in(root)
    names = {place.name for place in places}
    if places:
        print_table(sweeps_table(places, every), open_console())
    alone = [run for run in every if run.sweep not in names]
    if alone and places:
        say()
    _print(alone, "" if places else f"No runs in {root}.")


def _print(found: Sequence[RunSummary], otherwise: str) -> None:
    """A table of runs with their headline figures, then what went wrong in them."""
    from leukreg.evaluate.scoring import declared

    if not found:
        say(otherwise, nl=bool(otherwise))
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
        if run.error and run.standing != "stopped":  # of a search, that is no error
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
