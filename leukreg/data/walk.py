"""The one walk below a folder of images: which files are images, and which are passed over.

Every command lists through it, so that no two of them disagree. A file is an image where its ending
says so, or, where the ending is missing or means nothing, where its first bytes do.
"""

from __future__ import annotations

import functools
import os
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from leukreg.errors import DataError
from leukreg.types import PassedOver

SHEET = "contact-sheet.png"
"""What leukreg calls the contact sheet of synthetic images that it writes, beside their folders."""
SNAPSHOTS = "generator"
"""The folder beside it that a generator may keep snapshots in, so that its fit can resume."""
SYSTEM = frozenset(
    {
        "#recycle", "#snapshot", "$recycle.bin", "@eadir", "@recycle", "__macosx", "__pycache__",
        "desktop.ini", "ehthumbs.db", "icon\r", "lost+found", "system volume information",
        "thumbs.db",
    }
)  # fmt: skip
"""Names in lower case that systems, storage and archives give to files and folders of their own."""
HIDDEN = "hidden or a system's own"
OURS = "leukreg's own"
STRAY = "beside the class folders"
SKIPPED = {
    HIDDEN: "skipped everywhere, such as .DS_Store, __MACOSX and @eaDir",
    OURS: "the contact sheet, and what a generator drew while it learned",
}
NO_ENDING = "no ending"

_DICOM = "a DICOM file; save the image as PNG or TIFF"
_UNREAD = "an image format that leukreg does not read; save it as PNG or TIFF"
_NO_IMAGE = "no image"
_LONGEST = 10
"""Characters of an ending; what is longer is part of the name."""
_KINDS = {
    "a whole-slide image; cut its cells out and save them as PNG or TIFF":
        ".svs .svslide .ndpi .scn .mrxs .vms .vmu .bif .isyntax .qptiff",
    "a microscope's own format; save the images as PNG or TIFF":
        ".czi .nd2 .lif .vsi .oib .oif .lsm .ims .zvi .stk",
    "a camera's raw file; save it as PNG or TIFF":
        ".cr2 .cr3 .nef .arw .dng .orf .rw2 .raf .raw",
    "holds arrays, not an image; save the images as PNG or TIFF":
        ".npy .npz .h5 .hdf .hdf5 .mat .pt .pkl .tfrecord .mdb .nii .mha",
    "an archive; unpack it": ".zip .tar .gz .tgz .bz2 .xz .7z .rar",
    "a film; save its pictures as PNG or TIFF": ".mp4 .avi .mov .mkv .mpg .mpeg",
    _DICOM: ".dcm .dicom .ima",
    _UNREAD: ".heic .heif .hif .jxl .jxr .exr .hdr .xcf .svg",
}  # fmt: skip
FOREIGN = {ending: reason for reason, endings in _KINDS.items() for ending in endings.split()}
"""Endings of what holds images in a form that is not read, and what to do with it."""

Parts: TypeAlias = tuple[str, ...]
"""A path below the folder that is walked, as its parts."""


@dataclass(frozen=True, slots=True)
class Passed:
    """A file that is not taken for an image."""

    path: Path
    what: str
    """Its ending, or what else it is."""
    reason: str
    images: bool = False
    """Whether it holds, or may hold, an image."""


@dataclass(slots=True)
class Walked:
    """What lies below a folder. Every file is an image, passed over or broken, and once."""

    top: Path
    images: list[Path] = field(default_factory=list)
    passed: list[Passed] = field(default_factory=list)
    broken: list[tuple[Path, str]] = field(default_factory=list)
    """Links to nothing that are called as images, and folders that cannot be listed; and why."""
    folders: list[Parts] = field(default_factory=list)
    """Every folder that was looked into, empty ones too; not the walked one itself."""

    def below(self, path: Path) -> Parts:
        """Where a file lies below the top."""
        return path.relative_to(self.top).parts


def walk(top: Path) -> Walked:
    """Walk a folder, links followed; what links lead to twice in one folder of ``top`` is once.

    Raises:
        DataError: ``top`` itself cannot be listed.
    """
    found = Walked(top)
    own = (top / SHEET).is_file()
    todo: deque[tuple[Path, str, set[tuple[int, int]]]] = deque([(top, "", set())])
    while todo:
        folder, skipped, seen = todo.popleft()
        entries = _entries(folder, seen, found)
        if folder != top and not skipped and entries is not None:
            found.folders.append(found.below(folder))
        real = []
        for entry in entries or ():
            system = entry.name.startswith(".") or entry.name.lower() in SYSTEM
            skip = skipped or (HIDDEN if system else "")
            if own and folder == top and entry.name in (SHEET, SNAPSHOTS):
                skip = OURS
            if not _holds(entry.is_dir):
                _put(entry, skip, found)
                continue
            # A link may show a folder in several classes, but within one it counts once.
            inside = {*seen} if folder == top or (skip and not skipped) else seen
            place = (Path(entry.path), skip, inside)
            if not entry.is_symlink():
                real.append(place)
            elif not skip:
                todo.append(place)  # last: a folder is listed where it lies, not where it is shown
        todo.extendleft(reversed(real))
    found.images.sort()
    found.folders.sort()
    return found


def _entries(
    folder: Path, seen: set[tuple[int, int]], found: Walked
) -> list[os.DirEntry[str]] | None:
    """What lies in a folder, by name; None for one that was walked before."""
    try:
        stat = folder.stat()
        if (stat.st_dev, stat.st_ino) in seen:
            return None
        seen.add((stat.st_dev, stat.st_ino))
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        if folder == found.top:
            raise DataError(f"{folder} cannot be listed: {error.strerror or error}") from error
        found.broken.append((folder, f"the folder cannot be listed: {error.strerror or error}"))
        return []


def summed(passed: Iterable[Passed], top: Path | None = None) -> tuple[PassedOver, ...]:
    """What was passed over, counted by kind; what may hold images first, then by number.

    Examples are named as they lie below ``top``, where it is given.
    """
    kinds: dict[tuple[str, str, bool], list[Path]] = {}
    for one in passed:
        kinds.setdefault((one.what, one.reason, one.images), []).append(one.path)
    found = [
        PassedOver(
            what=what,
            files=len(paths),
            example=shown(min(paths).relative_to(top) if top else min(paths)),
            reason=reason,
            images=images,
        )
        for (what, reason, images), paths in kinds.items()
    ]
    return tuple(sorted(found, key=lambda one: (not one.images, one.what in SKIPPED, -one.files)))


def instead(passed: Iterable[PassedOver]) -> str:
    """What lies there where images were looked for and none was found, for the end of a message."""
    there = "; ".join(str(one) for one in list(passed)[:3])
    return f" (passed over: {there})" if there else ""


def shown(path: Path) -> str:
    """A path for people, also where its name is not UTF-8."""
    return os.fsencode(path.as_posix()).decode(errors="backslashreplace")


def other_files(top: Path) -> list[Path]:
    """Files below a folder that are no images, sorted; links are followed, systems' own skipped.

    Raises:
        DataError: It, or a folder below it, cannot be listed: nobody knows what is missing.
    """
    walked = walk(top)
    for path, why in walked.broken:
        if path.is_dir():
            raise DataError(f"{path}: {why}")
    found = (one.path for one in walked.passed if one.what not in SKIPPED)
    return sorted(path for path in found if path.is_file())


def is_image(path: Path) -> bool:
    """Whether a file is taken for an image, by its ending or else by its first bytes."""
    ending = path.suffix.lower()
    return ending in image_endings() or _why_not(path, ending) is None


@functools.cache
def image_endings() -> frozenset[str]:
    """Endings of the formats that are read, in lower case."""
    from PIL import Image

    from leukreg.data.raster import FORMATS

    Image.init()
    read = {*FORMATS, "JPEG", "MPO", "TIFF"}
    return frozenset(name for name, kind in Image.registered_extensions().items() if kind in read)


@functools.cache
def _unread_endings() -> frozenset[str]:
    """Endings of images that Pillow knows and leukreg does not read."""
    from PIL import Image

    Image.init()
    icons = {".cur", ".icns", ".ico", ".pdf"}
    return frozenset(Image.registered_extensions()) - image_endings() - icons


def _put(entry: os.DirEntry[str], skip: str, found: Walked) -> None:
    path = Path(entry.path)
    ending = path.suffix.lower()
    if skip:
        found.passed.append(Passed(path, skip, SKIPPED[skip]))
    elif not _holds(entry.is_file):
        if path.exists():
            found.passed.append(Passed(path, "no regular file", "a pipe, socket or device"))
        elif ending in image_endings():
            found.broken.append((path, "a link to a file that is not there"))
        else:
            found.passed.append(Passed(path, "no regular file", "a link to nothing"))
    elif ending in image_endings() or (reason := _why_not(path, ending)) is None:
        found.images.append(path)
    else:
        what = ending if 1 < len(ending) <= _LONGEST else NO_ENDING
        found.passed.append(Passed(path, what, reason, images=reason != _NO_IMAGE))


def _why_not(path: Path, ending: str) -> str | None:
    """Why a file of another ending is no image that is read; None where it is one after all."""
    if ending in FOREIGN:
        return FOREIGN[ending]
    if ending in _unread_endings():
        return _UNREAD
    try:
        with path.open("rb") as file:
            head = file.read(132)
    except OSError as error:
        return f"cannot be opened: {error.strerror or error}"
    if head[128:] == b"DICM":
        return _DICOM
    return None if _begins_as_image(path, head) else _NO_IMAGE


_SIGNED = ("AVIF", "BMP", "GIF", "JPEG2000", "PNG", "QOI", "WEBP")
"""Formats of Pillow's whose first bytes are theirs alone."""


def _begins_as_image(path: Path, head: bytes) -> bool:
    from PIL import Image

    if head.startswith((b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return True  # JPEG and TIFF
    Image.init()
    accepts = (Image.OPEN[name][1] for name in _SIGNED if name in Image.OPEN)
    if not any(accept and accept(head[:16]) for accept in accepts):
        return False
    try:
        with Image.open(path, formats=_SIGNED):
            return True
    except Image.DecompressionBombError:
        return True  # reading it says so
    except (OSError, ValueError, SyntaxError):
        return False


def _holds(ask: Callable[[], bool]) -> bool:
    try:
        return ask()
    except OSError:  # a link to itself
        return False
