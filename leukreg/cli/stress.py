"""``leukreg stress RUN``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from leukreg.audit.rules import has_errors
from leukreg.cli.arguments import models_of, runs_folder
from leukreg.cli.output import FINDINGS, GOOD, say
from leukreg.files import write_file, write_text
from leukreg.output_folder import new_folder, require_replaceable
from leukreg.registry import installed
from leukreg.report.console import (
    RichProgress,
    open_console,
    print_findings,
    print_sections,
    sections,
)
from leukreg.text import csv_text

if TYPE_CHECKING:
    from leukreg.stress_figures import Stress


@click.command("stress")
@click.argument("run")
@click.option(
    "--change",
    "names",
    multiple=True,
    metavar="NAME",
    help='Only this change, such as "centre masked"; may be repeated.  [default: all]',
)
@click.option(
    "--each",
    type=click.IntRange(min=0),
    default=100,
    show_default=True,
    metavar="N",
    help="Test images of a class, evenly spread over all; 0 takes all.",
)
@click.option(
    "--out",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Also write a table, and pictures of every change, to this new or empty folder.",
)
@runs_folder
def command(run: str, names: tuple[str, ...], each: int, folder: Path | None, root: Path) -> int:
    """Change the test images of RUN in steps, and see how long its models bear it.

    Colours moved to another class's or fold's, light, blur, JPEG, noise, turned, shifted, border or
    centre masked, grey. Each fold's model sees its own test images. Figures with intervals, the
    worst change first, stand in the run folder too, for `leukreg show` and `report`; a later call
    adds the changes that are missing. Exits with 1 when the audit finds an error in them.
    """
    if folder is not None:
        require_replaceable(folder)
    trained = models_of(run, root)
    from leukreg.predict.robustness import changed_samples, chosen_changes, stress  # it needs torch
    from leukreg.synthesis.contact_sheet import contact_sheet

    chosen_changes(names, trained.result)  # a wrong name is told before any image is read
    console = open_console()
    with RichProgress(open_console(err=True)) as progress:
        result = stress(trained, names, each, progress=progress)
        found = result.stress
        assert found is not None
        if folder is not None:
            with new_folder(folder) as place:
                write_text(place / "stress.csv", csv_text(table(found)))
                sheet = contact_sheet(changed_samples(trained, names, each, progress))
                write_file(place / "pictures.png", sheet)
    plain = {section.title for section in sections(replace(result, stress=None), installed())}
    shown = [one for one in sections(result, installed()) if one.title not in plain]
    print_sections((one for one in shown if not one.title.startswith("Findings")), console)
    print_findings("Findings of these figures", found.findings, console)
    say(f"Kept in {result.folder}; leukreg report {result.folder} draws the curves.")
    if folder is not None:
        say(f"Written: {folder}")
    return FINDINGS if has_errors(found.findings) else GOOD


def table(found: Stress) -> Iterator[tuple[str, ...]]:
    """A row for each figure of each step, the images as they are first."""
    yield ("change", "level", "meaning", "figure", "class", "value", "low", "high")
    steps = [("none", "", "as they are", found.scores)]
    steps += [
        (change.name, f"{step.level:g}", step.said, (*step.scores, step.loss))
        for change in found.changes
        for step in change.steps
    ]
    for name, level, said, scores in steps:
        for one in scores:
            bounds = ("" if each is None else repr(each) for each in (one.value, one.low, one.high))
            yield (name, level, said, one.name, one.label or "", *bounds)
