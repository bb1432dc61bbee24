"""Cells in fields: cropped where somebody drew a box round each."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from annotated_types import Ge, Gt, Le

from leukreg import (
    SILENT,
    BrokenImage,
    DataError,
    NotAvailable,
    PassedOver,
    Problem,
    Problems,
    Progress,
    Sample,
    Samples,
    did_you_mean,
    expanded,
    list_folder,
    plugin,
    require_folder,
)
from leukreg_plugins.sources.annotations import (
    CALLED,
    Format,
    Mark,
    begins_as_yolo,
    files_of,
    marks,
)
from leukreg_plugins.sources.fields import Fields, bare
from leukreg_plugins.sources.patients import PatientLabels
from leukreg_plugins.sources.table import SIDES
from leukreg_plugins.sources.text_table import at_most, nfc

if TYPE_CHECKING:
    from leukreg import PictureSize

MOST = 0.95
"""Share of the boxes that fit into a crop whose side nobody states."""
ROUNDING = 2.0
"""Pixels that a box may reach over its picture: programs count from 0 or 1, and round."""
ANNOTATIONS = (".xml", ".json", ".txt", ".yaml", ".yml", ".names", ".labels", ".csv", ".md")
"""Endings of files that nobody would look for cells in."""


@plugin("boxes")
class Boxes(PatientLabels):
    """Cells in fields of view with boxes round them: VOC XML, COCO JSON or YOLO text files.

    Each box is a square crop of its field; nothing is written, the crops are cut out when they are
    read. With scale = "same" all crops show the same number of pixels of their fields, so that a
    large cell stays larger than a small one, as under the microscope; with "box" each cell fills
    its crop, and sizes are lost. Over the border of a field its outermost pixels are repeated.
    Cells of one field stay on one side of a split where the patient is unknown.

    A field is found by the name that its annotation states, or else has. Folders of pictures and
    annotations are compared, below root and below annotations: p07/1.txt is not of p08/1.png.
    """

    root: str
    """The folder with the fields, and with their annotations; relative to the working directory, ~
    expanded."""
    annotations: str | None = None
    """File or folder with the annotations, where they do not lie below root."""
    format: Literal["auto", "voc", "coco", "yolo"] = "auto"
    """How they are written; "auto" goes by the files."""
    classes: dict[str, tuple[str, ...]] | None = None
    """Class name to the labels of boxes that make it up; by default every label is a class. Boxes
    with other labels are left out. With weak = true it only says which boxes are taken."""
    scale: Literal["same", "box"] = "same"
    """"same": all crops are as many pixels of their field a side; "box": each is as large as its
    box needs, and a small cell is shown as large as a big one."""
    side: Annotated[int, Ge(8)] | None = None
    """Pixels of the field that a crop is wide and high, with scale = "same"; by default so many
    that 95 of 100 boxes fit in with their margin. Larger ones are cut."""
    margin: Annotated[float, Ge(0), Le(5)] = 0.1
    """Room on each side of a box, as a share of its longer side."""
    patient: str | None = None
    """Regular expression with one group, the patient id, searched in a field's path below root."""
    patient_level: Annotated[int, Gt(0)] | None = None
    """The folder below root that is the patient: 1 for p07/field.jpg."""

    def contradictions(self) -> Iterator[str]:
        """Options that do not go together, in words."""
        if self.side is not None and self.scale == "box":
            yield 'side is for scale = "same": with "box" each crop is as large as its box needs'
        if self.patients is None and (self.weak or self.patient_classes is not None):
            yield "weak and patient_classes need labels of patients, the table patients"
        if self.patients is not None and not (self.patient or self.patient_level):
            yield "labels of patients need patients: say who they are, by patient or patient_level"

    def ready(self) -> None:
        """Raises NotAvailable when root, the annotations or the table of patients is not there."""
        require_folder(self.root, "put the fields there, or set data.root to where they are")
        if not self._annotations().exists():
            raise NotAvailable(f"there are no annotations at {self._annotations()}")
        if self.patients is not None:
            self.patients.ready()

    def build(self, progress: Progress = SILENT) -> Samples:
        """List the boxes, field by field; of the fields no more than their size is read.

        Raises:
            NotAvailable: Something is not there.
            DataError: There are no annotations, or of several formats.
            Problems: No box can be used, or labels are wrong; all of them at once.
        """
        self.ready()
        whole = {"": (".",)}
        fields = list_folder(
            self.root, classes=whole, patient=self.patient, patient_level=self.patient_level
        )
        kind, files = self._files({bare(PurePosixPath(row.id).name) for row in fields.rows})
        index = Fields(fields.rows, files, self._top())
        crops, broken, crowds = self._placed(kind, files, index, progress)
        taken, passed, problems = self._taken(crops)
        if not taken and not problems:
            problems = [Problem(one.reason, one.path) for one in broken]
        if problems:
            raise Problems(at_most(problems, "annotations"))
        if not taken:
            left = "".join(f"; passed over: {one}" for one in (*crowds, *passed))
            raise DataError(f"{self._annotations()}: {CALLED[kind]} without one box{left}")
        rows, how = self._cut(taken)
        beside = tuple(one for one in fields.passed if one.images or one.what not in ANNOTATIONS)
        samples = Samples(
            rows=rows,
            classes=tuple(self.classes or sorted({row.label for row in rows})),
            broken=(*fields.broken, *broken),
            passed=(*beside, *passed, *crowds, *_without_boxes(fields.rows, rows)),
            assumed=(f"{CALLED[kind]}: {how}", *index.doubts(), *_apart(rows)),
        )
        if self.patients is None:
            return samples
        told, problems, assumed = self.patients.told()
        known = {row.patient for row in fields.rows if row.patient is not None}
        samples, wrong = self.labelled(samples, told, f"from {self.patients.path}", known)
        if problems or wrong:
            raise Problems(at_most([*problems, *wrong]))
        return replace(samples, assumed=(*assumed, *samples.assumed))

    def _annotations(self) -> Path:
        return expanded(self.annotations or self.root).absolute()

    def _top(self) -> Path:
        """The folder that the annotations lie below."""
        given = self._annotations()
        return given if given.is_dir() else given.parent

    def _files(self, fields: Collection[str]) -> tuple[Format, list[Path]]:
        """The format of the annotations of these fields, and their files."""
        top = self._annotations()
        found = files_of(self._top() if top.suffix.lower() in (".yaml", ".yml") else top)
        found["yolo"] = [path for path in found["yolo"] if _is_yolo(path, fields)]
        if self.format != "auto":
            kinds = [self.format] if found[self.format] else []
        else:
            kinds = [kind for kind in ("voc", "coco", "yolo") if found[kind]]
        if len(kinds) != 1:
            what = " and ".join(f"{CALLED[kind]} ({found[kind][0]})" for kind in kinds)
            looked = CALLED[self.format] if self.format != "auto" else ", ".join(CALLED.values())
            way = "say which counts with data.format" if kinds else "say where they lie"
            raise DataError(
                f"{top} holds {what or f'no annotations ({looked})'}; {way}"
                + (" with data.annotations" if not kinds else "")
            )
        return kinds[0], found[kinds[0]]

    def _placed(
        self, kind: Format, files: Sequence[Path], index: Fields, progress: Progress
    ) -> tuple[list[_Placed], list[BrokenImage], list[PassedOver]]:
        """The boxes in pixels of their fields, those that cannot be had, and what is left out."""
        placed: list[_Placed] = []
        broken: dict[str, BrokenImage] = {}
        left: list[PassedOver] = []
        count: Counter[str] = Counter()
        with progress.task("Reading boxes") as advance:
            for mark in marks(kind, files, self._annotations()):
                advance()
                found = _in_pixels(mark, index, count) if isinstance(mark, Mark) else mark
                if isinstance(found, _Placed):
                    placed.append(found)
                elif isinstance(found, PassedOver):
                    left.append(found)
                else:
                    broken[found.path] = found
        return placed, [*broken.values()], left

    def _taken(
        self, placed: Sequence[_Placed]
    ) -> tuple[list[_Placed], tuple[PassedOver, ...], list[Problem]]:
        """The boxes under the names of their classes, those that no class names, and which labels
        of classes no box has."""
        if self.classes is None:
            return [*placed], (), []
        to_class = {nfc(label): name for name, own in self.classes.items() for label in own}
        taken = [one._replace(label=to_class[one.label]) for one in placed if one.label in to_class]
        left: dict[str, list[str]] = {}
        for one in placed:
            if one.label not in to_class:
                left.setdefault(one.label, []).append(one.field.id)
        passed = tuple(
            PassedOver(
                what=f"boxes called {label!r}",
                files=len(ids),
                example=min(ids),
                reason="no class names this label",
                images=True,
            )
            for label, ids in sorted(left.items())
        )
        there = sorted({one.label for one in placed})
        lacking = [label for label in to_class if label not in there]
        return (
            taken,
            passed,
            [
                Problem(f"no box has the label {label!r} of classes; {did_you_mean(label, there)}")
                for label in lacking
            ],
        )

    def _cut(self, taken: Sequence[_Placed]) -> tuple[tuple[Sample, ...], str]:
        """The boxes as samples, and how they are cut, in words."""
        needed = [math.ceil(one.longest * (1 + 2 * self.margin)) for one in taken]
        same = self.side or sorted(needed)[math.ceil(MOST * len(needed)) - 1]
        sides = needed if self.scale == "box" else [same] * len(needed)
        rows = tuple(one.sample(side) for one, side in zip(taken, sides, strict=True))
        fields = len({row.path for row in rows})
        how = f"{len(rows):,} box{'es' * (len(rows) != 1)} in {fields:,} field{'s' * (fields != 1)}"
        if self.scale == "box":
            return rows, f"{how}, each crop as large as its box needs: sizes of cells are lost"
        cut = sum(one.longest > same for one in taken)
        how += f", every crop {same} x {same} pixels of its field"
        if cut:
            how += f"; {cut:,} are larger and are cut"
        return rows, how if self.side else f"{how}; side = {same} keeps it so"


class _Placed(NamedTuple):
    """A box in pixels of its field."""

    field: Sample
    number: int
    """From 1, within the field."""
    label: str
    edges: tuple[float, float, float, float]

    @property
    def longest(self) -> float:
        left, top, right, bottom = self.edges
        return max(right - left, bottom - top)

    def sample(self, side: int) -> Sample:
        """The square of ``side`` pixels round the middle of the box."""
        left, top, right, bottom = self.edges
        x, y = round((left + right - side) / 2), round((top + bottom - side) / 2)
        folders = (part.lower() for part in self.field.id.split("/")[:-1])
        return replace(
            self.field,
            id=f"{self.field.id}#{self.number:03d}",
            label=self.label,
            split=next((SIDES[name] for name in folders if name in SIDES), None),
            box=(x, y, x + side, y + side),
        )


def _is_yolo(path: Path, fields: Collection[str]) -> bool:
    """Whether a text is of one of these fields, or looks as if it were of one that is missing."""
    return nfc(path.stem) in fields or nfc(bare(path.stem)) in fields or begins_as_yolo(path)


def _in_pixels(mark: Mark, index: Fields, count: Counter[str]) -> _Placed | BrokenImage:
    """A box in pixels of its field, whose boxes are counted; or why it cannot be had."""
    try:
        field = index.find(mark)
        count[field.id] += 1
        size = index.size(field)
        if size is None:
            return BrokenImage(path=field.path, reason="a field that is no readable picture")
        if mark.size not in (None, size[:2]):
            stated, there = (f"{one[0]}x{one[1]}" for one in (mark.size, size))
            reason = f"{mark.file} says that it is {stated}, but upright it is {there}: its boxes"
            return BrokenImage(path=field.path, reason=f"{reason} are those of another picture")
        return _Placed(field, count[field.id], mark.label, _edges(mark, size))
    except ValueError as error:
        return BrokenImage(path=mark.where, reason=str(error))


def _edges(mark: Mark, size: PictureSize) -> tuple[float, float, float, float]:
    """The edges of a box in pixels, cut at the border of its field.

    Raises:
        ValueError: It has no area, or does not lie in the picture.
    """
    width, height, _ = size
    across, down = (width, height) if mark.shares else (1, 1)
    left, right = (edge * across for edge in mark.edges[::2])
    top, bottom = (edge * down for edge in mark.edges[1::2])
    shown = ", ".join(f"{edge:g}" for edge in (left, top, right, bottom))
    if not (left < right and top < bottom):  # so it is for what is no number, too
        raise ValueError(f"its box ({shown}) has no area")
    if max(-left, -top, right - width, bottom - height) > ROUNDING:
        raise ValueError(
            f"its box ({shown}) does not lie in the picture, which is {width}x{height}"
        )
    return (max(left, 0), max(top, 0), min(right, width), min(bottom, height))


def _apart(rows: Sequence[Sample]) -> Iterator[str]:
    """What is assumed where patients are unknown."""
    unknown = sum(row.patient is None for row in rows)
    if unknown:
        of = "all" if unknown == len(rows) else f"{unknown:,} of {len(rows):,}"
        yield f"patients of {of} cells unknown: those of one field stay on one side of a split"


def _without_boxes(fields: Sequence[Sample], rows: Sequence[Sample]) -> Iterator[PassedOver]:
    """Fields that no row lies in."""
    marked = {row.path for row in rows}
    ids = [field.id for field in fields if field.path not in marked]
    if ids:
        reason = "no box of a class lies in them"
        yield PassedOver(
            what="fields", files=len(ids), example=min(ids), reason=reason, images=True
        )
