"""The checked recipe: frozen dataclasses, one per TOML table.

Here, and nowhere else, stands what a recipe may say. Field names are the recipe's keys, the string
under a field is its documentation, an ``annotated_types`` constraint its range, and the marks of
:mod:`leukreg.recipe.schema` say the rest: which kind of plugin a ``Choice`` (any table that names
one by ``use``) is of, what else a value must be.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt, MinLen, Predicate

from leukreg.errors import Problem
from leukreg.recipe.format import Said, show
from leukreg.recipe.mistakes import Mark, dotted, printable, undotted
from leukreg.recipe.schema import Called, Derived, Example, Must, Names, Plugin, dumped
from leukreg.registry.plugin_call import Choice, call
from leukreg.types import ImageSpec


def _no_file_name(name: str) -> str:
    """Names become parts of file names: no separators, nothing invisible."""
    visible = name.isprintable() and name.strip() == name and len(name) <= 100
    if name and visible and not name.startswith(".") and not set(name) & set('/\\:*?"<>|'):
        return ""
    return f"{show(name)} is no name for files: use letters, digits, spaces, - and _"


def _no_unfreezing(unfreeze: float | str) -> str:
    """An integer counts stages, a float is a share: their ranges differ."""
    if isinstance(unfreeze, int) and unfreeze < 0:
        return f"must not be {unfreeze}: a number of stages is at least 0"
    if isinstance(unfreeze, float) and not 0 <= unfreeze <= 1:
        return (
            f"must not be {unfreeze}: a share of the layers is between 0 and 1; a number of stages"
            " has no point"
        )
    return ""


def _no_reason(reason: str) -> str:
    return "" if reason.strip() else "must say why the finding is lived with"


FileName = Annotated[str, Must(_no_file_name)]
Reason = Annotated[str, Predicate(str.strip), Said("the reason for the value")]


@dataclass(frozen=True, kw_only=True)
class FoldsSpec:
    """``[data.folds]``: how rows are put on the sides of a split."""

    use: Literal["split", "given"] = "split"
    """"given" takes the source's own split column."""
    k: Annotated[int, Ge(2)] | None = None
    """Number of folds; every real row is tested once. Without it one holdout is made."""
    test: Annotated[float, Gt(0), Lt(1)] = 0.2
    """Share of the rows held out (holdout only)."""
    validation: Annotated[float, Ge(0), Lt(1)] = 0.15
    """Share of the remaining rows used for early stopping and thresholds; 0 for none."""
    validation_is_test: bool = False
    """Watch the test rows during training, as the history did. The audit says so."""
    group: Literal["auto", "patient", "none"] = "auto"
    """"auto" keeps the rows of a known patient together; "patient" insists that all are known."""
    stratify: bool = True
    """Keep class proportions on every side; where patients have labels, those of patients too."""
    duplicates: Literal["together", "drop", "ignored"] = "together"
    """Copies and near duplicates of one picture stay on one side. "drop" keeps one file of each:
    that with the most pixels, the first by name among equals; none where their labels disagree."""
    seed: Annotated[int, Ge(0)] | None = None
    """Seed of the split; by default the recipe's. Repeats with other seeds can share a split."""
    limit: Mapping[str, Annotated[int, Ge(0)]] = field(default_factory=dict)
    """Real rows of a class that training and validation may use together, to make it scarce (0:
    none at all); the others are left out of the run, the test rows stay."""


@dataclass(frozen=True, kw_only=True)
class DataSpec:
    """``[data]``: the source (its options stand beside ``use``) and the folds."""

    source: Annotated[Choice, Plugin("source", beside=True)]
    """What lists the images."""
    folds: FoldsSpec = field(default_factory=FoldsSpec)
    """The sides of the split."""
    broken: Literal["stop", "skip"] = "stop"
    """What to do with files that are no readable image."""


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """``[model]``: backbone, then attention on its last feature map, then head."""

    backbone: Annotated[Choice, Plugin("backbone")]
    """What turns images into feature maps."""
    attention: Annotated[Choice | None, Plugin("attention")] = None
    """What reweighs the last feature map."""
    head: Annotated[Choice, Plugin("head")]
    """What turns feature maps into one figure per class."""
    input: Literal["contract", "divided-twice"] = "contract"
    """"divided-twice" divides by 255 in front of a network that rescales by itself (V1, V5)."""


@dataclass(frozen=True, kw_only=True)
class LossSpec:
    """``[loss]``: the loss and the class weights it is given."""

    loss: Annotated[Choice, Plugin("loss", beside=True)]
    """What training minimises."""
    class_weights: Annotated[Choice | None, Plugin("class-weights")] = None
    """How much each class counts in it."""


@dataclass(frozen=True, kw_only=True)
class TrainingSpec:
    """``[training]``: what all phases share."""

    batch_size: Annotated[int, Ge(1)] = 32
    """Images that go through the network at once."""
    accumulate: Annotated[int, Ge(1)] = 1
    """Batches whose gradients make one step, as one batch of all their images would, wherever it
    does not fit into memory; the last step of an epoch may have fewer. Batch norm sees one batch
    at a time."""
    feature_views: Annotated[int, Ge(0)] | None = None
    """Fixed augmented views whose frozen features are computed once, reused every epoch, and kept
    in the cache for other folds and runs; 0 never reuses; by default 1 without augmentation and 4
    with it."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """"auto" takes a GPU where there is one."""
    precision: Literal["auto", "fp32", "amp"] = "auto"
    """"amp" computes in half precision where that is safe; "auto" does so on CUDA."""
    channels_last: Literal["auto", "yes", "no"] = "auto"
    """Memory layout that is faster on most devices; "auto" takes it wherever it is."""
    compile: Literal["auto", "yes", "no"] = "auto"
    """Whether torch compiles the network; "auto" does not."""
    threads: Annotated[int, Ge(1)] | None = None
    """CPU threads; part of what makes a run repeat to the last bit."""
    sync_batchnorm: bool = False
    """On several devices: whether batch norm sees the whole batch, as it does on one, or each
    device's part of it."""


@dataclass(frozen=True, kw_only=True)
class PhaseSpec:
    """``[[phase]]``: one stretch of training with one set of trainable layers."""

    name: FileName
    """Names the phase in reports and files; each phase has its own."""
    unfreeze: Annotated[int | float | Literal["all"], Must(_no_unfreezing)] = 0
    """0: none of the backbone; an integer: that many last stages; a fraction below 1: that share of
    the ordered backbone layers that own parameters, from the end; "all" (or 1.0): everything."""
    epochs: Annotated[int, Ge(1)] = 1
    """Passes over the training rows at most."""
    optimizer: Annotated[Choice, Plugin("optimizer")]
    """What updates the trainable parameters."""
    schedule: Annotated[Choice | None, Plugin("schedule")] = None
    """How the learning rate moves; by default it stays."""
    patience: Annotated[int, Ge(1)] | None = None
    """Stop after so many epochs without a better monitored figure."""
    monitor: Literal["validation_loss", "validation_accuracy", "train_loss"] | None = None
    """Figure that decides the best epoch; by default validation loss, or training loss without
    validation rows."""
    restore_best: bool = True
    """Go on from the best epoch's weights, not the last one's."""
    clip_norm: Annotated[float, Gt(0)] | None = None
    """Largest gradient norm over all parameters."""
    layer_decay: Annotated[float, Gt(0), Lt(1)] | None = None
    """Learning rate of each stage of the backbone as a share of that of the stage behind it; head
    and attention have the optimizer's (Howard and Ruder, 2018; Bao et al., 2022)."""
    ema: Annotated[float, Gt(0), Lt(1)] | None = None
    """Decay, per step, of a moving average of the weights and batch-norm statistics. It is what is
    validated, compared between epochs and kept at the end of the phase; training itself goes on
    from the weights under way, and begins anew from the average in the next phase."""
    bags: Annotated[int, Ge(1)] | None = None
    """Learn from patients (Ilse et al., 2018): a step is one training patient by at most so many
    cells, drawn anew every epoch; cross-entropy of an aggregator's answer reaches the unfrozen
    layers. Validation is by patients' first cells. Batch norm keeps its statistics, the head waits
    for a phase without. ``[patients]`` then learns anew, by an aggregator that reads features."""
    mixup: Annotated[float, Gt(0)] | None = None
    """Mix every training image with another of its batch, lambda to 1 - lambda, and their losses
    alike; lambda is drawn for each batch from Beta(alpha, alpha), and this is alpha (Zhang et al.,
    2018). With ``cutmix`` each batch has one of the two. Needs no other loss."""
    cutmix: Annotated[float, Gt(0)] | None = None
    """Paste a rectangle of another image of the batch over every training image, and mix their
    losses by area; its share is drawn as for ``mixup`` (Yun et al., 2019)."""

    @property
    def mixes(self) -> bool:
        """Whether training images are made of two."""
        return self.mixup is not None or self.cutmix is not None


@dataclass(frozen=True, kw_only=True)
class GateSpec:
    """``[synthesis.gate]``: what synthetic images must pass before a classifier may see them.

    They are held against real images that the generator was not fitted on: the fold's validation
    rows. ``true`` is a gate with these defaults, ``false`` none.
    """

    extractor: Annotated[str, Names("extractor")] = "cells"
    """What sees the images: an extractor plugin, with ``:ARGUMENT`` where it takes one."""
    kid: Annotated[float, Gt(0)] = 10.0
    """Largest KID to real images, as a multiple of the floor: the one between halves of these."""
    coverage: Annotated[float, Ge(0), Le(1)] = 0.4
    """Smallest part of the real images that has a synthetic one in its neighbourhood."""
    copies: Annotated[float, Ge(0), Lt(1)] = 0.01
    """Largest part that may copy training images; copies below it are replaced one by one."""
    teaches: Annotated[float, Ge(0), Le(1)] = 0.6
    """Smallest recall on real images when a plain classifier was taught by synthetic ones, as a
    part of the recall when it was taught by the real training rows. Chance must be beaten too."""
    pupil: Literal["regression", "network"] = "regression"
    """That classifier: "regression" on the extractor's features takes a second; "network", a small
    one taught from nothing on pixels, takes some half a minute on one core and is harder to
    please."""
    unjudged: Literal["fail", "pass"] = "fail"
    """A class without real images to hold it against: "pass" lets it in if nothing else speaks
    against it (copies, images that pass for another class), and the report says so."""
    fails: Literal["leave-out", "stop", "keep"] = "leave-out"
    """What a failed class means: it is left out of training, the run stops, or ("keep") it is
    trained on all the same, which the audit calls an error."""


@dataclass(frozen=True, kw_only=True)
class SynthesisSpec:
    """``[synthesis]``: which classes are made, by which generator, how many, and where they go."""

    generator: Annotated[Choice, Plugin("generator", beside=True)]
    """What makes the images."""
    classes: Annotated[tuple[str, ...], Example(["pro-b"])]
    """The classes that are made."""
    per_class: Annotated[Annotated[int, Ge(1)] | Mapping[str, Annotated[int, Ge(1)]], Example(100)]
    """Synthetic images per class (and fold); a table gives each class its own number."""
    place: Literal["training-fold", "before-split"] = "training-fold"
    """"before-split" makes them from all rows and lets them be tested on, as the history did."""
    mix: Literal["add", "replace"] = "add"
    """"replace" takes the real training rows of the made classes out of training, once the
    generator has learned from them: what do the synthetic ones teach alone?"""
    seed: Annotated[int, Ge(0)] | None = None
    """Seed of the generator's fit; by default the recipe's. Repeats with other seeds can share a
    fitted generator; what they draw from it differs."""
    gate: GateSpec | None = field(default_factory=GateSpec)
    """What the images must pass; false for no gate (None here)."""

    def count(self, label: str) -> int:
        """Images to make of a class."""
        return self.per_class[label] if isinstance(self.per_class, Mapping) else self.per_class


@dataclass(frozen=True, kw_only=True)
class McDropoutSpec:
    """``mc_dropout``: repeated passes with dropout on (Gal and Ghahramani, 2016)."""

    passes: Annotated[int, Ge(2)] = 30
    """Passes per image."""


@dataclass(frozen=True, kw_only=True)
class TtaSpec:
    """``tta``: test-time augmentation, predictions over turned and mirrored views of an image."""

    views: Literal[2, 4, 8] = 8
    """2: as it is and mirrored; 4: the right angles; 8: both. Passes of MC dropout are spread over
    the views, at least one each."""


@dataclass(frozen=True, kw_only=True)
class CalibrationSpec:
    """``calibration``: probabilities made to mean what they say, fitted on validation rows."""

    method: Literal["temperature"] = "temperature"
    """"temperature": one number per fold (Guo et al., 2017)."""


@dataclass(frozen=True, kw_only=True)
class ConformalSpec:
    """``conformal``: sets of classes that hold the true one with a stated coverage."""

    coverage: Annotated[float, Gt(0), Lt(1)] = 0.9
    """Share of new images whose set holds the true class, at least."""
    method: Literal["lac", "aps"] = "lac"
    """"lac": smallest sets on average (Sadinle et al., 2019); "aps": coverage more alike between
    easy and hard images (Romano et al., 2020)."""
    by_class: bool = False
    """Hold the coverage within every class (Mondrian); needs validation rows of each."""


@dataclass(frozen=True, kw_only=True)
class ThresholdSpec:
    """``threshold``: where the positive class begins (binary tasks only)."""

    rule: Literal["f1", "youden", "fixed"] = "f1"
    """"f1": the best F1 of the positive class; "youden": the best sensitivity plus specificity;
    "fixed": ``value``."""
    value: Annotated[float, Gt(0), Lt(1)] = 0.5
    """The threshold for rule "fixed"."""
    fitted_on: Literal["validation", "scored"] = "validation"
    """"scored" fits it on the rows it is judged on, as the history did. The audit says so."""


@dataclass(frozen=True, kw_only=True)
class EvaluateSpec:
    """``[evaluate]``: what is scored and how."""

    on: Literal["test", "all"] = "test"
    """"all" scores the training rows too, as V5 did. The audit says so."""
    positive: str | None = None
    """Positive class of a binary task. What depends on it (a threshold, focal loss with alpha)
    needs it; else the second class is taken, and said."""
    mc_dropout: McDropoutSpec | None = None
    """Uncertainty by repeated passes with dropout on."""
    tta: TtaSpec | None = None
    """Predictions over turned and mirrored views of an image."""
    calibration: CalibrationSpec | None = None
    """Without it the network's own probabilities. Thresholds are chosen on calibrated ones."""
    conformal: ConformalSpec | None = None
    """Sets of classes that hold the true one with a stated coverage."""
    threshold: ThresholdSpec | None = None
    """Without it the most probable class is answered."""
    bootstrap: Annotated[int, Ge(0)] = 1000
    """Resamples for the 95 % intervals, of patients where they are known, and of pictures: copies
    count as one; 0 for none."""
    metrics: Annotated[tuple[Choice, ...], Plugin("metric")] = ()
    """Metric plugins; empty: all of leukreg's own."""


@dataclass(frozen=True, kw_only=True)
class PatientsSpec:
    """``[patients]``: answers about patients, each from all cells of the patient."""

    aggregator: Annotated[Choice, Plugin("aggregator")]
    """What makes one answer of the cells; the positive class is ``evaluate.positive``."""
    optimizer: Annotated[Choice, Plugin("optimizer", default="adamw")]
    """What trains an aggregator that has parameters, a patient a step, after the phases."""
    epochs: Annotated[int, Ge(1)] = 100
    """Passes over the training patients at most."""
    patience: Annotated[int, Ge(1)] = 15
    """Stop after so many epochs without a lower loss on validation patients."""


@dataclass(frozen=True, kw_only=True)
class Waiver:
    """``[[audit.waive]]``: a finding the author knows of and lives with."""

    rule: Annotated[str, Names("audit")]
    """The rule whose findings are lived with."""
    reason: Annotated[str, Must(_no_reason)]
    """Why; it stands beside the finding in every report."""


@dataclass(frozen=True, kw_only=True)
class AuditSpec:
    """``[audit]``: waived findings and options of rules."""

    waive: tuple[Waiver, ...] = ()
    """Findings that are known and lived with."""
    rules: Annotated[tuple[Choice, ...], Plugin("audit", by_name=True)] = ()
    """Rules whose options differ from their defaults."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A whole experiment, checked."""

    schema: Literal[1] = 1
    """The version of the recipe's format."""
    name: FileName = ""
    """The file's stem, unless the recipe says otherwise."""
    title: str = ""
    """One line for the head of every report."""
    seed: Annotated[int, Ge(0), Lt(1 << 63)] = 0
    """All that is random is derived from it."""
    data: DataSpec
    """The images and their split."""
    image: ImageSpec = field(default_factory=ImageSpec)
    """The pixels a model sees."""
    model: ModelSpec
    """The network."""
    loss: LossSpec
    """What training minimises."""
    preprocessing: Annotated[tuple[Choice, ...], Plugin("preprocessing")] = ()
    """What every image goes through before any augmentation, one after the other; the same in
    training, prediction and export."""
    augmentation: Annotated[Choice | None, Plugin("augmentation")] = None
    """What changes training images at random."""
    sampler: Annotated[Choice, Plugin("sampler", default="shuffle")]
    """The order in which training rows are seen."""
    training: TrainingSpec = field(default_factory=TrainingSpec)
    """What all phases share."""
    phases: Annotated[tuple[PhaseSpec, ...], Called("phase"), MinLen(1)]
    """The phases of training, in their order."""
    synthesis: SynthesisSpec | None = None
    """Synthetic training images."""
    evaluate: EvaluateSpec = field(default_factory=EvaluateSpec)
    """What is scored and how."""
    patients: PatientsSpec | None = None
    """Answers about patients; without it there are figures of cells only."""
    audit: AuditSpec = field(default_factory=AuditSpec)
    """Findings that are known, and options of rules."""
    reported: Mapping[str, Any] | tuple[Mapping[str, Any], ...] | None = None
    """Published figures, kept as written, in a table for each model; checked by the audit."""
    assumed: Mapping[str, Reason] = field(default_factory=dict)
    """Recipe key to the reason for a value that the source of the experiment does not state."""
    path: Annotated[Path | None, Derived()] = None
    """The recipe file, for messages."""
    given: Annotated[frozenset[str], Derived()] = frozenset()
    """Dotted keys that the recipe (or --set) states; all others are defaults."""
    where: Annotated[Mapping[str, Mark], Derived()] = field(default_factory=dict)
    """Dotted key to its place, for problems that show only once data are seen."""

    @functools.cached_property
    def resolved(self) -> dict[str, Any]:
        """The recipe as plain data: extends and overrides applied, every default written out."""
        tree: dict[str, Any] = dumped(self)
        return tree

    @property
    def image_sizes(self) -> tuple[ImageSpec, ...]:
        """The images as they are read, then as each preprocessing gives them, in their order.

        A crop takes larger images than it gives, so that no resolution is lost.
        """
        sizes = [self.image]
        for choice in reversed(self.preprocessing):
            before = getattr(choice.plugin, "before", None)
            sizes.insert(0, call(choice, before, sizes[0]) if before else sizes[0])
        return tuple(sizes)

    @property
    def read_image(self) -> ImageSpec:
        """The images as they are read, kept and synthesised: before any preprocessing."""
        return self.image_sizes[0]

    def place(self, key: str) -> tuple[str | None, str | None]:
        """``file:line`` of a dotted key, or of the innermost table around it, and its excerpt."""
        parts = undotted(key)
        for length in range(len(parts), 0, -1):
            mark = self.where.get(dotted(parts[:length]))
            if mark is not None:
                return mark.where, mark.excerpt(on_value=length == len(parts))
        return (None if self.path is None else printable(str(self.path))), None

    def problem(self, key: str, message: str) -> Problem:
        """What is wrong with the value at a dotted key, with its place."""
        return Problem(printable(message), *self.place(key))
