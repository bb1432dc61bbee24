"""``leukreg predict``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click

from leukreg.cli.arguments import image_paths, images_at, models_of, runs_folder, say_readings
from leukreg.cli.output import FINDINGS, GOOD, say
from leukreg.errors import Problem, Problems
from leukreg.files import ERRORS, left_behind, write_together
from leukreg.report.console import RichProgress, open_console, render

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

    Flags: far from the training data (distance above 1), copy or near duplicate of a training
    image. Where the recipe has [patients], each folder is taken for a patient, by its name, and
    answered for as well; beside --csv FILE.csv stands FILE-patients.csv, a row a patient. For
    research, not for diagnosis.
    """
    from leukreg.report import prediction_report as report

    if csv == json == STDOUT:
        raise click.UsageError("--csv and --json cannot both go to the standard output")
    files = images_at(paths)
    trained = models_of(run, root)
    targets = [path for path in (csv, json) if path is not None and path != STDOUT]
    beside = None  # a table of images has no room for rows of patients
    if csv is not None and csv != STDOUT and trained.result.patients:
        beside = csv.with_name(f"{csv.stem}-patients{csv.suffix}")
        targets.insert(1, beside)
    _refuse_existing(targets)
    with RichProgress(open_console(err=True)) as progress:
        # A folder of images is a patient, where the run answers for patients.
        of = _patients(files) if trained.result.patients else None
        found = trained.assess(files, flags=not no_flags, progress=progress, patients=of)
    say_readings(found)
    texts = {}
    if csv is not None:
        texts[csv] = report.as_csv(found)
    if beside is not None and found.of_patients is not None:
        texts[beside] = report.as_csv(found.of_patients, "patient")
    if json is not None:
        texts[json] = report.as_json(found, trained.result)
    if STDOUT in texts:
        say(texts[STDOUT], nl=False)
        if csv == STDOUT and found.of_patients is not None:
            say("! Answers about patients are not in it: --csv FILE writes them too.", err=True)
    write_together({path: texts[path].encode("utf-8", ERRORS) for path in targets})
    if STDOUT not in texts:
        console = open_console()
        for section in report.sections(found, trained.result, everything):
            render(section, console)
        for path in targets:
            say(f"Written: {path}")
    if not found.readable.any():
        say("leukreg: not one image could be read", err=True)
    return GOOD if found.readable.all() else FINDINGS


def _patients(files: Sequence[Path]) -> list[str]:
    """Whose each image is: the name of its folder, or the path where two folders have one name."""
    folders = dict.fromkeys(path.parent for path in files)
    names = Counter(folder.resolve().name for folder in folders)
    said = {
        folder: folder.resolve().name if names[folder.resolve().name] == 1 else str(folder)
        for folder in folders
    }
    return [said[path.parent] for path in files]


def _refuse_existing(paths: Sequence[Path]) -> None:
    """Nothing is overwritten: say so before any work.

    What a killed command had in place while it moved another of these is its own remains.

    Raises:
        Problems: A path exists already.
    """
    if any(left_behind(path) for path in paths if not path.exists()):
        return
    there = [path for path in paths if path.exists()]
    if there:
        problems = [Problem("exists already; name another file", str(path)) for path in there]
        raise Problems(problems, closing="nothing was predicted.")
