"""Boxes that people drew round cells in fields: VOC XML, COCO JSON and YOLO text files."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from xml.parsers import expat

from leukreg import BrokenImage, DataError, PassedOver, other_files, read_regular
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
    file: Path
    """The annotation."""
    where: str
    """``file:line``, or the file and the entry."""
    size: tuple[int, int] | None = None
    """Width and height of the picture, where the annotation states them."""


Found = Iterator[Mark | BrokenImage | PassedOver]
"""Marks, what of an annotation cannot be read, and what is left out."""


def files_of(top: Path) -> dict[Format, list[Path]]:
    """Files that may hold annotations, by format: those below a folder, or one file."""
    endings: dict[str, Format] = {".xml": "voc", ".json": "coco", ".txt": "yolo"}
    found: dict[Format, list[Path]] = {"voc": [], "coco": [], "yolo": []}
    for path in [top] if top.is_file() else other_files(top):
        if kind := endings.get(path.suffix.lower()):
            found[kind].append(path)
    return found


def begins_as_yolo(path: Path) -> bool:
    """Whether a text begins with a box or polygon: other texts lie beside annotations."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            cells = next((line.split() for line in file if line.strip()), [])
        numbers = [*map(float, cells)]
        odd = len(cells) >= 5 and len(cells) % 2  # more than five are a polygon's corners
        return bool(odd) and cells[0].isdecimal() and all(map(math.isfinite, numbers))
    except OSError:
        return True  # reading it says so
    except ValueError:
        return False


def marks(kind: Format, files: Sequence[Path], top: Path) -> Found:
    """Every box in annotations of a format, and what cannot be read of them.

    Args:
        files: Annotation files.
        top: The folder where the names of YOLO's classes lie.

    Raises:
        DataError: YOLO's classes have no names.
    """
    names = _names(top) if kind == "yolo" else {}
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
        except (ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
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
        self.size: dict[str, str] = {}
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
        elif self.open[:2] == ["annotation", "size"]:
            self.size[name] = self.text
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
    picture = reader.picture or path.stem
    size = _size(reader.size.get("width"), reader.size.get("height"))
    for line, values in reader.objects:
        texts = [values.get(f"bndbox/{edge}", "") for edge in ("xmin", "ymin", "xmax", "ymax")]
        yield _mark(picture, values.get("name", ""), texts, path, line, size=size)


def _coco(path: Path, data: bytes) -> Found:
    """Lin et al., Microsoft COCO, ECCV 2014; crowds are no cells and are counted."""
    whole = json.loads(data)
    lists = ("images", "annotations", "categories")
    if not isinstance(whole, dict) or any(not isinstance(whole.get(key), list) for key in lists):
        raise ValueError(f"it has not the lists {', '.join(lists)}")
    pictures = {one.get("id"): one for one in whole["images"]}
    names = {one.get("id"): one.get("name") for one in whole["categories"]}
    for key, ids in (("images", pictures), ("categories", names)):
        if len(ids) < len(whole[key]):
            raise ValueError(f"several of its {key} have one id")
    crowds = []
    for number, one in enumerate(whole["annotations"], start=1):
        where = f"{path} annotation {one.get('id', f'number {number}')}"
        if one.get("iscrowd"):
            crowds.append(where)
            continue
        image, name = pictures.get(one.get("image_id"), {}), names.get(one.get("category_id"))
        picture = image.get("file_name")
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
        size = _size(image.get("width"), image.get("height"))
        yield Mark(_posix(str(picture)), nfc(str(name)), edges, False, path, where, size)
    if crowds:
        yield PassedOver(
            what=f"box{'es' * (len(crowds) != 1)} round crowds",
            files=len(crowds),
            example=crowds[0],
            reason="a crowd is no cell",
            images=True,
        )


def _yolo(path: Path, data: bytes, names: Mapping[int, str]) -> Found:
    """Redmon et al., 2016: class, then centre, width and height as shares of the picture."""
    for line, text in enumerate(data.decode("utf-8-sig").splitlines(), start=1):
        where, cells = f"{path}:{line}", text.split()
        if not cells:
            continue
        if len(cells) != 5:
            reason = f"a line has a class and four numbers, not {len(cells)} of them: {text!r}"
            yield BrokenImage(path=where, reason=reason)
        elif not cells[0].isdecimal() or int(cells[0]) not in names:
            reason = f"class {cells[0]} is none of the {len(names)} that have names, from 0"
            yield BrokenImage(path=where, reason=reason)
        else:
            yield _mark(path.stem, names[int(cells[0])], cells[1:], path, line, shares=True)


def _mark(
    field: str,
    label: str,
    texts: Sequence[str],
    file: Path,
    line: int,
    *,
    shares: bool = False,
    size: tuple[int, int] | None = None,
) -> Mark | BrokenImage:
    where = f"{file}:{line}"
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
    return Mark(_posix(field), nfc(label), edges, shares, file, where, size)


def _posix(name: str) -> str:
    return nfc(name.replace("\\", "/"))


def _size(width: Any, height: Any) -> tuple[int, int] | None:
    """A stated size; programs that do not know it leave it away or write 0."""
    try:
        size = int(float(width)), int(float(height))
    except (TypeError, ValueError, OverflowError):
        return None
    return size if min(size) > 0 else None


def _is_number(value: Any) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # more digits than a float can have
        return False


def _names(top: Path) -> dict[int, str]:
    """The names of YOLO's classes by number: from data.yaml, else from a list of names.

    Raises:
        DataError: There are none, files disagree, or a list cannot be read or has a gap.
    """
    folder = top if top.is_dir() else top.parent
    there = other_files(folder)
    found = {path: _from_yaml(path) for path in there if path.suffix.lower() in (".yaml", ".yml")}
    found |= {path: _from_list(path) for path in there if path.name in NAMES}
    found = {path: names for path, names in found.items() if names}
    if any(names != other for names in found.values() for other in found.values()):
        raise DataError(f"{' and '.join(map(str, found))} name other classes; keep one of them")
    if not found:
        raise DataError(
            f"{folder}: nothing names the classes of the YOLO files; put classes.txt there, a name "
            "a line in the order of their numbers, or data.yaml with its names"
        )
    return next(iter(found.values()))


def _from_list(path: Path) -> dict[int, str]:
    try:
        lines = read_regular(path).decode("utf-8-sig").rstrip().splitlines()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8: {error.reason}; save it as such") from error
    for line, name in enumerate(lines, start=1):
        if not name.strip():
            raise DataError(
                f"{path}:{line} is empty: the numbers of YOLO's classes count lines from 0, so "
                "that it is a class without a name; write its name there, or take the line out if "
                "no number counts it"
            )
    return {number: nfc(name.strip()) for number, name in enumerate(lines)}


def _from_yaml(path: Path) -> dict[int, str]:
    import yaml

    try:
        # Texts alone: dates may be wrong, and merged keys can be made to fill the memory.
        names = yaml.load(read_regular(path), Loader=yaml.BaseLoader).get("names")
        pairs = [*(names.items() if isinstance(names, dict) else enumerate(names))]
        if isinstance(names, str) or not all(isinstance(name, str) for _, name in pairs):
            return {}
        return {int(number): nfc(name) for number, name in pairs}
    except (OSError, AttributeError, TypeError, ValueError, RecursionError, yaml.YAMLError):
        return {}  # another file's YAML
