"""Pictures of a page: samples small enough to stand inside it, and explanation maps over them."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from leukreg.errors import LeukregError
from leukreg.progress import Progress
from leukreg.record import RunRecord
from leukreg.section import Picture, Section
from leukreg.types import Box

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image


SIDE = 144
"""Pixels of the longer side."""
QUALITY = 82
MOST_BYTES = 3_000_000
"""All pictures of a page together."""

Maps = Mapping[int, "NDArray[np.uint8]"]
"""Explanation maps laid over their pictures, RGB ``(s, s, 3)``, by place in the predictions."""
Explainer = Callable[["RunRecord", Sequence[int], Progress], Maps]
"""Lays maps over the pictures of some rows; a row that cannot be explained is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A picture with its pixels, ready for the template."""

    picture: Picture
    source: str
    """A data URI; empty where there is no picture."""
    why: str
    """Why there is none."""
    map: str
    """The data URI of its explanation map, or nothing."""


class Album:
    """Reads pictures, each file once, and stops when the page has enough of them."""

    def __init__(self, folder: Path | None = None, maps: Maps | None = None) -> None:
        self._folder = folder
        self._maps: Maps = maps or {}
        self._read: dict[tuple[str, Box | None], tuple[str, str]] = {}
        self._bytes = 0

    def tiles(self, pictures: Iterable[Picture]) -> tuple[Tile, ...]:
        from leukreg.data.decode import guarded

        with guarded():
            return tuple(self._tile(picture) for picture in pictures)

    def _tile(self, picture: Picture) -> Tile:
        shown = (picture.path, picture.box)
        if shown not in self._read:
            self._read[shown] = self._thumbnail(picture)
        source, why = self._read[shown]
        laid, heat = None if picture.row is None else self._maps.get(picture.row), ""
        if laid is not None and self._bytes <= MOST_BYTES:
            from PIL import Image

            heat = self._small(Image.fromarray(laid))
        return Tile(picture=picture, source=source, why=why, map=heat)

    def _thumbnail(self, picture: Picture) -> tuple[str, str]:
        from leukreg.data.decode import read_picture
        from leukreg.data.raster import Unreadable

        if self._bytes > MOST_BYTES:
            return "", "left out: the page is full"
        path = self._place(picture)
        if path is None:
            return "", "the file is not there"
        try:
            return self._small(read_picture(path, picture.box).image), ""
        except Unreadable as error:
            return "", f"unreadable: {error}"
        except OSError as error:
            return "", f"unreadable: {error.strerror or error}"

    def _place(self, picture: Picture) -> Path | None:
        """Where the file lies; images that a run made lie in its folder, wherever that went."""
        try:
            if Path(picture.path).is_file():
                return Path(picture.path)
            moved = None if self._folder is None else self._folder / picture.id
            return moved if moved is not None and moved.is_file() else None
        except (OSError, ValueError):  # no path at all
            return None

    def _small(self, image: Image.Image) -> str:
        image.thumbnail((SIDE, SIDE))
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=QUALITY)
        data = base64.b64encode(buffer.getvalue()).decode("ascii")
        self._bytes += len(data)
        return f"data:image/jpeg;base64,{data}"


def model_maps(result: RunRecord, rows: Sequence[int], progress: Progress) -> Maps:
    """Grad-CAM of the answer, by the model of the fold that scored each row.

    Images from elsewhere are explained by all models of the run that was evaluated on them. Nothing
    where there are no models any more; the progress says so. Needs torch.
    """
    places, classes = result.predictions.path, result.predictions.classes
    there = [row for row in rows if Path(places[row]).is_file()]
    number = result.predictions.row
    shown = {row: (Path(places[row]), result.samples.rows[number[row]].box) for row in there}
    answer = result.predictions.answers
    origin = result.evaluated_from
    folder = None if origin is None else Path(origin.folder)
    try:
        from PIL import Image

        from leukreg.data.decode import read_picture
        from leukreg.predict.grad_cam import explanation
        from leukreg.predict.inputs import image_of
        from leukreg.predict.trained_run import load

        trained = load(folder or result.folder)
        given = [image_of(*shown[row]) for row in there]
        heats = explanation(
            trained,
            given,
            [classes[answer[row]] for row in there],
            [int(result.predictions.fold[row]) for row in there] if folder is None else None,
            progress,
        )
        if trained.recipe.preprocessing:
            pictures = list(map(Image.fromarray, trained.seen(given)))
        else:
            pictures = [read_picture(*shown[row]).image for row in there]
    except (LeukregError, ImportError) as error:
        progress.say(f"There are no explanation maps: {error}")
        return {}
    return {
        row: _overlay(picture, heat)
        for row, picture, heat in zip(there, pictures, heats, strict=True)
    }


def _overlay(picture: Image.Image, heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    import numpy as np

    from leukreg.data.decode import squash
    from leukreg.predict.heat_map import overlay

    return np.asarray(overlay(squash(picture, 2 * SIDE), heat))


def laid_over(
    result: RunRecord, sections: Sequence[Section], explain: Explainer | None, progress: Progress
) -> Maps:
    """Maps of all rows that pictures ask for; none where nobody explains."""
    if explain is None:
        return {}
    asked = (picture.row for section in sections for picture in section.pictures)
    rows = list(dict.fromkeys(row for row in asked if row is not None))
    return explain(result, rows, progress) if rows else {}
