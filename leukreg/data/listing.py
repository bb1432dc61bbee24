"""List the images of class folders, by walking them.

A pattern built from a class name is wrong for names such as ``[Malignant] Pre-B``, whose brackets
a glob reads as a character class. ``listing="glob-twice"`` keeps that fault on purpose, for recipes
that reproduce the history.
"""

from __future__ import annotations

import difflib
import glob
import os
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from leukreg.data.patients import PatientFinder
from leukreg.errors import DataError, NotAvailable
from leukreg.places import expanded
from leukreg.types import BrokenImage, Origin, Sample, Samples

EXTENSIONS = frozenset(
    {".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
"""What an image file is called, in lower case."""

Listing = Literal["walk", "glob-twice"]


@dataclass(frozen=True, slots=True)
class _File:
    """A listed file: where it lies, its POSIX path below the root and below its class folder."""

    path: Path
    below_root: str
    inside: PurePosixPath


def require_folder(root: str | Path, advice: str = "") -> Path:
    """The folder as an absolute path; relative to the working directory, ``~`` expanded.

    Args:
        advice: What to do where it is not there, for the end of the message.

    Raises:
        NotAvailable: It is not there, or it is a file.
    """
    path = expanded(root).absolute()
    if path.is_dir():
        return path
    if path.exists():
        raise NotAvailable(f"{path} is not a folder; name the folder that holds the class folders")
    hint = ""
    if path.parent.is_dir():
        close = difflib.get_close_matches(path.name, _folders(path.parent), n=1)
        hint = f" (did you mean {path.parent / close[0]}?)" if close else ""
    raise NotAvailable(f"the folder {path} does not exist{hint}" + (advice and f"; {advice}"))


def list_folder(
    root: str | Path,
    *,
    classes: Mapping[str, Sequence[str]] | None = None,
    patient: str | None = None,
    patient_level: int | None = None,
    listing: Listing = "walk",
    max_per_class: int | None = None,
    origin: Origin = "real",
) -> Samples:
    """The images in the class folders of ``root``, sorted by name; nothing is decoded.

    Args:
        root: Folder that holds one folder per class (nested folders inside are walked).
        classes: Class name to the folders (POSIX paths below ``root``) that make it up; by default
            every folder in ``root`` is a class of its own name. Folders not named are left out.
        patient: Regular expression with one group, searched in the POSIX path below ``root``; the
            group is the patient id. Rows it does not match have none.
        patient_level: The folder inside the class folder that is the patient: 1 for
            ``Benign/p07/a.jpg``. Never together with ``patient``.
        listing: "glob-twice" repeats the history's fault: every file twice, and nothing at all in
            folders with brackets in their name.
        max_per_class: At most so many images per class, evenly spread over the sorted list.
        origin: What the images are.

    Names are compared and kept in Unicode's composed form (NFC), whichever form the disk has.

    Raises:
        NotAvailable: ``root`` does not exist.
        DataError: There are no class folders, a named one is missing, or no patient id is found.
    """
    top = require_folder(root)
    pick = PatientFinder(patient, patient_level)
    rows: list[Sample] = []
    broken: list[BrokenImage] = []
    folders = _class_folders(top, classes)
    for name, members in folders.items():
        files: list[_File] = []
        for folder in members:
            found = _walk(top, folder, broken) if listing == "walk" else _glob_twice(top, folder)
            files.extend(found)
        for file in _spread(files, max_per_class):
            row = Sample(
                id=file.below_root,
                path=str(file.path),
                label=name,
                patient=pick(file.below_root, file.inside.parts),
                origin=origin,
            )
            rows.append(row)
    if (patient or patient_level) and rows and all(row.patient is None for row in rows):
        raise DataError(f"{top}: {pick.missed(rows[0].id)}")
    return Samples(rows=tuple(rows), classes=tuple(folders), broken=tuple(broken))


def image_files(folder: Path) -> list[Path]:
    """Every image file below ``folder``, classes or not, sorted, by walking; links are followed.

    Raises:
        DataError: A folder cannot be listed.
    """
    return sorted(_images(folder, set()))


def count_folder(
    root: str | Path,
    *,
    classes: Mapping[str, Sequence[str]] | None = None,
    max_per_class: int | None = None,
) -> dict[str, int]:
    """Image files in each class's folders, counted by walking whatever :func:`list_folder` lists.

    With ``max_per_class``, no more than so many are counted.

    Raises:
        NotAvailable, DataError: As :func:`list_folder`.
    """
    top = require_folder(root)
    counts = {
        name: sum(len(_walk(top, folder, [])) for folder in members)
        for name, members in _class_folders(top, classes).items()
    }
    return {name: min(n, max_per_class or n) for name, n in counts.items()}


def _class_folders(
    top: Path, classes: Mapping[str, Sequence[str]] | None
) -> dict[str, tuple[Path, ...]]:
    if classes is None:
        found: dict[str, tuple[Path, ...]] = {}
        for name in _folders(top):
            key = _nfc(name)
            found[key] = (*found.get(key, ()), top / name)
        if not found:
            raise DataError(
                f"{top} holds no folders; put the images of each class into a folder of its own"
            )
        return found
    missing: list[str] = []
    named = {
        _nfc(name): tuple(path for folder in members for path in _find(top, folder, missing))
        for name, members in classes.items()
    }
    owners = Counter(path for paths in named.values() for path in paths)
    missing += [f"{top}: {p.name!r} is named more than once" for p, n in owners.items() if n > 1]
    if missing:
        raise DataError("\n".join(missing))
    return named


def _find(top: Path, folder: str, missing: list[str]) -> list[Path]:
    """The folders of this name below ``top`` (two where NFC and NFD forms lie side by side)."""
    here = [top]
    for part in PurePosixPath(folder).parts:
        wanted = _nfc(part)
        inside = [(base, name) for base in here for name in _folders(base)]
        below = [base / name for base, name in inside if _nfc(name) == wanted]
        if not below:
            names = [name for _, name in inside]
            close = difflib.get_close_matches(part, names, n=1, cutoff=0.5)
            there = ", ".join(repr(name) for name in names[:12]) or "no folders"
            hint = f"did you mean {close[0]!r}?" if close else f"there are {there}"
            missing.append(f"{here[0]}: there is no folder {part!r}; {hint}")
            return []
        here = below
    return here


def _folders(top: Path) -> list[str]:
    """Names of the folders in ``top``, hidden ones and archive leftovers ignored."""
    with os.scandir(top) as entries:
        names = [e.name for e in entries if e.is_dir() and not _ignored(e.name)]
    return sorted(names, key=lambda name: (_nfc(name), name))


def _walk(top: Path, folder: Path, broken: list[BrokenImage]) -> list[_File]:
    files = []
    for path in _images(folder, set()):
        inside = PurePosixPath(path.relative_to(folder).as_posix())
        shown = path.relative_to(top).as_posix()
        try:
            shown.encode()
        except UnicodeEncodeError:
            name = os.fsencode(path).decode(errors="backslashreplace")
            broken.append(BrokenImage(path=name, reason="the name is not UTF-8; rename the file"))
            continue
        if not path.exists():
            broken.append(BrokenImage(path=str(path), reason="a link to a file that is not there"))
            continue
        files.append(_File(path, shown, inside))
    composed = Counter(_nfc(file.below_root) for file in files)
    named = [
        # Two files that differ in Unicode form only keep the names they have on disk.
        file if composed[_nfc(file.below_root)] > 1 else _composed(file)
        for file in files
    ]
    return sorted(named, key=lambda file: file.below_root)


def _images(folder: Path, seen: set[tuple[int, int]]) -> Iterator[Path]:
    """Image files below ``folder``, links followed; a folder that was walked before is left out."""
    try:
        stat = folder.stat()
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"{folder} cannot be listed: {error.strerror}") from error
    if (stat.st_dev, stat.st_ino) in seen:
        return
    seen.add((stat.st_dev, stat.st_ino))
    for entry in entries:
        path = Path(entry.path)
        if _ignored(entry.name):
            continue
        if entry.is_dir():
            yield from _images(path, seen)
        elif path.suffix.lower() in EXTENSIONS and (entry.is_file() or not path.exists()):
            yield path


def _glob_twice(top: Path, folder: Path) -> list[_File]:
    """The history's listing: two patterns from the unescaped class name, their lists joined."""
    name = folder.relative_to(top).as_posix()
    files: list[_File] = []
    for pattern in (f"{name}/*", f"{name}/**/*"):
        found = {
            hit
            for extension in sorted(EXTENSIONS)
            for hit in glob.glob(pattern + extension, root_dir=top, recursive=True)  # noqa: PTH207 (the fault)
        }
        for hit in sorted(found):
            below = PurePosixPath(Path(hit).as_posix())
            inside = PurePosixPath(*below.parts[len(PurePosixPath(name).parts) :])
            files.append(_composed(_File(top / hit, below.as_posix(), inside)))
    return files


def _spread(files: list[_File], most: int | None) -> list[_File]:
    if most is None or len(files) <= most:
        return files
    return [files[i * len(files) // most] for i in range(most)]


def _composed(file: _File) -> _File:
    return _File(file.path, _nfc(file.below_root), file.inside)


def _ignored(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)
