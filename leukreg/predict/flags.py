"""What stands against believing a prediction: far from the training data, or a copy of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leukreg.errors import NotAvailable
from leukreg.predict.copies import exact_copies, near_copies
from leukreg.predict.reference import Reference, distances
from leukreg.progress import SILENT, Progress

if TYPE_CHECKING:
    from leukreg.predict.scan import Scan
    from leukreg.predict.trained import Trained


def flags(trained: Trained, seen: Scan, progress: Progress = SILENT) -> dict[str, Any]:
    """Fields of :class:`leukreg.predict.Predicted`: ``distance``, copies, and notes on them."""
    exact = exact_copies(trained.result, seen.digests)
    found: dict[str, Any] = {"copy_of": exact}
    notes: list[str] = []
    try:
        own = trained.own_images(progress)
        notes += [own.note()] if own.note() else []
        found["near_copy_of"] = near_copies(own, seen.thumbs, exact, progress)
    except NotAvailable as error:
        notes.append(f"near copies of training images cannot be told: {error}")
    reference = trained.reference(progress)
    if reference is None:
        notes.append(
            "images far from the training data cannot be told: too few of the run's images are "
            "still there, and no earlier call has looked at them"
        )
    else:
        found["distance"] = distances(reference, [one.features for one in seen.folds])
        notes.append(_limit(reference))
    return found | {"notes": tuple(notes)}


def _limit(reference: Reference) -> str:
    by = reference[0].by if len({near.by for near in reference}) == 1 else "each fold's own rows"
    return f"distance: 1 is what 99 % of {by} keep to the training images"
