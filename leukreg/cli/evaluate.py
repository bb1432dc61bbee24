"""``leukreg evaluate``."""

from __future__ import annotations

from pathlib import Path

import click

from leukreg.audit.rules import has_errors
from leukreg.cli.arguments import models_of, runs_folder
from leukreg.cli.commands import require_whole
from leukreg.cli.output import FINDINGS, GOOD
from leukreg.registry import installed
from leukreg.report.console import RichProgress, open_console, show


@click.command("evaluate")
@click.argument("run")
@click.option(
    "--data",
    required=True,
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="The images from elsewhere: a folder or a table.",
)
@click.option(
    "--map",
    "mapping",
    multiple=True,
    metavar="OTHER=CLASS",
    help="Their name of a class, and the run's. Equal names need none.",
)
@click.option(
    "--source", default="folder", show_default=True, help="How to list them: a source plugin."
)
@click.option(
    "--set",
    "options",
    multiple=True,
    metavar="KEY=VALUE",
    help="An option of the source, such as patient_level=1.",
)
@click.option("--leave-out-copies", is_flag=True, help="Do not score copies of training images.")
@click.option("--strict", is_flag=True, help="Take no broken plugin; exit 1 on an audit error.")
@runs_folder
def command(
    run: str,
    data: Path,
    mapping: tuple[str, ...],
    source: str,
    options: tuple[str, ...],
    leave_out_copies: bool,
    strict: bool,
    root: Path,
) -> int:
    """Score the models of RUN on images from elsewhere, beside the run's own figures.

    Calibration, threshold and prediction sets are the run's; nothing is fitted here. A run about
    patients answers about patients here too, once --set says whose the images are. The result is
    a run folder among the others, for `leukreg show` and `leukreg runs`: figures with intervals,
    the drop against the original with its interval, and the findings of the audit.
    """
    from leukreg.predict.external_source import parse_mapping

    if strict:
        require_whole()
    names = parse_mapping(mapping)
    trained = models_of(run, root)
    from leukreg.predict.external_validation import evaluate  # after models_of: it needs torch

    with RichProgress(open_console(err=True)) as progress:
        result = evaluate(
            trained, data, names, source, options, leave_out_copies, runs=root, progress=progress
        )
    show(result, open_console(), installed())
    return FINDINGS if strict and has_errors(result.findings) else GOOD
