"""What predicting gives: one row per image, plain data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

    from leukreg.record import Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """Predictions on new images. ``n`` rows in the order of the images, ``k`` classes.

    A row that could not be read has NaN for its figures, -1 for its decision and a reason.
    """

    classes: tuple[str, ...]
    name: tuple[str, ...]
    """The path of each image, or ``#0`` and so on for what was handed over in memory."""
    unreadable: tuple[str | None, ...]
    """Why an image could not be read; None where it could."""
    probabilities: NDArray[np.float64]
    """Shape ``(n, k)``, rows sum to 1; the mean over folds, and over passes of MC dropout."""
    uncertainty: NDArray[np.float64]
    """Shape ``(n,)``: predictive entropy in nats."""
    mutual_information: NDArray[np.float64] | None
    """Shape ``(n,)``: entropy less expected entropy over folds and passes, in nats: how much the
    models disagree. None where there is only one pass of one model."""
    decision: NDArray[np.int64]
    """Shape ``(n,)``: the class answered, index into ``classes``, threshold applied."""
    threshold: float | None = None
    """Probability of the positive class from which it is answered; None: the most probable."""
    positive: str | None = None
    """The class the threshold is for."""
    sets: NDArray[np.bool_] | None = None
    """Shape ``(n, k)``: the classes in each conformal prediction set; None where there are none."""
    coverage: float | None = None
    """Share of images from the run's own source whose set holds the true class, at least."""
    distance: NDArray[np.float64] | None = None
    """Shape ``(n,)``: distance to the training data; 1 is the limit. None: not known."""
    copy_of: tuple[str | None, ...] | None = None
    """The id of the training image that shows the very same pixels."""
    near_copy_of: tuple[str | None, ...] | None = None
    """The id of a training image of which this is a near duplicate (shifted, compressed again)."""
    of_patients: Predicted | None = None
    """Answers about patients, a row each (``name`` is the patient's id); None where none were asked
    for."""
    patient: tuple[str, ...] | None = None
    """Whose each image is, where answers about patients were asked for."""
    weight: NDArray[np.float64] | None = None
    """Shape ``(n,)``: the image's share in the answer about its patient; those of a patient sum to
    1."""
    notes: tuple[str, ...] = ()
    """What could not be given, and why; what a reader of the flags should know."""
    readings: tuple[Reading, ...] = ()
    """What was chosen in reading the images, where their files leave a choice."""

    def __len__(self) -> int:
        return len(self.name)

    def __repr__(self) -> str:
        return f"Predicted({len(self)} images, {len(self.classes)} classes)"

    @property
    def readable(self) -> NDArray[np.bool_]:
        """Shape ``(n,)``: whether each image could be read."""
        return np.array([reason is None for reason in self.unreadable], dtype=bool)

    @property
    def answer(self) -> tuple[str | None, ...]:
        """The class answered for each image; None where it could not be read."""
        return tuple(self.classes[i] if i >= 0 else None for i in self.decision.tolist())

    @property
    def far(self) -> NDArray[np.bool_] | None:
        """Shape ``(n,)``: whether an image lies beyond the limit from the training data."""
        return None if self.distance is None else np.nan_to_num(self.distance) > 1

    def flags(self, row: int) -> tuple[str, ...]:
        """What stands against believing the prediction of a row, in words."""
        reason = self.unreadable[row]
        if reason is not None:
            return (f"unreadable: {reason}",)
        found = []
        if self.distance is not None and self.distance[row] > 1:
            found.append("far from the training data")
        for ids, words in ((self.copy_of, "copy of"), (self.near_copy_of, "near duplicate of")):
            if ids is not None and ids[row] is not None:
                found.append(f"{words} training image {ids[row]}")
        return tuple(found)

    def set_of(self, row: int) -> tuple[str, ...] | None:
        """The classes in the prediction set of a row; None where there is none."""
        if self.sets is None or self.unreadable[row] is not None:
            return None
        return tuple(c for c, inside in zip(self.classes, self.sets[row], strict=True) if inside)

    def frame(self) -> pd.DataFrame:
        """A row per image; what is unknown is missing (None, NaN or NA).

        Columns: ``image`` (path, or ``#0`` and so on), ``answer``, ``p:CLASS`` for each class,
        ``uncertainty`` and ``mutual_information`` (nats), ``set`` (the classes of the prediction
        set), ``threshold`` (from which the positive class is answered), ``distance`` (to the
        training data, 1 is the limit), ``far`` (above it), ``copy_of`` and ``near_copy_of`` (ids of
        training images), ``unreadable`` (why); and where patients are answered for ``patient`` and
        ``weight`` (the image's share in that answer). ``attrs`` has ``positive``, ``coverage``,
        ``notes``, ``readings``.
        """
        import pandas as pd

        read, n = self.readable, len(self)
        nothing = np.full(n, np.nan)
        cut = np.nan if self.threshold is None else self.threshold
        far = [None] * n if self.far is None else self.far.tolist()
        probabilities = {f"p:{c}": self.probabilities[:, i] for i, c in enumerate(self.classes)}
        columns: dict[str, Any] = {
            "image": _objects(self.name),
            "answer": _objects(self.answer),
            **probabilities,
            "uncertainty": self.uncertainty,
            "mutual_information": nothing
            if self.mutual_information is None
            else self.mutual_information,
            "set": _objects([self.set_of(row) for row in range(n)]),
            "threshold": np.where(read, cut, np.nan),
            "distance": nothing if self.distance is None else self.distance,
            "far": pd.array([f if r else None for f, r in zip(far, read, strict=True)], "boolean"),
            "copy_of": _objects(self.copy_of or [None] * n),
            "near_copy_of": _objects(self.near_copy_of or [None] * n),
            "unreadable": _objects(self.unreadable),
        }
        if self.patient is not None:
            columns |= {"patient": _objects(self.patient), "weight": self.weight}
        frame = pd.DataFrame(dict(enumerate(columns.values())))
        frame.columns = pd.Index(list(columns), dtype=object)
        frame.attrs = {
            "positive": self.positive,
            "coverage": self.coverage,
            "notes": list(self.notes),
            "readings": list(map(str, self.readings)),
        }
        return frame

    def records(self) -> Iterator[dict[str, Any]]:
        """Each row as plain data, for JSON; what is unknown is None or left out."""
        answers = self.answer
        for row, name in enumerate(self.name):
            reason = self.unreadable[row]
            whose = {} if self.patient is None else {"patient": self.patient[row]}
            if reason is not None:
                yield {"image": name, "unreadable": reason} | whose
                continue
            p = self.probabilities[row].tolist()
            record: dict[str, Any] = {
                "image": name,
                "answer": answers[row],
                "probabilities": dict(zip(self.classes, p, strict=True)),
                "uncertainty": float(self.uncertainty[row]),
            }
            if self.mutual_information is not None:
                record["mutual_information"] = float(self.mutual_information[row])
            if self.sets is not None:
                record["set"] = list(self.set_of(row) or ())
            if self.distance is not None:
                away = float(self.distance[row])
                record |= {"distance": away, "far": away > 1}
            for key, ids in (("copy_of", self.copy_of), ("near_copy_of", self.near_copy_of)):
                if ids is not None:
                    record[key] = ids[row]
            if self.weight is not None:
                record |= whose | {"weight": float(self.weight[row])}
            yield record


def _objects(values: Sequence[object]) -> pd.Series[Any]:
    """One cell per value as it is: pandas' own texts cannot hold names that are no UTF-8."""
    import pandas as pd

    return pd.Series(list(values), dtype=object)
