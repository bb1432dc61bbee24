"""The frozen values that travel from step to step. Nothing here holds hidden state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any, Literal

import annotated_types as bounds

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Origin = Literal["real", "rendered", "synthetic"]
Role = Literal["train", "validation", "test"]
Severity = Literal["error", "warning", "note"]
Box = tuple[int, int, int, int]
"""Left, top, right and bottom edge in pixels of an upright picture, from its left upper corner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSpec:
    """The images a model sees: square, RGB, uint8, ``size`` pixels a side."""

    size: Annotated[int, bounds.Ge(8), bounds.Le(4096)] = 224
    """Pixels a side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """The classes of a task, with the training fold's counts."""

    names: tuple[str, ...]
    """The classes in their order: column ``i`` of logits and probabilities is ``names[i]``."""
    counts: tuple[int, ...]
    """Training images per class, in the order of ``names``; all zero before folds are made."""
    weights: tuple[float, ...] | None = None
    """Class weights for the loss (mean 1 over the training rows is usual), or None."""
    positive: str | None = None
    """The positive class of a binary task: the recipe's, else the second, which is a guess (see
    ``needs_positive`` of losses); None with more than two classes."""

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """Where a synthetic image comes from."""

    generator: str
    """Name of the generator plugin."""
    seed: int
    """The seed it was drawn with."""
    fold: int | None = None
    """The fold whose training rows the generator was fitted on; None: fitted before any split."""
    parent: str | None = None
    """The id of the image it was made from, where there is one."""
    parent_label: str | None = None
    """The class of that image."""
    snapshot: str | None = None
    """Digest of the trained generator, where there is one."""
    condition: Mapping[str, str] = field(default_factory=dict)
    """Further words on how it was made, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One row of the data: an image file and what is known of it.

    The same file may stand in several rows (the history listed images twice); rows are told apart
    by their position in ``Samples.rows``, files by ``id``.
    """

    id: str
    """Names the file within its source: its POSIX path below the root."""
    path: str
    """Where the file lies on this machine."""
    label: str
    """Its class."""
    patient: str | None = None
    """The patient's id; None where it is not known."""
    split: Role | None = None
    """The side a table put it on, where the source says so."""
    origin: Origin = "real"
    """"real", "rendered" (drawn by a program, standing in for real) or "synthetic" (by a
    generator)."""
    lineage: Lineage | None = None
    """Where a synthetic image comes from; None for others."""
    box: Box | None = None
    """What of the file the image is, where the file shows a field of many cells; None: all of it.
    It may reach over the border: the outermost pixels are repeated there."""

    @property
    def field(self) -> str | None:
        """What tells fields of several cells apart; None for a file that is one image."""
        return None if self.box is None else self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenImage:
    """A file that could not be read as an image."""

    path: str
    """The file."""
    reason: str
    """Why it could not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedOver:
    """Files of one kind that lie where images were looked for, and are not among the rows."""

    what: str
    """Their ending, or what else they have in common."""
    files: int
    """How many there are."""
    example: str
    """Path of one of them below the folder."""
    reason: str
    """Why they are no rows."""
    images: bool = False
    """Whether they hold, or may hold, images."""

    def __str__(self) -> str:
        return f"{self.files:,} {self.what}, such as {self.example}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """The data of a run, one row per listed image."""

    rows: tuple[Sample, ...]
    """In the order they were listed."""
    classes: tuple[str, ...]
    """Class names in their order; a class may have no rows."""
    patient_labels: Mapping[str, str] = field(default_factory=dict)
    """Patient id to the patient's own label, such as a diagnosis; empty where these are unknown.
    Where they are known, every patient of a row has one."""
    patient_classes: tuple[str, ...] = ()
    """The labels of patients in their order."""
    weak: bool = False
    """Whether cells have no label of their own (weak labels): the ``label`` of a row is then its
    patient's, and ``classes`` are ``patient_classes``."""
    broken: tuple[BrokenImage, ...] = ()
    """Files that were left out because they could not be read."""
    passed: tuple[PassedOver, ...] = ()
    """What was passed over while they were listed."""
    assumed: tuple[str, ...] = ()
    """How the list was read where it does not say so itself, in words."""

    def __len__(self) -> int:
        return len(self.rows)

    def patient_faults(self) -> Iterator[str]:
        """What contradicts itself in the labels of patients, in words."""
        labels, known = self.patient_labels, set(self.patient_classes)
        for patient, label in labels.items():
            if label not in known:
                yield f"patient {patient!r} has the label {label!r}, which is none of the classes"
        if self.weak and self.classes != self.patient_classes:
            yield "the classes of cells are not those of patients, whose labels they take"
        real = (
            [row for row in self.rows if row.origin != "synthetic"] if labels or self.weak else []
        )
        whose = {row.patient for row in real} - {None}
        yield from (f"patient {one!r} has no label" for one in sorted(map(str, whose - {*labels})))
        if self.weak:
            wrong = [row.id for row in real if labels.get(str(row.patient)) != row.label]
            yield from (f"{one!r} has another label than its patient" for one in wrong)

    def counts(self) -> dict[str, int]:
        """Rows per class, every class listed."""
        counts = dict.fromkeys(self.classes, 0)
        for row in self.rows:
            counts[row.label] = counts.get(row.label, 0) + 1
        return counts

    def extended(self, rows: tuple[Sample, ...]) -> Samples:
        """The same table with ``rows`` appended; the old row numbers stay valid."""
        return replace(self, rows=self.rows + rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """One split of the rows, by row number."""

    index: int
    """From 0."""
    train: tuple[int, ...]
    """Row numbers that are trained on."""
    validation: tuple[int, ...]
    """Row numbers that epochs, thresholds and temperatures are chosen on; may be empty."""
    test: tuple[int, ...]
    """Row numbers that are scored."""
    replaced: tuple[int, ...] = ()
    """Training rows that synthetic ones took the place of: the generator learned from them, the
    classifier does not."""

    @property
    def learned(self) -> tuple[int, ...]:
        """The rows that the classifier or its generator learned from, in rising order."""
        return tuple(sorted({*self.train, *self.replaced}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A fallback that was taken, said before work starts and kept with the run."""

    what: str
    """The recipe key, such as ``data`` or ``model.backbone``."""
    wanted: str
    """What the recipe asks for first."""
    used: str
    """What was taken."""
    why: str
    """Why, and what to do."""
    label: str = ""
    """What every report must say of it, such as "rendered cells, not real"."""

    def __str__(self) -> str:
        label = f" ({self.label})" if self.label else ""
        return f"{self.what}: {self.used}{label} instead of {self.wanted}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochLog:
    """What one epoch of training did."""

    fold: int
    """From 0."""
    phase: str
    """Name of the phase."""
    epoch: int
    """From 1, within the phase."""
    lr: tuple[float, ...]
    """Learning rate of each parameter group at the end of the epoch."""
    train_loss: float
    """Loss over the epoch's training rows."""
    validation_loss: float | None
    """Loss over all validation rows; None without any."""
    validation_accuracy: float | None
    """Between 0 and 1."""
    seconds: float
    """Time it took."""
    images: int
    """Images trained on."""
    learned_from: Literal["images", "patients"] = "images"
    """What losses and accuracy are of."""

    @property
    def of_patients(self) -> bool:
        """Whether losses and accuracy are of patients, not of images."""
        return self.learned_from == "patients"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseLog:
    """What one phase of training did."""

    fold: int
    """From 0."""
    phase: str
    """Its name."""
    trainable: int
    """Number of trainable scalar parameters."""
    unfrozen: tuple[str, ...]
    """Names of the backbone layers that were trained."""
    changed: int
    """Number of parameter tensors whose values differ after the phase."""
    epochs: int
    """Epochs that were run."""
    best_epoch: int
    """From 1; the epoch whose weights were kept where ``restore_best`` is on."""
    stopped: str
    """Why it ended, such as "all epochs done" or "no improvement for 10 epochs"."""
    lr_first: float = 0.0
    """Learning rate of the first step (realised, not asked for)."""
    lr_asked: float = 0.0
    """Learning rate that the recipe states."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """One row per scored image. ``n`` rows, ``k`` classes."""

    classes: tuple[str, ...]
    """The classes in the order of the columns."""
    row: NDArray[np.int64]
    """Shape ``(n,)``: row number in ``Samples.rows``."""
    id: tuple[str, ...]
    """The file's id, row by row."""
    path: tuple[str, ...]
    """Where the file lies."""
    patient: tuple[str | None, ...]
    """The patient's id, or None."""
    origin: tuple[Origin, ...]
    """As ``Sample.origin``."""
    fold: NDArray[np.int64]
    """Shape ``(n,)``: the fold whose model answered."""
    label: NDArray[np.int64]
    """Shape ``(n,)``: index into ``classes``."""
    probabilities: NDArray[np.float64]
    """Shape ``(n, k)``, rows sum to 1; the mean over passes and views where MC dropout or
    test-time augmentation is on; calibrated where the recipe asks for it."""
    uncertainty: NDArray[np.float64]
    """Shape ``(n,)``: predictive entropy in nats, of ``probabilities``."""
    mutual_information: NDArray[np.float64]
    """Shape ``(n,)``: entropy minus expected entropy over MC passes and views, in nats, before
    calibration; 0 where there is one pass only."""
    decision: NDArray[np.int64] | None = None
    """Shape ``(n,)``: the class answered, index into ``classes``, threshold applied; None before
    scoring (then the most probable class)."""
    raw: NDArray[np.float64] | None = None
    """Shape ``(n, k)``: the network's own probabilities; None where nothing was calibrated."""
    sets: NDArray[np.bool_] | None = None
    """Shape ``(n, k)``: whether a class is in the row's conformal set (none may be); None without
    ``evaluate.conformal``."""
    group: NDArray[np.int64] | None = None
    """Shape ``(n,)``: rows of one number are of one patient or show one picture, and count as one
    in every interval; None before a run is scored."""

    def __len__(self) -> int:
        return len(self.id)

    @property
    def answers(self) -> NDArray[np.int64]:
        """Shape ``(n,)``: the class answered: the decision, else the most probable (of equals the
        first)."""
        if self.decision is not None:
            return self.decision
        if not self.id:  # nothing has no most probable class
            return self.label
        answers: NDArray[np.int64] = self.probabilities.argmax(axis=1).astype("int64")
        return answers

    def take(self, rows: NDArray[np.int64]) -> Predictions:
        """The rows at these positions, in this order; a position may stand several times."""
        positions = rows.tolist()
        chosen: dict[str, Any] = {}
        for name in (one.name for one in fields(self) if one.name != "classes"):
            column = getattr(self, name)
            if isinstance(column, tuple):
                chosen[name] = tuple(map(column.__getitem__, positions))
            elif column is not None:
                chosen[name] = column[rows]
        return replace(self, **chosen)

    @staticmethod
    def joined(parts: Sequence[Predictions]) -> Predictions:
        """The rows of all parts, one after the other; what scoring adds is left out."""
        import numpy as np

        columns: dict[str, Any] = {}
        for name in (one.name for one in fields(Predictions) if one.default is MISSING):
            values = [getattr(part, name) for part in parts]
            tuples = isinstance(values[0], tuple)
            columns[name] = tuple(chain.from_iterable(values)) if tuples else np.concatenate(values)
        return Predictions(**{**columns, "classes": parts[0].classes})


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One figure, such as the sensitivity of a class."""

    name: str
    """As reports name it, such as ``balanced_accuracy``."""
    value: float | None
    """None where it is undefined (0/0, one class only); never printed as a number then."""
    label: str | None = None
    """The class it belongs to; None for the whole."""
    low: float | None = None
    """Lower end of the interval; None where there is none."""
    high: float | None = None
    """95 % interval."""
    why: str = ""
    """Why it is undefined, or how the interval was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What a metric declares of a score it gives, so that others know how to show it."""

    name: str
    """As in ``Score.name``."""
    title: str
    """As readers know it, such as "balanced accuracy"."""
    higher_is_better: bool | None = True
    """None: neither is, as of a baseline."""
    low: float | None = 0.0
    """Smallest value it can have; None where there is no bound."""
    high: float | None = 1.0
    """Largest value; None where there is no bound."""
    main: bool = True
    """It is shown where results are compared, exported or summed up."""
    headline: bool = False
    """It is shown where there is room for one figure, as in ``leukreg runs``."""
    mean_of: str | None = None
    """The figure of single classes whose plain mean it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is wrong with a run or a published result, or worth knowing of it."""

    rule: str
    """Name of the rule."""
    severity: Severity
    """"error", "warning" or "note"."""
    message: str
    """One line, with the numbers in it."""
    why: str = ""
    """Why it matters."""
    advice: str = ""
    """What to do."""
    reference: str = ""
    """Where it is described."""
    waived: str | None = None
    """The reason the recipe gives for living with it."""

    def lines(self) -> tuple[str, str, str]:
        """How it is shown: severity or "waived", the message, the rule and what to do (or why it is
        waived)."""
        if self.waived is not None:
            return "waived", self.message, f"{self.rule}: waived, {self.waived}"
        say = self.advice or self.why or self.reference
        return self.severity, self.message, f"{self.rule}: {say}" if say else self.rule
