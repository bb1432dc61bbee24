"""The folder of synthetic images: PNG files, lineage table, contact sheet, and last a seal."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leukreg.errors import DataError, RunError
from leukreg.types import Lineage, Sample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SNAPSHOTS = "generator"
"""Folder that a generator may keep snapshots in, so that its fit can resume."""
SHOWN = 10
"""Images per class on the contact sheet."""
SEAL = "complete.json"
REQUEST = "request.txt"
TABLE = "lineage.csv"
COLUMNS = (
    "id", "label", "generator", "seed", "fold", "parent", "parent_label", "snapshot", "condition",
    "pixels",
)  # fmt: skip


def folder_names(classes: Sequence[str]) -> dict[str, str]:
    """Class to folder name: what no file system refuses, and no two alike."""
    names: dict[str, str] = {}
    for label in dict.fromkeys(classes):
        name = re.sub(r'[\x00-\x1f/\\:*?"<>|]', "_", label).strip(" .") or "_"
        while name.casefold() in {n.casefold() for n in (*names.values(), SNAPSHOTS)}:
            name += "_"
        names[label] = name
    return names


def read_complete(home: Path, digest: str) -> tuple[Sample, ...] | None:
    """The rows of a finished folder of this very request, every file as it was written.

    Raises:
        RunError: The folder cannot be read.
    """
    try:
        seal = json.loads((home / SEAL).read_text(encoding="utf-8"))
        if seal["request"] != digest:
            return None
        with (home / TABLE).open(encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file))
        intact = len(lines) == seal["images"] and all(
            _digest(_path(home, line["id"]).read_bytes()) == line["pixels"] for line in lines
        )
        return tuple(_row(home, line) for line in lines) if intact else None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    except OSError as error:
        raise RunError(f"{home} cannot be read: {error.strerror or error}") from error


def begin(home: Path, digest: str) -> None:
    """Make room; what another request left is removed, a killed one's snapshots are kept."""
    try:
        note = home / REQUEST
        if home.exists() and not (note.is_file() and note.read_text("utf-8") == digest):
            shutil.rmtree(home)
        home.mkdir(parents=True, exist_ok=True)
        (home / SEAL).unlink(missing_ok=True)
        write(note, digest.encode())
    except OSError as error:
        raise DataError(f"{home} cannot be written: {error.strerror or error}") from error


def write_images(
    home: Path,
    name: str,
    label: str,
    pixels: NDArray[np.uint8],
    lineage: Sequence[Lineage],
) -> list[Sample]:
    """One PNG per image (shape ``(n, h, w, 3)``) in ``home/name``, and its rows."""
    from PIL import Image

    rows = []
    (home / name).mkdir(exist_ok=True)
    for number, (picture, line) in enumerate(zip(pixels, lineage, strict=True), start=1):
        path = home / name / f"{number:04d}.png"
        data = io.BytesIO()
        Image.fromarray(picture).save(data, "PNG", compress_level=3)
        write(path, data.getvalue())
        rows.append(
            Sample(
                id=f"synthetic/{home.name}/{name}/{path.name}",
                path=str(path),
                label=label,
                origin="synthetic",
                lineage=line,
            )
        )
    return rows


def write_sheet(home: Path, sheet: bytes) -> None:
    """The contact sheet, PNG."""
    write(home / "contact-sheet.png", sheet)


def finish(home: Path, digest: str, rows: Iterable[Sample]) -> None:
    """Write the lineage table, then the seal that makes the folder count."""
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, COLUMNS)
    table.writeheader()
    count = 0
    for row in rows:
        table.writerow(_line(row))
        count += 1
    write(home / TABLE, text.getvalue().encode("utf-8"))
    write(home / SEAL, json.dumps({"request": digest, "images": count}).encode())


def write(path: Path, data: bytes) -> None:
    """Write atomically: a reader sees the whole file or none."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise DataError(f"{path} cannot be written: {error.strerror or error}") from error


def _line(row: Sample) -> dict[str, Any]:
    line = row.lineage
    assert line is not None
    return {
        "id": row.id,
        "label": row.label,
        "generator": line.generator,
        "seed": line.seed,
        "fold": "" if line.fold is None else line.fold,
        "parent": line.parent or "",
        "parent_label": line.parent_label or "",
        "snapshot": line.snapshot or "",
        "condition": json.dumps(dict(line.condition), sort_keys=True, ensure_ascii=False),
        "pixels": _digest(Path(row.path).read_bytes()),
    }


def _row(home: Path, line: dict[str, str]) -> Sample:
    lineage = Lineage(
        generator=line["generator"],
        seed=int(line["seed"]),
        fold=int(line["fold"]) if line["fold"] else None,
        parent=line["parent"] or None,
        parent_label=line["parent_label"] or None,
        snapshot=line["snapshot"] or None,
        condition=json.loads(line["condition"]),
    )
    path = _path(home, line["id"])
    return Sample(
        id=line["id"], path=str(path), label=line["label"], origin="synthetic", lineage=lineage
    )


def _path(home: Path, name: str) -> Path:
    folder, file = name.split("/")[-2:]
    return home / folder / file


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
