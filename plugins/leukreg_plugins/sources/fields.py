"""The pictures of fields, found by what their annotations call them and the folders of both."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from leukreg import Sample, did_you_mean, image_endings
from leukreg_plugins.sources.annotations import Mark
from leukreg_plugins.sources.table import SIDES
from leukreg_plugins.sources.text_table import nfc

if TYPE_CHECKING:
    from leukreg import PictureSize

HINTS = 10
"""Missing pictures for which a name like theirs is looked for."""
BESIDE = {"images", "labels", "annotations", "jpegimages"}
"""Folders that part pictures from their annotations, in lower case: they say nothing else."""


class Fields:
    """The pictures that annotations are of.

    A picture has the stated name, or that name but for the ending of an image, and its folders do
    not contradict those that the annotation states and those that it lies in: cells of one patient
    or side would else be cut from the picture of another. Of several, the one counts whose folders
    are most like them, the stated ones first.
    """

    def __init__(self, rows: Iterable[Sample], annotations: Sequence[Path], top: Path) -> None:
        """
        Args:
            rows: The pictures.
            annotations: All annotation files.
            top: The folder that they lie below.
        """
        self._named: dict[str, list[Sample]] = {}
        self._folders: dict[str, list[str]] = {}
        for row in rows:
            name = PurePosixPath(row.id).name
            self._folders[row.id] = _folders(row.id)
            for each in dict.fromkeys((name, bare(name))):
                self._named.setdefault(each, []).append(row)
        self._places = {path: _folders(_below(path, top)) for path in annotations}
        ours, theirs = [*self._folders.values()], [*self._places.values()]
        self._silent = _of_all(ours, theirs) | _of_all(theirs, ours)
        for folders in (*ours, *theirs):
            folders[:] = self._telling(folders)
        self._sizes: dict[str, PictureSize | None] = {}
        self._hints: dict[str, str] = {}
        self._files: dict[str, set[Path]] = {}
        self._found: dict[tuple[str, Path], Sample] = {}

    def _telling(self, folders: Iterable[str]) -> list[str]:
        return [name for name in folders if name not in self._silent]

    def find(self, mark: Mark) -> Sample:
        """The picture that a mark lies in.

        Raises:
            ValueError: There is none, or there are several that may be meant.
        """
        asked = (mark.field, mark.file)
        if asked not in self._found:  # a field has many boxes, and many pictures may have its name
            self._found[asked] = self._look(mark)
            self._files.setdefault(self._found[asked].id, set()).add(mark.file)
        return self._found[asked]

    def _look(self, mark: Mark) -> Sample:
        name = PurePosixPath(mark.field).name
        stated, place = self._telling(_folders(mark.field)), {*self._places[mark.file]}
        called: list[Sample] = []
        for each in dict.fromkeys((name, bare(name))):
            rows = self._named.get(each, [])
            alike = [(like, row) for row in rows if (like := self._like(row, stated, place))]
            most = max((like for like, _ in alike), default=None)
            best = [row for like, row in alike if like == most]
            if len(best) > 1:
                meant = " or ".join(row.id for row in best[:3])
                raise ValueError(f"{mark.field!r} may be {meant}: give them names of their own")
            if best:
                return best[0]
            called += rows
        if called:
            raise ValueError(
                f"there is no picture {mark.field!r} in the folders that its annotation states or "
                f"lies in, and {called[0].id} is in others; if it is meant, call them alike"
            )
        raise ValueError(f"there is no picture {mark.field!r} below root{self._hint(mark.field)}")

    def _like(
        self, row: Sample, stated: Sequence[str], place: Collection[str]
    ) -> tuple[int, int, int] | None:
        """How like a picture's folders are: stated ones, those of the annotation's place, and how
        few others; None where they contradict each other."""
        own = self._folders[row.id]
        same = min(len(own), len(stated))
        if own[len(own) - same :] != stated[len(stated) - same :]:
            return None
        rest = {*own[: len(own) - same]}
        others = rest.difference(place)
        if others and {*place} - rest - {*stated}:
            return None
        return same, len(rest) - len(others), -len(others)

    def _hint(self, name: str) -> str:
        """The nearest name there is, for the first that are missing: each takes its time."""
        if name not in self._hints:
            few = len(self._hints) < HINTS
            hint = did_you_mean(PurePosixPath(name).name, self._named, "") if few else ""
            self._hints[name] = hint and f"; {hint}"
        return self._hints[name]

    def doubts(self) -> Iterator[str]:
        """What is assumed of the pictures that were found."""
        several = [name for name, files in self._files.items() if len(files) > 1]
        turned = [name for name, size in self._sizes.items() if size and size.turned]
        for names, what in (
            (several, "have boxes in several annotation files, which all count"),
            (turned, "are stored turned (EXIF); their boxes count as drawn on the upright picture"),
        ):
            if names:
                yield f"{len(names):,} of the fields, such as {min(names)}, {what}"

    def size(self, field: Sample) -> PictureSize | None:
        """The size of a picture; None for one that cannot be read."""
        from leukreg import picture_size

        if field.id not in self._sizes:
            self._sizes[field.id] = picture_size(Path(field.path))
        return self._sizes[field.id]


def bare(name: str) -> str:
    """A file's name without the ending of an image; "2020.01" has none."""
    ending = PurePosixPath(name).suffix
    return name.removesuffix(ending) if ending.lower() in image_endings() else name


def _folders(path: str) -> list[str]:
    """The folders of a path that may say something, in lower case."""
    parts = (part.lower() for part in PurePosixPath(path).parent.parts)
    return [part for part in parts if part not in {"/", "..", *BESIDE}]


def _below(path: Path, top: Path) -> str:
    return nfc(path.relative_to(top).as_posix())


def _of_all(these: Sequence[Sequence[str]], others: Sequence[Sequence[str]]) -> set[str]:
    """Folders that all of these lie in and none of the others, such as "xml": they say nothing.

    A side of a split does, and so may a name with a number, as patients have.
    """
    inside = set.intersection(*map(set, these)) if these else set()
    known = {name for folders in others for name in folders} | {*SIDES}
    return {name for name in inside - known if not any(map(str.isdecimal, name))}
