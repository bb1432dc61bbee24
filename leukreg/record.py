"""The record of a run: everything that it knows, as frozen values; no model and no torch needed.

What was not recorded is empty, or None: an audit of a published table gets a record with nothing
but the table. A new field is one edit here: whatever has no file of its own in the run folder (see
:mod:`leukreg.runs.contents`) is kept in ``facts.json``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

from pydantic import Field

from leukreg.choices import Positive, choices, devices_told, positive_in
from leukreg.fitted import Calibration as Calibration
from leukreg.fitted import Conformal as Conformal
from leukreg.fitted import Fitted as Fitted
from leukreg.fitted import Temperature as Temperature
from leukreg.gate_figures import GateFigures as GateFigures
from leukreg.patient_results import PatientResults as PatientResults
from leukreg.patient_results import ScoredRows
from leukreg.patient_results import patient_labels_of as patient_labels_of
from leukreg.stress_figures import Stress as Stress
from leukreg.stress_figures import StressChange as StressChange
from leukreg.stress_figures import StressStep as StressStep
from leukreg.types import EpochLog as EpochLog
from leukreg.types import Finding, Fold, PassedOver, PhaseLog, Samples, Score
from leukreg.types import Notice as Notice

NO_SAMPLES = Samples(rows=(), classes=())


@dataclass(frozen=True, slots=True)
class Dropped:
    """A file that is left out because another shows its picture."""

    id: str
    label: str
    kept: str | None
    """The file that is kept; None where the copies' labels disagree, and none is."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One choice made in reading files, and in how many of them."""

    files: int
    what: str
    doubtful: bool = False
    """Whether the files themselves speak against it."""

    def __str__(self) -> str:
        return f"{self.files:,} file{'s' * (self.files != 1)}: {self.what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """How the list of images came about."""

    listed: Mapping[str, int] = field(default_factory=dict)
    """Rows of each class that no generator made."""
    files_found: Mapping[str, int] = field(default_factory=dict)
    """Readable image files of each class, counted apart from the listing; empty where unknown."""
    passed_over: tuple[PassedOver, ...] = ()
    """What lies beside the images and is none of the rows."""
    passed_over_by_generator: tuple[PassedOver, ...] = ()
    """The same of what the generator reads besides."""
    assumed_of_list: tuple[str, ...] = ()
    """How lists were read where they do not say so themselves."""
    dropped: tuple[Dropped, ...] = ()
    """Copies that the recipe leaves out."""
    readings: tuple[Reading, ...] = ()
    """Choices made in reading the images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenFeatures:
    """How a phase of training used that a part of the network is frozen."""

    frozen: tuple[str, ...] = ()
    """The links of the network that ran once, or without gradients."""
    chunk: int = 0
    """Images that went through them at once."""
    views: int = 0
    """Augmented views of every image whose features were kept; 0: computed anew each epoch."""
    bytes: int = 0
    """What keeping them takes."""
    why: str = ""
    """Why there are not more views."""
    on_device: bool = False
    """Whether features, or images as bytes, lay on the GPU meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedPreprocessing:
    """What a fold's images went through first."""

    use: str
    """The plugin."""
    fitted_on: int = 0
    """Images of the training fold that it learned from; 0 where it learns nothing."""
    images: int = 0
    """Images of the fold."""
    unfit: int = 0
    """Those of them that it could not work on, and left as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldTraining:
    """What was measured while a fold was trained."""

    device: str = ""
    precision: str = ""
    channels_last: bool = False
    compiled: bool = False
    threads: int = 0
    devices: tuple[int, ...] = ()
    """On how many the training ran, one after the other where that changed when it was resumed."""
    device_fallbacks: tuple[str, ...] = ()
    """What was asked of the machine, and what it has instead."""
    input_range: tuple[float, float, float, float] | None = None
    """Lowest and highest value the network saw, then those that its weights expect."""
    preprocessing: tuple[FittedPreprocessing, ...] = ()
    """In their order."""
    features: Mapping[str, FrozenFeatures] = field(default_factory=dict)
    """By phase."""
    parameters: int = 0
    """Scalar parameters of the model."""
    bn_changed_by_mc: bool | None = None
    """Whether passes of MC dropout changed the batch-norm statistics; None without passes."""
    mc_dropout_layers: int | None = None
    """Layers that drop anything; None without passes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What was measured while the folds were trained."""

    folds: tuple[FoldTraining, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyGain:
    """Accuracy of one run less that of another, on the images that both scored."""

    value: float
    low: float | None = None
    """With ``high``: paired 95 % bootstrap interval; None where there is too little to resample."""
    high: float | None = None
    images: int = 0
    how: str = ""
    """How the interval was made; empty without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthesisGain(AccuracyGain):
    """What the synthetic images brought, against the last run that differs in them alone."""

    taught: Annotated[str, Field(alias="with")]
    """The run that was trained on them."""
    untaught: Annotated[str, Field(alias="without")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Synthesis:
    """What was measured of synthetic images."""

    fidelity: tuple[GateFigures, ...] = ()
    """Per class and fold, and over the classes of a fold."""
    gain: SynthesisGain | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierRuns:
    """The runs that lay beside this one when it was scored."""

    test_set: str = ""
    """Digest of the scored pictures."""
    test_looks: tuple[str, ...] = ()
    """Names of the runs that were scored on the same."""
    earlier_scores: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Their figures of the whole, by run and name."""
    sweep: str = ""
    """The sweep that the run belongs to, whose runs are none of those; empty: it is of none."""
    sweep_looks: tuple[str, ...] = ()
    """Its other variations that are scored on the same pictures, whether done by then or not."""
    sweep_choice: str = ""
    """The rows by whose figures the sweep chooses among them: "validation" or "test"."""
    previous_counts: Mapping[str, int] = field(default_factory=dict)
    """Images of each class in the last run that was to list the same."""
    previous_run: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopiedFiles:
    """Images of the other source that show a picture the run was trained on."""

    exact: Mapping[str, str] = field(default_factory=dict)
    """File id here to file id there."""
    near: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """A figure of the original run and of its models elsewhere, on the classes that both have."""

    name: str
    label: str | None
    """The class; None for the whole."""
    original: float | None
    here: float | None
    drop: float | None
    """Original less here; None where either is undefined."""
    low: float | None = None
    high: float | None = None
    """95 % interval of the drop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class External:
    """The run whose models were scored here on other images, and what became of these."""

    run: str = ""
    folder: str = ""
    folds: int = 1
    images: int = 0
    """Images it scored itself."""
    scores: tuple[Score, ...] = ()
    """Its own figures."""
    taken: Mapping[str, str] = field(default_factory=dict)
    """The other source's class to the run's."""
    unmapped: Mapping[str, int] = field(default_factory=dict)
    """Its classes that are none of the run's, with their number of images (left out)."""
    missing: tuple[str, ...] = ()
    """Classes of the run of which it has no image."""
    broken: int = 0
    """Images that could not be read."""
    copies: CopiedFiles = CopiedFiles()
    copies_unknown: str = ""
    """Why not all copies could be looked for; empty where they were."""
    copies_left_out: int = 0
    drops: tuple[Drop, ...] = ()
    """None where cells have no labels of their own."""
    how: str = ""
    """How the drops' intervals were made."""
    patient_drops: tuple[Drop, ...] = ()
    """The same of figures of patients."""
    patient_how: str = ""
    patients_unknown: str = ""
    """Why there are no answers about patients, which the run gives; empty where there are."""
    patients_left_out: Mapping[str, int] = field(default_factory=dict)
    """Labels of patients that are none of the run's, with their number of patients."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GitState:
    """A checkout."""

    commit: str
    dirty: bool | None
    """Whether files differ from it; None where that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What a run ran on."""

    python: str = ""
    libraries: Mapping[str, str | None] = field(default_factory=dict)
    """Versions by name; None for what is not installed."""
    plugins: Mapping[str, str] = field(default_factory=dict)
    """Versions of the distributions that bring plugins."""
    system: str = ""
    cpu: str = ""
    cores: int | None = None
    threads: str | None = None
    git: GitState | None = None
    argv: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Digests:
    """What tells whether two runs saw the same."""

    data: str = ""
    """Of the images and their labels, whatever their order and place on disk."""
    weights: object = None
    """What the backbone says of its weights: plain values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord(ScoredRows):
    """Everything that a run knows: its folder's content, an audit's evidence, a report's matter."""

    folder: Path = Path()
    """The run's folder."""
    name: str = ""
    """Its name: the recipe's, the date, the time and four more characters."""
    seconds: float = 0.0
    """Time the run took."""

    recipe: Mapping[str, object] = field(default_factory=dict)
    """The resolved recipe as plain data, every default written out."""
    notices: tuple[Notice, ...] = ()
    """Fallbacks that were taken."""
    environment: Environment = Environment()
    digests: Digests = Digests()
    broken_plugins: tuple[str, ...] = ()
    """Plugins that were installed and could not be used."""
    mended: tuple[str, ...] = ()
    """What was found damaged when the run was resumed, and made again."""

    samples: Samples = NO_SAMPLES
    """The data, synthetic rows appended."""
    pixels: Mapping[str, str] = field(default_factory=dict)
    """Digest of the decoded pixels by file id."""
    near_duplicates: tuple[tuple[str, str], ...] = ()
    """Pairs of file ids whose pictures are near duplicates of each other."""
    statistics: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """By file id: mean and deviation of R, G, B (0 to 255), border mean of R, G, B, width, height,
    bytes of the file; what a shortcut probe may look at."""
    listing: Listing = Listing()
    folds: tuple[Fold, ...] = ()
    """The sides of the split."""

    synthesis: Synthesis = Synthesis()
    epochs: tuple[EpochLog, ...] = ()
    """What every epoch did."""
    phases: tuple[PhaseLog, ...] = ()
    """What every phase did."""
    training: Training = Training()

    patients: PatientResults | None = None
    """Answers about patients and their figures; None without ``[patients]``."""

    earlier: EarlierRuns = EarlierRuns()
    evaluated_from: External | None = None
    """The run whose models these are, where they were scored on other images; else None."""
    stress: Stress | None = None
    """Figures on changed test images; None where nobody asked for them (``leukreg stress``)."""
    findings: tuple[Finding, ...] = ()
    """What the audit found."""

    @property
    def reported(self) -> tuple[Mapping[str, object], ...]:
        """The recipe's published figures: its ``[reported]`` table, or each ``[[reported]]``."""
        stated = self.recipe.get("reported")
        several = stated if isinstance(stated, list | tuple) else (stated,) if stated else ()
        return tuple(table for table in several if isinstance(table, Mapping))

    @property
    def validation_losses(self) -> tuple[float, ...]:
        """Those of images, epoch by epoch; a loss of patients is another figure."""
        own = (e.validation_loss for e in self.epochs if not e.of_patients)
        return tuple(loss for loss in own if loss is not None)

    @property
    def positive(self) -> Positive | None:
        """The positive class, and whether the recipe says which it is; None unless there are
        predictions of two classes."""
        return positive_in(self.recipe, self.predictions.classes)

    @property
    def choices(self) -> tuple[tuple[str, str], ...]:
        """What is chosen between predictions and figures, and how, in words."""
        told = choices(self.recipe, self.predictions.classes or self.samples.classes)
        if devices := devices_told(self.recipe, [fold.devices for fold in self.training.folds]):
            told = (*told, ("devices", devices))
        if not self.samples.weak:
            return told
        return (*told, ("labels of images", "those of their patients, whatever an image shows"))

    @property
    def about_patients(self) -> RunRecord:
        """The run with its patients in place of its cells, where there are answers about them."""
        if self.patients is None:
            return self
        return replace(self, **self.patients.scored_rows())
