"""The frozen values that travel from step to step. Nothing here holds hidden state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Origin = Literal["real", "rendered", "synthetic"]
Role = Literal["train", "validation", "test"]
Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSpec:
    """The images a model sees: square, RGB, uint8, ``size`` pixels a side."""

    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """The classes of a task, with the training fold's counts."""

    names: tuple[str, ...]
    counts: tuple[int, ...]
    """Training images per class, in the order of ``names``; all zero before folds are made."""
    weights: tuple[float, ...] | None = None
    """Class weights for the loss (mean 1 over the training rows is usual), or None."""
    positive: str | None = None
    """The class whose sensitivity a binary task reports; None with more than two classes."""

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """Where a synthetic image comes from."""

    generator: str
    seed: int
    fold: int | None = None
    """The fold whose training rows the generator was fitted on; None: fitted before any split."""
    parent: str | None = None
    """The id of the image it was made from, where there is one."""
    parent_label: str | None = None
    snapshot: str | None = None
    """Digest of the trained generator, where there is one."""
    condition: Mapping[str, str] = field(default_factory=dict)


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
    patient: str | None = None
    split: Role | None = None
    """The side a table put it on, where the source says so."""
    origin: Origin = "real"
    lineage: Lineage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenImage:
    """A file that could not be read as an image."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedOver:
    """Files of one kind that lie where images were looked for, and are not among the rows."""

    what: str
    """Their ending, or what else they have in common."""
    files: int
    example: str
    """Path of one of them below the folder."""
    reason: str
    images: bool = False
    """Whether they hold, or may hold, images."""

    def __str__(self) -> str:
        return f"{self.files:,} {self.what}, such as {self.example}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """The data of a run, one row per listed image."""

    rows: tuple[Sample, ...]
    classes: tuple[str, ...]
    """Class names in their order; a class may have no rows."""
    broken: tuple[BrokenImage, ...] = ()
    passed: tuple[PassedOver, ...] = ()
    """What was passed over while they were listed."""

    def __len__(self) -> int:
        return len(self.rows)

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
    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]
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
    used: str
    why: str
    label: str = ""
    """What every report must say of it, such as "rendered cells, not real"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochLog:
    """What one epoch of training did."""

    fold: int
    phase: str
    epoch: int
    """From 1, within the phase."""
    lr: tuple[float, ...]
    """Learning rate of each parameter group at the end of the epoch."""
    train_loss: float
    validation_loss: float | None
    validation_accuracy: float | None
    """Between 0 and 1."""
    seconds: float
    images: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseLog:
    """What one phase of training did."""

    fold: int
    phase: str
    trainable: int
    """Number of trainable scalar parameters."""
    unfrozen: tuple[str, ...]
    """Names of the backbone layers that were trained."""
    changed: int
    """Number of parameter tensors whose values differ after the phase."""
    epochs: int
    best_epoch: int
    stopped: str
    """Why it ended, such as "all epochs done" or "no improvement for 10 epochs"."""
    lr_first: float = 0.0
    """Learning rate of the first step (realised, not asked for)."""
    lr_asked: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """One row per scored image. ``n`` rows, ``k`` classes."""

    classes: tuple[str, ...]
    row: NDArray[np.int64]
    """Shape ``(n,)``: row number in ``Samples.rows``."""
    id: tuple[str, ...]
    path: tuple[str, ...]
    patient: tuple[str | None, ...]
    origin: tuple[Origin, ...]
    fold: NDArray[np.int64]
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One figure, such as the sensitivity of a class."""

    name: str
    value: float | None
    """None where it is undefined (0/0, one class only); never printed as a number then."""
    label: str | None = None
    """The class it belongs to; None for the whole."""
    low: float | None = None
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
    high: float | None = 1.0
    """The range of its values; None where there is no bound."""
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
    severity: Severity
    message: str
    """One line, with the numbers in it."""
    why: str = ""
    advice: str = ""
    reference: str = ""
    waived: str | None = None
    """The reason the recipe gives for living with it."""

    def lines(self) -> tuple[str, str, str]:
        """How it is shown: severity or "waived", the message, the rule and what to do (or why it is
        waived)."""
        if self.waived is not None:
            return "waived", self.message, f"{self.rule}: waived, {self.waived}"
        say = self.advice or self.why or self.reference
        return self.severity, self.message, f"{self.rule}: {say}" if say else self.rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything an audit rule may look at. What was not recorded is None or empty."""

    recipe: Mapping[str, Any] | None = None
    """The resolved recipe as plain data."""
    reported: Mapping[str, Any] | None = None
    """The ``[reported]`` table: published figures."""
    samples: Samples | None = None
    pixels: Mapping[str, str] = field(default_factory=dict)
    """Digest of the decoded pixels by file id."""
    twins: tuple[tuple[str, str], ...] = ()
    """Pairs of file ids whose pictures are near copies of each other."""
    statistics: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """By file id: mean and deviation of R, G, B (0 to 255), border mean of R, G, B, width, height,
    bytes of the file; what a shortcut probe may look at."""
    folds: tuple[Fold, ...] = ()
    epochs: tuple[EpochLog, ...] = ()
    phases: tuple[PhaseLog, ...] = ()
    notices: tuple[Notice, ...] = ()
    predictions: Predictions | None = None
    validation: Predictions | None = None
    """Predictions on the validation rows (thresholds are fitted there)."""
    scores: tuple[Score, ...] = ()
    threshold: float | None = None
    threshold_from: str | None = None
    """The rows the threshold was fitted on: "validation", "scored" or "fixed"."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Further facts by name: ``input_range`` (observed low, high, contract low, high),
    ``bn_changed_by_mc`` (bool), ``test_looks`` (earlier runs scored on the same rows),
    ``fidelity`` (figures of synthetic images), ..."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """A finished run as read back from its folder: plain data, no model, no torch."""

    folder: Path
    name: str
    recipe: Mapping[str, Any]
    samples: Samples
    folds: tuple[Fold, ...]
    epochs: tuple[EpochLog, ...]
    phases: tuple[PhaseLog, ...]
    notices: tuple[Notice, ...]
    predictions: Predictions
    validation: Predictions | None
    scores: tuple[Score, ...]
    confusion: tuple[tuple[int, ...], ...]
    """``confusion[true][predicted]``."""
    threshold: float | None
    threshold_from: str | None
    findings: tuple[Finding, ...]
    environment: Mapping[str, Any]
    facts: Mapping[str, Any]
    seconds: float
    pixels: Mapping[str, str] = field(default_factory=dict)
    """Digest of the decoded pixels by file id (see ``Evidence``)."""
    twins: tuple[tuple[str, str], ...] = ()
    statistics: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of a report; cells are text, ready to print."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An image of a report's page; it is read when the page is made, and may be gone by then."""

    id: str
    path: str
    origin: Origin = "real"
    """Marked on the picture."""
    caption: tuple[str, ...] = ()
    """Lines under it."""
    row: int | None = None
    """Its place in the run's predictions, where its explanation map is wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One part of a report. Text and tables go to the console and to the page."""

    title: str
    text: tuple[str, ...] = ()
    """Lines; one that begins with "! " is a warning and shown loudly."""
    tables: tuple[Table, ...] = ()
    figure: Any = None
    """A matplotlib figure for the page, or None; or a function without arguments that gives one of
    these, called for the page only. What is given no colour follows the reader's light or dark."""
    order: int = 50
    """Sections are shown by rising order."""
    caption: str = ""
    """What the figure shows, also for those who cannot see it."""
    pictures: tuple[Picture, ...] = ()
    """Images for the page."""
    page: int | None = None
    """The order on the page, where it differs."""
    console: bool = True
    """False: for the page only."""
