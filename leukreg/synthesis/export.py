"""Synthetic images in a folder of their own, with a table that the source "table" reads."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from leukreg.errors import GateError
from leukreg.files import CHECKSUMS, part, unwritable, write_file
from leukreg.output_folder import new_folder, require_replaceable
from leukreg.progress import Progress
from leukreg.synthesis import keep
from leukreg.synthesis.gate import Admitted, admit
from leukreg.synthesis.make import make
from leukreg.synthesis.reference import Reference
from leukreg.synthesis.request import Request
from leukreg.types import Sample

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
        DataError: ``out`` cannot be replaced, or the images cannot be made.
        WriteError: ``out`` cannot be written.
        GateError: The images fail the gate, and the recipe says to stop.
        PluginError: The generator failed or broke its contract.
    """
    require_replaceable(out)
    stopped: GateError | None = None
    with new_folder(out) as place:
        request = replace(request, folder=place)
        made = make(reference, request, progress)
        closing = f"no table lists them. They are in {out}, with all figures."
        try:
            admitted = admit(made, request, progress, closing)
            write_file(request.home / LIST, _table(request.home, admitted.rows))
        except GateError as error:  # the images are put in place before that is said
            stopped = error
        _lift(request.home, place)
    if stopped is not None:
        raise stopped
    return admitted


def _table(home: Path, rows: Iterable[Sample]) -> bytes:
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, COLUMNS, extrasaction="ignore")
    table.writeheader()
    for row in rows:
        path = keep.cell(Path(row.path).relative_to(home).as_posix())
        more = {"path": path, "split": "train", "origin": row.origin}
        table.writerow(keep.line_of(row) | more)
    return text.getvalue().encode("utf-8")


def _lift(home: Path, place: Path) -> None:
    """What only a run needs is dropped; the rest goes a folder up.

    Raises:
        WriteError: The disk is full.
    """
    try:
        for name in (keep.SEAL, keep.REQUEST, keep.TABLE, CHECKSUMS):
            (home / name).unlink(missing_ok=True)
        snapshots = home / keep.SNAPSHOTS
        if snapshots.is_dir() and not any(snapshots.iterdir()):
            snapshots.rmdir()
        inner = home.rename(part(home))  # a class may be called as the folder is
        for path in [*inner.iterdir()]:
            path.rename(place / path.name)
        inner.rmdir()
    except OSError as error:
        raise unwritable(place, error) from error
