"""Files of a fidelity check: its figures as JSON, a sheet of nearest neighbours as PNG."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leukreg.cli.measured import ALL, KIND, as_json
from leukreg.errors import DataError
from leukreg.files import write_file
from leukreg.paths import read_regular, require_regular
from leukreg.synthesis.fidelity import is_comparable

if TYPE_CHECKING:
    from leukreg.cli.pair import Opened
    from leukreg.synthesis.contact_sheet import Strip
    from leukreg.synthesis.fidelity import FidelityByClass


def refuse(path: Path | None, ours: Callable[[Path], bool]) -> None:
    """Before any work: refuse to write over a file that is not ours, or into no folder.

    Raises:
        DataError: With what to do.
    """
    if path is None:
        return
    if not path.absolute().parent.is_dir():
        raise DataError(f"{path} cannot be written: there is no folder {path.absolute().parent}")
    if path.exists() and not ours(path):
        raise DataError(f"{path} exists and is no earlier result; choose another name")


def is_check(path: Path) -> bool:
    """Whether the file holds an earlier check's figures."""
    try:
        return bool(_kind(json.loads(read_regular(path))) == KIND)
    except (OSError, ValueError):
        return False


def is_sheet(path: Path) -> bool:
    """Whether the file is an earlier check's sheet."""
    from PIL import Image

    from leukreg.synthesis.contact_sheet import MARK

    try:
        require_regular(path)
        with Image.open(path) as image:
            return bool(image.info.get("Software") == MARK)
    except (OSError, ValueError):
        return False


def read(path: Path) -> dict[str, Any]:
    """An earlier check's figures.

    Raises:
        DataError: The file is not there or holds none.
    """
    try:
        content = json.loads(read_regular(path))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise DataError(f"{path} is no JSON: {error}") from error
    if _kind(content) != KIND or not _has_figures(content):
        raise DataError(f"{path} holds no figures of leukreg fidelity --json")
    found: dict[str, Any] = content
    return found


def write(path: Path, found: FidelityByClass, images: Opened, extractor: Mapping[str, str]) -> None:
    """Write every figure and the copies by name, whole or not at all.

    Raises:
        WriteError: The file cannot be written.
    """
    pair = images.pair
    names = {"real": pair.real.name, "fake": pair.fake.name, "training": pair.training.name}
    facts: dict[str, Any] = {"compared": names, "extractor": dict(extractor)}
    facts["copied"] = list(_copied(found, images))
    text = json.dumps(as_json(found, facts), ensure_ascii=False, indent=1)
    write_file(path, (text + "\n").encode("utf-8", "surrogatepass"))


def write_sheet(path: Path, found: FidelityByClass, images: Opened) -> None:
    """Write the fakes that are nearest to training images above these, by class.

    Raises:
        WriteError: The file cannot be written.
    """
    from leukreg.synthesis.contact_sheet import neighbour_sheet

    labels = images.labels(images.pair.fake)
    of_row = [labels[row] for row in found.fake_rows]
    strips = [_strip(found, images, label, of_row) for label in dict.fromkeys(of_row)]
    write_file(path, neighbour_sheet(strips))


def _copied(found: FidelityByClass, images: Opened) -> Iterator[dict[str, Any]]:
    fakes, seen = images.pair.fake.samples.rows, images.pair.training.samples.rows
    for place in found.overall.copies:
        yield {
            "fake": fakes[found.fake_rows[place]].path,
            "copies": seen[found.training_rows[found.overall.nearest[place]]].path,
            "closeness": found.overall.closeness[place],
        }


def _strip(found: FidelityByClass, images: Opened, label: str, labels: list[str]) -> Strip:
    from leukreg.synthesis.contact_sheet import SHOWN, Strip

    overall, copies = found.overall, set(found.overall.copies)
    own = [place for place, of in enumerate(labels) if of == label]
    shown = sorted(own, key=lambda place: (place not in copies, overall.closeness[place]))[:SHOWN]
    nearest = [found.training_rows[overall.nearest[place]] for place in shown]
    return Strip(
        label=label or ALL,
        fakes=images.fake[[found.fake_rows[place] for place in shown]],
        nearest=images.training[nearest],
        closeness=[overall.closeness[place] for place in shown],
        copies=[place in copies for place in shown],
    )


def _has_figures(content: Mapping[str, Any]) -> bool:
    """Whether there is a comparable table over all, and one for each class."""
    classes = content.get("classes")
    if not isinstance(classes, Mapping):
        return False
    return all(is_comparable(table) for table in (content.get("overall"), *classes.values()))


def _kind(content: Any) -> Any:
    return content.get("kind") if isinstance(content, dict) else None
