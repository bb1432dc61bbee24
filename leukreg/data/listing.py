"""List the images of class folders, by walking them.

A pattern built from a class name is wrong for names such as ``[Malignant] Pre-B``, whose brackets
a glob reads as a character class. ``listing="glob-twice"`` keeps that fault on purpose, for recipes
that reproduce the history.
"""

from __future__ import annotations

import glob
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Literal

from leukreg.data.walk import STRAY, Parts, Passed, Walked, shown, summed, walk
from leukreg.errors import DataError, NotAvailable
from leukreg.paths import expanded
from leukreg.text import did_you_mean, nearest
from leukreg.types import BrokenImage, Origin, Sample, Samples

EXTENSIONS = (".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff",
              ".webp")  # fmt: skip
"""What the history's listing took for images."""

Listing = Literal["walk", "glob-twice"]


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
    beside: list[str] = []
    with suppress(OSError):
        beside = sorted(each.name for each in path.parent.iterdir() if each.is_dir())
    meant = nearest(path.name, beside)
    hint = f" (did you mean {path.parent / meant}?)" if meant else ""
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
            every folder in ``root`` is a class of its own name. In a path ``*`` stands for any
            characters within one folder's name, as in ``*/Signed slides/Promyelocyte``; all else is
            meant as it stands, brackets too. Folders not named are passed over.
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
    patient_of = patient_finder(patient, patient_level)
    walked = walk(top)
    folders = _class_folders(walked, classes)
    inside, left = _inside(walked, folders)
    broken = [
        BrokenImage(path=shown(path), reason=reason)
        for path, reason in walked.broken
        if classes is None or _member(walked.below(path), inside) is not None
    ]
    rows: list[Sample] = []
    for name, members in folders.items():
        files = [
            (file, path, len(member))
            for member in members
            for file, path in (
                _ids(walked, inside[member], broken)
                if listing == "walk"
                else _glob_twice(top, "/".join(member))
            )
        ]
        if max_per_class is not None and len(files) > max_per_class:
            files = [files[i * len(files) // max_per_class] for i in range(max_per_class)]
        for file, path, depth in files:
            whose = patient_of(file, depth)
            rows.append(Sample(id=file, path=str(path), label=name, patient=whose, origin=origin))
    if (patient or patient_level) and rows and all(row.patient is None for row in rows):
        missed = f"patient = {patient!r} matches no path; a path reads {rows[0].id!r}"
        if patient_level:
            missed = f"no image lies {patient_level} folders deep in its class folder, as "
            missed += f"{rows[0].id!r} shows"
        raise DataError(f"{top}: {missed}")
    return Samples(
        rows=tuple(rows),
        classes=tuple(folders),
        broken=tuple(broken),
        passed=summed([*walked.passed, *left], top),
    )


def list_images(folder: Path) -> Samples:
    """Every image below a folder, as one class without a name, whatever folders it lies in.

    Raises:
        DataError: The folder cannot be listed.
    """
    walked = walk(folder)
    broken = [BrokenImage(path=shown(path), reason=reason) for path, reason in walked.broken]
    files = _ids(walked, walked.images, broken)
    rows = tuple(Sample(id=file, path=str(path), label="") for file, path in files)
    passed = summed(walked.passed, folder)
    return Samples(rows=rows, classes=("",), broken=tuple(broken), passed=passed)


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
    walked = walk(require_folder(root))
    folders = _class_folders(walked, classes)
    inside, _ = _inside(walked, folders)
    counts = {
        name: sum(len(_ids(walked, inside[member], [])) for member in members)
        for name, members in folders.items()
    }
    return {name: min(n, max_per_class or n) for name, n in counts.items()}


def _class_folders(
    walked: Walked, classes: Mapping[str, Sequence[str]] | None
) -> dict[str, tuple[Parts, ...]]:
    """The folders of each class, by their parts below the top."""
    if classes is None:
        found: dict[str, tuple[Parts, ...]] = {}
        for parts in sorted(walked.folders, key=_by_name):
            if len(parts) == 1:
                key = _nfc(parts[0])
                found[key] = (*found.get(key, ()), parts)
        if not found:
            raise DataError(
                f"{walked.top} holds no folders; put the images of each class into a folder of its "
                "own"
            )
        return found
    missing: list[str] = []
    children: dict[Parts, list[str]] = {}
    for below in sorted(walked.folders, key=_by_name):
        children.setdefault(below[:-1], []).append(below[-1])
    named = {
        _nfc(name): tuple(
            parts for folder in members for parts in _find(walked.top, folder, children, missing)
        )
        for name, members in classes.items()
    }
    missing += _overlaps(walked.top, named)
    if missing:
        raise DataError("\n".join(missing))
    return named


def _overlaps(top: Path, named: Mapping[str, Sequence[Parts]]) -> Iterator[str]:
    """Folders that would be listed twice: named twice, or inside one that is named."""
    owners = [(parts, name) for name, members in named.items() for parts in members]
    for parts, n in Counter(parts for parts, _ in owners).items():
        if n > 1:
            of = ", ".join(dict.fromkeys(repr(name) for own, name in owners if own == parts))
            yield f"{top}: {'/'.join(parts)!r} is named more than once (class {of})"
    first = dict(owners)
    for parts, name in first.items():
        for end in range(len(parts)):
            if (outer := first.get(parts[:end])) is not None:
                yield (
                    f"{top}: {'/'.join(parts)!r} of class {name!r} lies inside "
                    f"{'/'.join(parts[:end]) or '.'!r} of class {outer!r}; name folders that do "
                    "not contain each other"
                )


def _find(
    top: Path, folder: str, children: Mapping[Parts, Sequence[str]], missing: list[str]
) -> list[Parts]:
    """The folders of this name or pattern (two where NFC and NFD forms lie side by side)."""
    here: list[Parts] = [()]
    for part in PurePosixPath(folder).parts:
        inside = [(base, name) for base in here for name in children.get(base, ())]
        pattern = glob.escape(_nfc(part)).replace("[*]", "*")  # brackets are brackets
        below = [(*base, name) for base, name in inside if fnmatchcase(_nfc(name), pattern)]
        if not below:
            names = list(dict.fromkeys(name for _, name in inside))
            there = ", ".join(repr(name) for name in names[:12]) or "no folders"
            hint = did_you_mean(part, names, f"there are {there}")
            what = f"no folder {part!r}" if "*" not in part else f"no folder that {part!r} fits"
            missing.append(f"{top.joinpath(*here[0])}: there is {what}; {hint}")
            return []
        here = below
    return here


def _inside(
    walked: Walked, folders: Mapping[str, Sequence[Parts]]
) -> tuple[dict[Parts, list[Path]], list[Passed]]:
    """The images inside each class's folders, and those that lie in none."""
    inside: dict[Parts, list[Path]] = {p: [] for members in folders.values() for p in members}
    left = []
    for path in walked.images:
        parts = walked.below(path)
        member = _member(parts, inside)
        if member is not None:
            inside[member].append(path)
        elif len(parts) == 1:
            left.append(Passed(path, STRAY, "no folder says what class they are", images=True))
        else:
            reason = _unnamed(parts[:-1], inside)
            left.append(Passed(path, f"folder {_nfc(parts[-2])!r}", reason, images=True))
    return inside, left


def _member(parts: Parts, inside: Collection[Parts]) -> Parts | None:
    """The class's folder that a path lies in, or is."""
    return next((parts[:n] for n in range(len(parts) + 1) if parts[:n] in inside), None)


def _unnamed(folder: Parts, inside: Iterable[Parts]) -> str:
    """Why a folder's images are passed over; one that is called nearly as another may be meant."""
    near = (own[-1] for own in inside if own and alike((own[-1], folder[-1])))
    name = next(near, None)
    return "no class names this folder" + (f", only {_nfc(name)!r}" if name else "")


def _ids(
    walked: Walked, paths: Sequence[Path], broken: list[BrokenImage]
) -> list[tuple[str, Path]]:
    """Files by id: the POSIX path below the root, in Unicode's composed form."""
    files = []
    for path in paths:
        below = "/".join(walked.below(path))
        try:
            below.encode()
        except UnicodeEncodeError:
            broken.append(BrokenImage(path=shown(path), reason="the name is not UTF-8; rename it"))
            continue
        files.append((below, path))
    composed = Counter(_nfc(below) for below, _ in files)
    # Two files that differ in Unicode form only keep the names they have on disk.
    return sorted((b if composed[_nfc(b)] > 1 else _nfc(b), path) for b, path in files)


def _glob_twice(top: Path, name: str) -> list[tuple[str, Path]]:
    """The history's listing: two patterns from the unescaped class name, their lists joined."""
    files = []
    for pattern in (f"{name}/*", f"{name}/**/*"):
        found = {
            hit
            for extension in EXTENSIONS
            for hit in glob.glob(pattern + extension, root_dir=top, recursive=True)  # noqa: PTH207 (the fault)
        }
        files += [(_nfc(Path(hit).as_posix()), top / hit) for hit in sorted(found)]
    return files


def _by_name(parts: Parts) -> tuple[str, Parts]:
    return _nfc("/".join(parts)), parts


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def patient_finder(
    pattern: str | None, level: int | None, option: str = "patient"
) -> Callable[[str, int], str | None]:
    """Whose image a file is, by its id and the depth of its class folder; unknown is None.

    Args:
        pattern: Regular expression with one group, the patient id, searched in the id.
        level: Or the folder inside the class folder that is the patient, from 1.
        option: What states the pattern, for messages.

    Raises:
        DataError: Both are given, or the expression is wrong.
    """
    if pattern and level:
        raise DataError("patient and patient_level exclude each other; give one of them")
    if pattern:
        compiled = _compiled(pattern, option)
        return lambda file, _: match[1] if (match := compiled.search(file)) else None

    def by_folder(file: str, depth: int) -> str | None:
        inside = file.split("/")[depth:]
        return _nfc(inside[level - 1]) if level and level < len(inside) else None

    return by_folder


def _compiled(text: str, option: str) -> re.Pattern[str]:
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise DataError(f"{option} = {text!r} is no regular expression: {error}") from error
    if pattern.groups != 1:
        raise DataError(
            f"{option} = {text!r} has {pattern.groups} groups; it needs exactly one, round what is "
            r"looked for, such as '(p\d+)_'"
        )
    return pattern


_BETWEEN = re.compile(r"[\s_\-\u2010-\u2015\u00ad\u200b-\u200d\ufeff]+")
"""Spaces, underscores, hyphens and dashes, and characters that nobody sees."""


def alike(names: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """Sets of names that a reader would take for one, in the order of the names."""
    groups: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        groups.setdefault(_written_plainly(name), []).append(name)
    return tuple(tuple(group) for group in groups.values() if len(group) > 1)


def said_alike(names: Iterable[str]) -> str:
    """What to say of such a set of class names."""
    listed = ", ".join(map(repr, names))
    return (
        f"classes that differ only in case, spaces, hyphens or Unicode form: {listed}; if they are "
        "one class, merge them with data.classes"
    )


def _written_plainly(name: str) -> str:
    plain = _BETWEEN.sub("", unicodedata.normalize("NFKC", name).casefold())
    return unicodedata.normalize("NFC", plain) or name
