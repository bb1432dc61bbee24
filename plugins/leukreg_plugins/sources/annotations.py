"""Boxes that people drew round cells in fields: VOC XML, COCO JSON and YOLO text files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from xml.parsers import expat

from leukreg import BrokenImage, DataError, read_regular
from leukreg_plugins.sources.text_table import nfc

Format = Literal["voc", "coco", "yolo"]
CALLED: dict[Format, str] = {"voc": "VOC XML", "coco": "COCO JSON", "yolo": "YOLO text"}
NAMES = ("classes.txt", "obj.names", "_darknet.labels")
"""Files with one class name a line, in the order of YOLO's numbers."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A box in a field."""

    field: str
    """The field's picture as its annotation names it, or its name without an ending."""
    label: str
    edges: tuple[float, float, float, float]
    """Left, top, right, bottom: in pixels, or as shares of the picture's width and height."""
    shares: bool
    where: str
    """``file:line``, or the file and the entry."""


Found = Iterator[Mark | BrokenImage]
"""Marks, and what of an annotation cannot be read."""


def files_of(top: Path) -> dict[Format, list[Path]]:
    """Files that may hold annotations, by format: those below a folder, or one file."""
    listed = [top] if top.is_file() else sorted(top.rglob("*"))
    found: dict[Format, list[Path]] = {"voc": [], "coco": [], "yolo": []}
    for path in listed:
        below = path.relative_to(top.parent).parts
        if any(part.startswith((".", "__MACOSX")) for part in below[1:]) or not path.is_file():
            continue
        endings: dict[str, Format] = {".xml": "voc", ".json": "coco", ".txt": "yolo"}
        if kind := endings.get(path.suffix.lower()):
            found[kind].append(path)
    return found


def begins_as_yolo(path: Path) -> bool:
    """Whether a text begins with a box: other texts lie beside annotations."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            cells = next((line.split() for line in file if line.strip()), [])
    except OSError:
        return True  # reading it says so
    return len(cells) == 5 and all(cell.replace(".", "").isdecimal() for cell in cells)


def marks(kind: Format, files: Sequence[Path], top: Path) -> Found:
    """Every box in annotations of a format, and what cannot be read of them.

    Args:
        files: Annotation files.
        top: The folder where the names of YOLO's classes lie.

    Raises:
        DataError: YOLO's classes have no names.
    """
    names = _names(top) if kind == "yolo" else ()
    readers: dict[Format, Callable[[Path, bytes], Found]] = {
        "voc": _voc,
        "coco": _coco,
        "yolo": lambda path, data: _yolo(path, data, names),
    }
    for path in files:
        try:
            data = read_regular(path)
        except OSError as error:
            yield BrokenImage(path=str(path), reason=f"cannot be read: {error.strerror or error}")
            continue
        try:
            yield from readers[kind](path, data)
        except expat.ExpatError as error:
            place = f"{path}:{error.lineno}"
            yield BrokenImage(path=place, reason=f"damaged {CALLED[kind]}: {error}")
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            yield BrokenImage(path=str(path), reason=f"damaged {CALLED[kind]}: {error}")


class _VocReader:
    """Collects the objects of a VOC annotation while it is parsed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self.begin
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.read
        # Entities of one's own can be made to fill the memory, or to read other files.
        self.parser.StartDoctypeDeclHandler = self.refuse
        self.open: list[str] = []
        self.text = ""
        self.picture = ""
        self.line = 0
        self.values: dict[str, str] = {}
        self.objects: list[tuple[int, dict[str, str]]] = []

    def refuse(self, *_: object) -> None:
        raise ValueError("it has a document type of its own, which is not read")

    def begin(self, name: str, _: Mapping[str, str]) -> None:
        self.open.append(name)
        self.text = ""
        if self.open == ["annotation", "object"]:
            self.line, self.values = self.parser.CurrentLineNumber, {}

    def read(self, text: str) -> None:
        self.text += text

    def end(self, name: str) -> None:
        if self.open == ["annotation", "filename"]:
            self.picture = self.text.strip()
        elif self.open == ["annotation", "object"]:
            self.objects.append((self.line, self.values))
        elif self.open[:2] == ["annotation", "object"]:  # an object's parts have boxes of their own
            self.values["/".join(self.open[2:])] = self.text.strip()
        self.open.pop()
        self.text = ""


def _voc(path: Path, data: bytes) -> Found:
    """Everingham et al., The PASCAL visual object classes challenge, IJCV 2010."""
    reader = _VocReader(path)
    reader.parser.Parse(data, True)
    for line, values in reader.objects:
        where = f"{path}:{line}"
        texts = [values.get(f"bndbox/{edge}", "") for edge in ("xmin", "ymin", "xmax", "ymax")]
        yield _mark(reader.picture or path.stem, values.get("name", ""), texts, False, where)


def _coco(path: Path, data: bytes) -> Found:
    """Lin et al., Microsoft COCO, ECCV 2014; crowds are no cells and are left out."""
    whole = json.loads(data)
    lists = ("images", "annotations", "categories")
    if not isinstance(whole, dict) or any(not isinstance(whole.get(key), list) for key in lists):
        raise ValueError(f"it has not the lists {', '.join(lists)}")
    pictures = {one.get("id"): one.get("file_name") for one in whole["images"]}
    names = {one.get("id"): one.get("name") for one in whole["categories"]}
    for number, one in enumerate(whole["annotations"], start=1):
        where = f"{path} annotation {one.get('id', f'number {number}')}"
        if one.get("iscrowd"):
            continue
        picture, name = pictures.get(one.get("image_id")), names.get(one.get("category_id"))
        if not picture or not name:
            key = "category_id" if picture else "image_id"
            reason = f"its {key} {one.get(key)!r} is none of the file's {lists[2 * bool(picture)]}"
            yield BrokenImage(path=where, reason=reason)
            continue
        box = one.get("bbox")
        if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)):
            yield BrokenImage(path=where, reason=f"its bbox is not four numbers: {box!r}")
            continue
        left, top, width, height = map(float, box)
        edges = (left, top, left + width, top + height)
        yield Mark(nfc(str(picture)), nfc(str(name)), edges, False, where)


def _yolo(path: Path, data: bytes, names: Sequence[str]) -> Found:
    """Redmon et al., 2016: class, then centre, width and height as shares of the picture."""
    for line, text in enumerate(data.decode("utf-8-sig").splitlines(), start=1):
        where, cells = f"{path}:{line}", text.split()
        if not cells:
            continue
        if len(cells) != 5:
            reason = f"a line has a class and four numbers, not {len(cells)} of them: {text!r}"
            yield BrokenImage(path=where, reason=reason)
        elif not cells[0].isdecimal() or int(cells[0]) >= len(names):
            reason = f"class {cells[0]} is none of the {len(names)} that have names, from 0"
            yield BrokenImage(path=where, reason=reason)
        else:
            yield _mark(path.stem, names[int(cells[0])], cells[1:], True, where)


def _mark(
    field: str, label: str, texts: Sequence[str], shares: bool, where: str
) -> Mark | BrokenImage:
    if not label:
        return BrokenImage(path=where, reason="it has no class")
    try:
        first, second, third, fourth = map(float, texts)
    except ValueError:
        return BrokenImage(path=where, reason=f"its box is not four numbers: {texts}")
    if shares:  # a centre, width and height
        half = third / 2, fourth / 2
        edges = (first - half[0], second - half[1], first + half[0], second + half[1])
    else:
        edges = (first, second, third, fourth)
    return Mark(nfc(field.replace("\\", "/")), nfc(label), edges, shares, where)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _names(top: Path) -> tuple[str, ...]:
    """The names of YOLO's classes: from data.yaml, else from a list of names.

    Raises:
        DataError: There are none, or files disagree.
    """
    folder = top if top.is_dir() else top.parent
    found = {path: _from_yaml(path) for path in sorted(folder.rglob("*.y*ml"))}
    for path in (one for name in NAMES for one in sorted(folder.rglob(name))):
        lines = path.read_text("utf-8-sig", errors="replace").splitlines()
        found[path] = tuple(nfc(line.strip()) for line in lines if line.strip())
    found = {path: names for path, names in found.items() if names}
    if len({*found.values()}) > 1:
        raise DataError(f"{' and '.join(map(str, found))} name other classes; keep one of them")
    if not found:
        raise DataError(
            f"{folder}: nothing names the classes of the YOLO files; put classes.txt there, a name "
            "a line in the order of their numbers, or data.yaml with its names"
        )
    return next(iter(found.values()))


def _from_yaml(path: Path) -> tuple[str, ...]:
    import yaml

    try:
        names = (yaml.safe_load(read_regular(path)) or {}).get("names")
    except (OSError, AttributeError, yaml.YAMLError):  # another file's YAML
        return ()
    if isinstance(names, dict) and all(isinstance(key, int) for key in names):
        names = [names.get(number, number) for number in range(max(names, default=-1) + 1)]
    return tuple(nfc(str(name)) for name in names) if isinstance(names, list) else ()
