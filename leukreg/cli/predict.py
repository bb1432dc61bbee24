"""``leukreg predict``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from leukreg.cli.arguments import image_paths, run_named, runs_folder, say_readings
from leukreg.cli.output import say

if TYPE_CHECKING:
    from leukreg.predict.prediction_table import Predicted

FINDINGS = 1
STDOUT = Path("-")


@click.command("predict")
@click.argument("run")
@image_paths
@click.option("--csv", metavar="FILE", type=click.Path(path_type=Path), help="Write a table.")
@click.option("--json", metavar="FILE", type=click.Path(path_type=Path), help="Write JSON.")
@click.option("--no-flags", is_flag=True, help="Do not look for copies and for strange images.")
@click.option("--all", "everything", is_flag=True, help="Print every row.")
@runs_folder
def command(
    run: str,
    paths: tuple[Path, ...],
    csv: Path | None,
    json: Path | None,
    no_flags: bool,
    everything: bool,
    root: Path,
) -> int:
    """Predict images with the models of RUN; a run of k folds answers with the mean of them.

    PATH is an image or a folder, which is walked. A file called "-" is the standard output. Exits
    with 1 when an image cannot be read; the others are predicted all the same.

    Flags: far from the training data (distance above 1), copy or near copy of a training image.
    For research, not for diagnosis.
    """
    from leukreg.predict.inputs import find_images
    from leukreg.predict.trained_run import load
    from leukreg.report import prediction_report as shown
    from leukreg.report.console import RichProgress, open_console

    targets = [path for path in (csv, json) if path is not None and path != STDOUT]
    shown.refuse_existing(targets)
    if csv == json == STDOUT:
        raise click.UsageError("--csv and --json cannot both go to the standard output")
    there = find_images(paths)
    files = there.files
    for line in there.said():
        say(line, err=True)
    trained = load(run_named(run, root, with_models=True))
    with RichProgress(open_console(err=True)) as progress:
        found = trained.assess(files, flags=not no_flags, progress=progress)
    say_readings(found)
    wanted = ((csv, shown.as_csv), (json, shown.as_json))
    _write({path: text(found, trained.result) for path, text in wanted if path is not None})
    if STDOUT not in (csv, json):
        shown.show(found, trained.result, open_console(), everything)
        for path in targets:
            say(f"Written: {path}")
    return _code(found)


def _write(texts: dict[Path, str]) -> None:
    from leukreg.files import ERRORS, write_together

    if STDOUT in texts:
        say(texts.pop(STDOUT), nl=False)
    write_together({path: text.encode("utf-8", ERRORS) for path, text in texts.items()})


def _code(found: Predicted) -> int:
    if not found.readable.any():
        say("leukreg: not one image could be read", err=True)
    return 0 if found.readable.all() else FINDINGS
