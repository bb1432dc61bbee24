"""Explanation maps for the pictures of a page, where somebody can make them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from leukreg.errors import LeukregError
from leukreg.paths import read_regular
from leukreg.progress import Progress
from leukreg.report.html.pictures import SIDE
from leukreg.types import RunResult, Section

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Explainer(Protocol):
    def __call__(
        self, result: RunResult, rows: Sequence[int], progress: Progress
    ) -> Mapping[int, NDArray[np.uint8]]:
        """Pictures with their maps laid over them, RGB ``(s, s, 3)``, by place in the predictions.

        A row that cannot be explained is left out.
        """
        ...


def model_maps(
    result: RunResult, rows: Sequence[int], progress: Progress
) -> Mapping[int, NDArray[np.uint8]]:
    """Grad-CAM of the answer, by the model of the fold that scored each row.

    Images from elsewhere are explained by all models of the run that was evaluated on them. Nothing
    where there are no models any more; the progress says so. Needs torch.
    """
    places, classes = result.predictions.path, result.predictions.classes
    there = [row for row in rows if Path(places[row]).is_file()]
    decision = result.predictions.decision
    answer = result.predictions.probabilities.argmax(axis=1) if decision is None else decision
    folder, own = _models(result)
    try:
        from leukreg.predict import explanation, load

        heats = explanation(
            load(folder),
            [Path(places[row]) for row in there],
            [classes[answer[row]] for row in there],
            [int(result.predictions.fold[row]) for row in there] if own else None,
            progress,
        )
    except (LeukregError, ImportError) as error:
        progress.say(f"There are no explanation maps: {error}")
        return {}
    pairs = zip(there, heats, strict=True)
    return {row: _overlay(Path(places[row]), heat) for row, heat in pairs}


def _models(result: RunResult) -> tuple[Path, bool]:
    """The folder of the models that scored the rows, and whether it is the run's own."""
    origin = result.facts.get("evaluated_from")
    if isinstance(origin, Mapping) and origin.get("folder"):
        return Path(str(origin["folder"])), False
    return result.folder, True


def _overlay(path: Path, heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    import numpy as np

    from leukreg.data.decode import decode, squash
    from leukreg.predict.pictures import overlay

    image = squash(decode(read_regular(path)).image, 2 * SIDE)
    return np.asarray(overlay(image, heat))


def laid_over(
    result: RunResult, sections: Sequence[Section], explain: Explainer | None, progress: Progress
) -> Mapping[int, NDArray[np.uint8]]:
    """Maps of all rows that pictures ask for; none where nobody explains."""
    if explain is None:
        return {}
    asked = (picture.row for section in sections for picture in section.pictures)
    rows = list(dict.fromkeys(row for row in asked if row is not None))
    return explain(result, rows, progress) if rows else {}
