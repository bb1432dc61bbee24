"""Synthetic images in a folder of their own, with a table that the source "table" reads."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from leukreg.errors import DataError, GateError
from leukreg.progress import Progress
from leukreg.synthesis import keep
from leukreg.synthesis.gate import Admitted, admit
from leukreg.synthesis.leftovers import remove_leftovers, unfinished
from leukreg.synthesis.make import make
from leukreg.synthesis.reference import Reference
from leukreg.synthesis.request import Request
from leukreg.types import Sample
from leukreg.vacant import require_replaceable

LIST = "table.csv"
COLUMNS = (
    "path", "label", "split", "origin", "generator", "seed", "fold", "parent", "parent_label",
    "snapshot", "condition",
)  # fmt: skip


def export(reference: Reference, request: Request, out: Path, progress: Progress) -> Admitted:
    """Make the images of a request and put them into ``out``, whole or not at all.

    ``out`` gets a folder of PNG files per class, ``contact-sheet.png``, ``fidelity.json`` with the
    gate's figures, what the generator keeps, and ``table.csv`` with the images that pass. Where a
    gate stops, all of it but the table is there, to be looked at and not to be trained on.

    Args:
        request: Its folder is not used: the images are made beside ``out`` and moved into place.
            What a killed process was making there is removed.

    Raises:
        DataError: ``out`` cannot be replaced or written, or the images cannot be made.
        GateError: The images fail the gate, and the recipe says to stop.
        PluginError: The generator failed or broke its contract.
    """
    require_replaceable(out)
    home = out.resolve()
    place = unfinished(home)
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(home)
        request = replace(request, folder=place)
        admitted = _admitted(make(reference, request, progress), request, out, progress)
        keep.write(request.home / LIST, _table(request.home, admitted.rows))
        _move(request.home, home)
    except OSError as error:
        raise DataError(f"{out} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return admitted


def _admitted(made: keep.Made, request: Request, out: Path, progress: Progress) -> Admitted:
    """What passes; where a gate stops, the images are put in place before that is said."""
    closing = f"no table lists them. They are in {out}, with all figures."
    try:
        return admit(made, request, progress, closing)
    except GateError:
        _move(request.home, out.resolve())
        raise


def _table(home: Path, rows: Iterable[Sample]) -> bytes:
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, COLUMNS, extrasaction="ignore")
    table.writeheader()
    for row in rows:
        path = Path(row.path).relative_to(home).as_posix()
        more = {"path": path, "split": "train", "origin": row.origin}
        table.writerow(keep.line_of(row) | more)
    return text.getvalue().encode("utf-8")


def _move(home: Path, out: Path) -> None:
    """What only a run needs is dropped; then the folder takes its place in one step."""
    for name in (keep.SEAL, keep.REQUEST, keep.TABLE):
        (home / name).unlink(missing_ok=True)
    snapshots = home / keep.SNAPSHOTS
    if snapshots.is_dir() and not any(snapshots.iterdir()):
        snapshots.rmdir()
    if out.is_dir():
        out.rmdir()  # fails where something was put into it meanwhile
    home.rename(out)
