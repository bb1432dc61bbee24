"""The folder of synthetic images: PNG files, tables, contact sheet, figures, and last a seal."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from leukreg.data.decode import digest as digest_of
from leukreg.data.walk import SNAPSHOTS
from leukreg.errors import RunError
from leukreg.files import (
    CHECKSUMS,
    ERRORS,
    check_file,
    clear_leftovers,
    part,
    read_file,
    unwritable,
    write_file,
    write_text,
)
from leukreg.gate_figures import GateFigures
from leukreg.text import as_cell, from_cell
from leukreg.types import Lineage, Sample

if TYPE_CHECKING:
    from leukreg.synthesis.generator import ClassImages


SEAL = "complete.json"
REQUEST = "request.txt"
HELD = "trained-on.txt"
TABLE = "lineage.csv"
FIGURES = "fidelity.json"
COPIES = "copies.png"
LIST = "table.csv"
LINEAGE = ("generator", "seed", "fold", "parent", "parent_label", "snapshot", "condition")
FIGURES_OF_CLASSES = TypeAdapter(tuple[GateFigures, ...])


@dataclass(frozen=True, slots=True)
class SyntheticRows:
    """Synthetic rows, their files written, and how they were judged."""

    rows: tuple[Sample, ...]
    figures: tuple[GateFigures, ...] = ()
    """One per class and one overall; empty where there was no gate."""


def folder_names(classes: Sequence[str]) -> dict[str, str]:
    """Class to folder name: what no file system refuses, and no two alike."""
    names: dict[str, str] = {}
    for label in dict.fromkeys(classes):
        name = re.sub(r'[\x00-\x1f/\\:*?"<>|]', "_", label).strip(" .") or "_"
        while name.casefold() in {n.casefold() for n in (*names.values(), SNAPSHOTS)}:
            name += "_"
        names[label] = name
    return names


def read_complete(home: Path, digest: str) -> SyntheticRows | None:
    """What a finished folder of this very request holds, every file as it was written, or None."""
    try:
        seal = json.loads(read_file(home / SEAL))
        if seal["request"] != digest:
            return None
        table = read_file(home / TABLE).decode("utf-8", ERRORS)
        lines = [
            {column: from_cell(text) for column, text in line.items()}
            for line in csv.DictReader(io.StringIO(table, newline=""))
        ]
        rows = tuple(_row(home, line) for line in lines)
        files = [digest_of(Path(row.path).read_bytes()) for row in rows]
        if len(rows) != seal["images"] or files != [line["pixels"] for line in lines]:
            return None
        figures = json.loads(read_file(home / FIGURES)) if seal["judged"] else []
        return SyntheticRows(rows, FIGURES_OF_CLASSES.validate_python(figures))
    except (RunError, OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # missing or damaged: made again, to the same pixels


def begin(home: Path, digest: str) -> None:
    """Make room; what another request left is removed, a killed one's snapshots are kept.

    Raises:
        WriteError: ``home`` cannot be written.
        RunError: A fold was trained on what another request left there.
    """
    try:
        note = home / REQUEST
        if note.is_file():
            check_file(note, "put it back from a copy, or start a new run")
        if home.exists() and not (note.is_file() and note.read_text("utf-8") == digest):
            if (home / HELD).exists():
                raise RunError(
                    f"{home}: a fold was trained on these images, and something that they are made"
                    " from has changed since, a file that the generator reads, say; start a new"
                    " run, or put it back as it was, its date too"
                )
            shutil.rmtree(home)
        home.mkdir(parents=True, exist_ok=True)
        (home / SEAL).unlink(missing_ok=True)
        for place in (home, *(path for path in home.iterdir() if path.is_dir())):
            clear_leftovers(place)
        write_text(note, digest, listed=True)
    except OSError as error:
        raise unwritable(home, error) from error


def hold(home: Path) -> None:
    """Note that a fold is trained on these images: others never take their place."""
    if home.is_dir() and not (home / HELD).exists():
        write_file(home / HELD, b"", listed=True)


def write_images(home: Path, batches: Mapping[str, ClassImages]) -> tuple[Sample, ...]:
    """One PNG per image, in a folder for each class, and their rows."""
    from PIL import Image

    rows = []
    for label, name in folder_names([*batches]).items():
        (home / name).mkdir(exist_ok=True)
        made = zip(batches[label].pixels, batches[label].lineage, strict=True)
        for number, (picture, lineage) in enumerate(made, start=1):
            path = home / name / f"{number:04d}.png"
            data = io.BytesIO()
            Image.fromarray(picture).save(data, "PNG", compress_level=3)
            write_file(path, data.getvalue(), sync=False)  # the table holds its digest
            rows.append(_sample(f"synthetic/{home.name}/{name}/{path.name}", path, label, lineage))
    return tuple(rows)


def _sample(name: str, path: Path, label: str, lineage: Lineage) -> Sample:
    return Sample(id=name, path=str(path), label=label, origin="synthetic", lineage=lineage)


def finish(home: Path, digest: str, made: SyntheticRows) -> None:
    """Write the lineage table and the figures, then the seal that makes the folder count."""
    columns = ("id", "label", *LINEAGE, "pixels")
    write_text(home / TABLE, _table(columns, map(_line_of, made.rows)), listed=True)
    if made.figures:
        plain = FIGURES_OF_CLASSES.dump_python(made.figures, by_alias=True, exclude_none=True)
        figures = json.dumps(plain, ensure_ascii=False, indent=1)
        write_text(home / FIGURES, figures, listed=True)
    seal = {"request": digest, "images": len(made.rows), "judged": bool(made.figures)}
    write_text(home / SEAL, json.dumps(seal), listed=True)


def write_list(home: Path, rows: Iterable[Sample]) -> None:
    """Write ``table.csv``, as the source "table" reads it: the rows that may be trained on."""
    lines = (
        _line_of(row)
        | {"path": Path(row.path).relative_to(home).as_posix(), "split": "train"}
        | {"origin": row.origin}
        for row in rows
    )
    write_text(home / LIST, _table(("path", "label", "split", "origin", *LINEAGE), lines))


def _table(columns: Sequence[str], lines: Iterable[Mapping[str, Any]]) -> str:
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, columns, extrasaction="ignore")
    table.writeheader()
    for line in lines:  # an empty text is an empty cell
        table.writerow({k: as_cell(v) if isinstance(v, str) and v else v for k, v in line.items()})
    return text.getvalue()


def _line_of(row: Sample) -> dict[str, Any]:
    """A synthetic row by column of a table."""
    assert row.lineage is not None
    condition = json.dumps(dict(row.lineage.condition), sort_keys=True, ensure_ascii=False)
    return {
        **{name: getattr(row.lineage, name) for name in LINEAGE},
        "id": row.id,
        "label": row.label,
        "condition": condition,
        "pixels": digest_of(Path(row.path).read_bytes()),
    }


def _row(home: Path, line: dict[str, str]) -> Sample:
    said = {name: line[name] or None for name in LINEAGE}
    plain = said | {"condition": json.loads(line["condition"])}
    path = home.joinpath(*line["id"].split("/")[-2:])
    lineage = TypeAdapter(Lineage).validate_python(plain)
    return _sample(line["id"], path, line["label"], lineage)


def lift(home: Path, place: Path) -> None:
    """What only a run needs is dropped; the rest goes a folder up.

    Raises:
        WriteError: The disk is full.
    """
    try:
        for name in (SEAL, REQUEST, TABLE, CHECKSUMS):
            (home / name).unlink(missing_ok=True)
        snapshots = home / SNAPSHOTS
        if snapshots.is_dir() and not any(snapshots.iterdir()):
            snapshots.rmdir()
        inner = home.rename(part(home))  # a class may be called as the folder is
        for path in [*inner.iterdir()]:
            path.rename(place / path.name)
        inner.rmdir()
    except OSError as error:
        raise unwritable(place, error) from error
