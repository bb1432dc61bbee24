"""``leukreg explain``."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from leukreg.cli.arguments import (
    image_paths,
    images_at,
    models_of,
    out_folder,
    runs_folder,
    say_readings,
)
from leukreg.cli.output import FINDINGS, GOOD, say
from leukreg.files import write_file
from leukreg.output_folder import new_folder, require_replaceable
from leukreg.report.console import RichProgress, open_console
from leukreg.text import counted, did_you_mean, file_stem, middle_cut

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from leukreg.predict.prediction_table import Predicted

    Heat = NDArray[np.float32]

WIDEST = 60
"""Characters of a name above a picture."""
FINE = 7
"""Cells a side from which a map is not called coarse (a ResNet's at 224 px)."""


@click.command("explain")
@click.argument("run")
@image_paths
@out_folder
@click.option("--class", "label", metavar="NAME", help="Explain this class, whatever is answered.")
@runs_folder
def command(run: str, paths: tuple[Path, ...], folder: Path, label: str | None, root: Path) -> int:
    """Show where the models of RUN look in images: Grad-CAM, one picture each.

    PATH is an image or a folder, which is walked. Each picture has the image, what preprocessing
    makes of it where the recipe has any (the first fold's), and what speaks for the class that is
    answered (or --class). Exits with 1 when an image cannot be
    read; the others are explained all the same.

    A map says what the model used, not what is right: it is no reason to believe an answer.
    """
    require_replaceable(folder)
    files = images_at(paths)
    trained = models_of(run, root)
    from leukreg.predict.grad_cam import explanation, feature_map_of  # after models_of: needs torch

    classes = trained.result.samples.classes
    if label is not None and label not in classes:
        raise click.UsageError(f"there is no class {label!r}; {did_you_mean(label, classes)}")
    with RichProgress(open_console(err=True)) as progress:
        found = trained.assess(files, flags=False, progress=progress)
        rows = [row for row, there in enumerate(found.readable) if there]
        answers = [label or str(found.answer[row]) for row in rows]
        maps = explanation(trained, [files[row] for row in rows], answers, progress=progress)
        seen: Sequence[NDArray[np.uint8] | None] = [None] * len(rows)
        if trained.recipe.preprocessing:
            seen = list(trained.seen([files[row] for row in rows]))
        digits = len(str(len(rows)))
        with progress.task("Writing pictures", len(rows)) as advance, new_folder(folder) as place:
            for number, row in enumerate(rows):
                # Files of one name are told apart by their number.
                name = f"{number + 1:0{digits}d}-{file_stem(files[row].stem)}.png"
                lines = _lines(found, row, answers[number], maps[number])
                _write(place / name, files[row], maps[number], lines, seen[number])
                advance()
    say_readings(found)
    where = feature_map_of(trained.models[0], trained.recipe.image.size)
    say(f"{counted(len(rows), 'picture')} written to {folder} (Grad-CAM of {where}).")
    if min(where.height, where.width) < FINE:
        say("So few cells tell roughly where; a model of larger images tells it better.")
    for row, reason in enumerate(found.unreadable):
        if reason is not None:
            say(f"{files[row]}: {reason}", err=True)
    return GOOD if len(rows) == len(files) else FINDINGS


def _lines(found: Predicted, row: int, explained: str, heat: Heat) -> tuple[str, ...]:
    index = int(found.decision[row])
    lines = [
        middle_cut(Path(found.name[row]).name, WIDEST),
        f"{middle_cut(found.classes[index], WIDEST)}  p = {found.probabilities[row, index]:.3f}",
    ]
    if explained != found.classes[index]:
        p = found.probabilities[row, found.classes.index(explained)]
        lines.append(f"explained: {middle_cut(explained, WIDEST)}  p = {p:.3f}")
    if not heat.any():
        lines.append("no part of the map speaks for this class")
    return tuple(lines)


def _write(
    path: Path, file: Path, heat: Heat, lines: tuple[str, ...], seen: NDArray[np.uint8] | None
) -> None:
    from leukreg.predict.heat_map import side_by_side

    buffer = io.BytesIO()
    side_by_side(file, heat, lines, seen).save(buffer, "PNG")
    write_file(path, buffer.getvalue(), sync=False)
