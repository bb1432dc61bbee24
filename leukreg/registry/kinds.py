"""The kinds of plugin: one contract each, and what ``build`` of each takes and returns.

A plugin may also have ``ready(self) -> None``: called once before any work starts, it raises
:class:`leukreg.errors.NotAvailable` when what the plugin needs (weights, a folder, a network) is
not on this machine; the recipe's ``fallback`` for it is then taken, or the run refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pluggy

from leukreg.record import RunRecord
from leukreg.section import Section
from leukreg.types import Finding, ImageSpec, Labels, Lineage, Predictions, Samples, Score

if TYPE_CHECKING:
    import click
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of plugin, declared by its contract; a recipe's field says where it is named."""

    name: str
    hook: str
    """The function that lists plugins of this kind."""
    sentence: str
    """What a plugin of this kind is, for listings."""
    contract: type
    """Its ``build`` is what a plugin takes and returns."""
    usage: str
    """How it is used, where no recipe names it."""
    example: str
    """The body of the ``build`` that `leukreg plugins new` writes, where it has no template."""

    @property
    def builds(self) -> bool:
        """Whether plugins are classes; commands are click's."""
        return hasattr(self.contract, "build")

    @property
    def check(self) -> str:
        """The function in :mod:`leukreg.testing` that checks one."""
        return f"check_{self.name.replace('-', '_')}"


KINDS: dict[str, Kind] = {}
"""By name, in the order of a recipe."""


def _kind(
    name: str, hook: str, sentence: str, usage: str = "", example: str = "raise NotImplementedError"
) -> Callable[[Any], Any]:
    """Declare the kind of plugin whose contract the class is."""

    def declare(contract: Any) -> Any:
        KINDS[name] = Kind(name, hook, sentence, contract, usage, example)
        return contract

    return declare


class InputContract(Protocol):
    """What a backbone expects of its input, per channel R, G, B, on the 0 to 1 scale."""

    @property
    def mean(self) -> tuple[float, float, float]: ...

    @property
    def std(self) -> tuple[float, float, float]: ...


class Images(Protocol):
    """Samples with their pixels, as a generator sees them: the training fold, nothing else."""

    @property
    def samples(self) -> Samples: ...

    def __len__(self) -> int: ...

    def pixels(self, rows: Sequence[int]) -> NDArray[np.uint8]:
        """Images of these rows, shape ``(len(rows), size, size, 3)``, RGB."""
        ...


class SyntheticImages(Protocol):
    """What a generator returns: images and, for each, its lineage."""

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """Shape ``(n, size, size, 3)``, RGB."""
        ...

    @property
    def lineage(self) -> tuple[Lineage, ...]: ...


class ClassGenerator(Protocol):
    """Makes images of a class, after being fitted on the training fold.

    It may have ``check(self, images: Images) -> None`` too (with ``progress`` if it likes), which
    raises at once what ``fit`` would raise for these rows: it is asked before anything is trained.
    """

    def fit(self, images: Images, seed: int, folder: Path | None) -> None:
        """Learn from the training rows. ``folder`` keeps snapshots, so a fit can resume.

        A slow generator may take ``progress: Progress = SILENT`` too; it is passed if it does.

        Raises:
            DataError: A class cannot be made from these rows.
        """
        ...

    def sample(self, label: str, n: int, seed: int) -> SyntheticImages:
        """``n`` images of class ``label``; the same seed gives the same images."""
        ...


@_kind("source", "leukreg_sources", "where samples come from")
class Source(Protocol):
    def build(self) -> Samples:
        """List the samples, without decoding them all. Raises DataError, NotAvailable.

        A slow source may take ``progress: Progress = SILENT`` as well; it is passed if it does.
        It may have ``count_files(self) -> Mapping[str, int]`` too: the image files of each class,
        counted apart from the listing, so that an audit sees a listing that loses some.
        """
        ...


@_kind(
    "preprocessing",
    "leukreg_preprocessings",
    "changes every image, alike in training and afterwards",
    example="from torch import nn\n\nreturn nn.Identity()",
)
class Preprocessing(Protocol):
    """What an image becomes depends on it alone, and on what was fitted: in training and later.

    A plugin may have ``before(image: ImageSpec) -> ImageSpec`` too: the images that it takes, where
    they are of another size than those it gives.
    """

    def build(self, image: ImageSpec) -> nn.Module:
        """A module from uint8 RGB images ``(b, h, w, 3)`` to such of ``image.size`` pixels.

        Synthetic images pass through it as real ones do. It stays on the CPU, has no parameters,
        and uses torch's operations alone, so that it can be exported. It may have two more methods:

        - ``fit(images: Images) -> None``: learn from the training fold's real images, as the
          preprocessings before it leave them. What it learns lies in buffers, which keep their
          shapes and stand in the fold's model file.
        - ``unfit(images: Tensor) -> Tensor``: True, shape ``(b,)``, for each image that it cannot
          work on and hands on as it is. They are counted, and told.
        """
        ...


@_kind("augmentation", "leukreg_augmentations", "changes training images at random")
class Augmentation(Protocol):
    def build(self, image: ImageSpec) -> Callable[[Tensor], Tensor]:
        """A function from a uint8 batch ``(b, 3, size, size)`` to one of the same shape and type.

        Each image of the batch gets its own draw, from torch's global generator, which we seed.
        """
        ...


@_kind("backbone", "leukreg_backbones", "turns images into feature maps")
class Backbone(Protocol):
    def build(self) -> nn.Module:
        """A module from ``(b, 3, h, w)`` normalised floats to the feature map ``(b, c, h', w')``.

        It has ``channels: int`` (c), ``stages: nn.Sequential`` (ordered; running them one after the
        other is the forward pass) and ``contract: InputContract``. Stages before the last may pass
        on what is no map, such as the tokens of a Vision Transformer. A size of images that it
        cannot take is a LeukregError that names one that it can.
        """
        ...


@_kind("attention", "leukreg_attentions", "reweighs the last feature map")
class Attention(Protocol):
    def build(self, channels: int) -> nn.Module:
        """A module that keeps the shape ``(b, channels, h, w)``."""
        ...


@_kind("head", "leukreg_heads", "turns feature maps into logits")
class Head(Protocol):
    def build(self, channels: int, labels: Labels) -> nn.Module:
        """A module from ``(b, channels, h, w)`` to logits ``(b, len(labels))``.

        Best an ``nn.Sequential``: what lies before its first dropout runs once under MC dropout.
        """
        ...


@_kind("loss", "leukreg_losses", "what training minimises")
class Loss(Protocol):
    def build(self, labels: Labels) -> nn.Module:
        """A module from logits ``(b, k)`` and targets ``(b,)`` (int64) to a scalar mean loss.

        ``labels.counts`` are the training fold's, ``labels.weights`` the class weights or None;
        with weights the mean is the weighted one, sum of weight times loss over sum of weights. A
        loss that weighs otherwise has them as ``weight``, shape ``(k,)``, as torch's own losses
        do: steps over several batches are put together by it. Mixed images need no soft targets.
        The loss of a validation set, or of an epoch, is asked once about all its rows, in eval
        mode: there it depends on those rows alone, neither on their order nor on earlier calls.

        A loss that treats the positive class of two (``labels.positive``) apart has a property
        ``needs_positive`` that is true: then no recipe runs that does not name this class.
        """
        ...


@_kind("class-weights", "leukreg_class_weights", "how much each class counts in the loss")
class ClassWeights(Protocol):
    def build(self, labels: Labels) -> tuple[float, ...]:
        """One positive weight per class from ``labels.counts`` (a count may be 0)."""
        ...


@_kind("sampler", "leukreg_samplers", "the order in which training rows are seen")
class Sampler(Protocol):
    def build(
        self, targets: Sequence[int], groups: Sequence[str], generator: torch.Generator
    ) -> Iterable[int]:
        """Positions (0 to ``len(targets) - 1``) in the order of one epoch; built anew every epoch.

        ``groups`` are patient ids; where these are unknown, fields of several cells, or row ids. It
        may take ``origins: Sequence[str] | None = None`` too, "real" or "synthetic" for each row;
        they are passed if it does.
        """
        ...


@_kind("generator", "leukreg_generators", "makes synthetic images of a class")
class Generator(Protocol):
    def build(self, image: ImageSpec, labels: Labels) -> ClassGenerator:
        """A generator of images of ``image.size`` pixels.

        It may take ``targets: tuple[str, ...] | None = None`` too, the classes that will be asked
        for; they are passed if it does, so that it can refuse one before any training.

        A plugin may have ``files() -> Iterable[Path]`` too: files and folders, besides the training
        images, that its images depend on. Where one changed, images are made anew; a run that has
        trained on the old ones is not gone on with. And ``listed(labels: Labels) -> Samples``: what
        it passes over and assumes in listing them (``passed``, ``assumed``), to be told and kept.
        """
        ...


@_kind(
    "extractor",
    "leukreg_extractors",
    "turns images into features to be compared by",
    usage="Then compare images by it:\n\n    leukreg fidelity REAL FAKE --extractor {name}",
)
class Extractor(Protocol):
    """A plugin with one option at most that may be given by a word, named ``path``."""

    def build(self) -> nn.Module:
        """A module from uint8 RGB ``(b, 3, h, w)`` of any size to float32 features ``(b, d)``.

        It has ``dimensions: int`` (d), is in eval mode, and needs no gradient. Raises NotAvailable
        when its weights are not on this machine.
        """
        ...

    def describe(self) -> Mapping[str, str]:
        """What the features depend on: ``digest``, the hexadecimal digest of the weights, at least.

        Figures are compared only where extractor and digest agree.
        """
        ...


@_kind("optimizer", "leukreg_optimizers", "updates the parameters")
class Optimizer(Protocol):
    def build(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        """An optimizer over torch parameter groups."""
        ...


@_kind("schedule", "leukreg_schedules", "how the learning rate moves")
class Schedule(Protocol):
    def build(self, optimizer: torch.optim.Optimizer, steps: int) -> Any:
        """A torch learning-rate scheduler over ``steps`` optimizer steps.

        ``ReduceLROnPlateau`` is stepped with the validation loss after each epoch, any other after
        every optimizer step.
        """
        ...


@_kind("aggregator", "leukreg_aggregators", "makes one answer of all cells of a patient")
class Aggregator(Protocol):
    """``reads: ClassVar[str]`` says what a cell is to it: "probabilities", the network's own, or
    "features", the pooled map that the head is given."""

    def build(self, width: int, labels: Labels) -> nn.Module:
        """A module from the cells of one patient ``(n, width)`` to logits ``(len(labels),)``.

        Its ``weights(cells)`` gives the share of each cell in the answer, ``(n,)``, at least 0 and
        of sum 1. The order of cells does not matter, and one cell will do. ``labels`` are those of
        patients. With "probabilities" they are also those of the cells, ``width`` is their number,
        cells are float64, and the softmax of the logits is the answer. What has parameters is
        trained on the fold's training patients, by cross-entropy; in phases with ``bags`` another
        one is, and its gradient goes on to the cells' features.

        One that treats the positive class of two apart has ``needs_positive`` that is true: then no
        recipe runs that does not name this class.
        """
        ...


@_kind("metric", "leukreg_metrics", "a figure over predictions")
class Metric(Protocol):
    def build(self, predictions: Predictions) -> Iterable[Score]:
        """Figures over the scored rows; undefined ones have value None and say why.

        A metric may also have ``resampled(predictions, weights)``, which makes its intervals fast:
        ``weights`` has shape ``(n, b)``, how often each row stands in each of b resamples, and the
        answer maps ``(score name, class or None)`` to an array of shape ``(b,)``, NaN where
        undefined. Without it, ``build`` is called again on each of a few resamples.

        ``figures: ClassVar[tuple[Figure, ...]]`` declares what its scores are called, which way is
        better and which stand for the whole; an undeclared one is shown in the run's own report
        only.

        A metric that judges the probabilities themselves may say ``of_probabilities = True`` (a
        ``ClassVar``): of a calibrated run it is then asked of the raw ones too.
        """
        ...


@_kind("audit", "leukreg_audits", "a rule that finds what is wrong with a result")
class Audit(Protocol):
    def build(self, evidence: RunRecord) -> Iterable[Finding]:
        """What this rule finds; nothing where the evidence it needs is absent.

        A rule about what is measured after a run may name that field of the record, such as
        ``needs = "stress"`` (a ``ClassVar``): without it a waiver of the rule is not called idle.
        """
        ...


@_kind(
    "report",
    "leukreg_reports",
    "a section of the report",
    usage="Then `leukreg run` and `leukreg show` show its section with every run.",
)
class Report(Protocol):
    def build(self, result: RunRecord) -> Iterable[Section]:
        """Sections for the console and the page."""
        ...


class Workers(Protocol):
    """Those who do the units of a sweep."""

    @property
    def count(self) -> int:
        """Units that they do at once; no more are handed to them."""
        ...

    def submit(self, work: Callable[[Any], Any], unit: Any) -> Future[Any]:
        """Have ``work(unit)`` done; all three are values that pickle, and ``work`` may be imported.

        A worker that dies is an exception of its future, and of no other. Where workers do not see
        the folders of a sweep's unit, ``unit.parcel()`` holds the files that it reads: its ``do``
        takes the bytes of ``images()``, the same for all parcels of one ``content``, and what it
        gives back goes to ``unpack``, which returns what ``work(unit)`` would have.
        """
        ...

    def stop(self) -> None:
        """End all, whatever they do; what was done is kept, and gone on with another time."""
        ...


@_kind(
    "executor",
    "leukreg_executors",
    "has the trainings of a sweep done",
    usage="Then have a sweep done by it:\n\n    leukreg sweep SWEEP.toml --executor {name}",
)
class Executor(Protocol):
    def build(self, units: int, threads: int, folder: Path) -> Workers:
        """Workers for so many units, each of which computes with so many CPU threads.

        They see the folders of runs and data under the same paths, or are sent parcels; ``folder``
        is that of the runs, and may be left out. Raises NotAvailable where there are none, within
        ten seconds. A plugin that needs seconds to start may have ``ahead(module)``, which is
        called before a sweep is planned: a worker that has imported ``module`` has most of what
        units need.
        """
        ...


@_kind(
    "command",
    "leukreg_commands",
    "a command of the leukreg program",
    usage="Then run it:\n\n    leukreg {name}",
)
class Command(Protocol):
    """The hook itself: no class marked with ``@plugin``, no ``build``."""

    def __call__(self, cli: click.Group) -> None:
        """Add click commands to the ``leukreg`` program."""
        ...


def hookspecs() -> type:
    """The hook of every kind, as pluggy wants to see it."""
    mark = pluggy.HookspecMarker("leukreg")
    specs: dict[str, Callable[..., Any]] = {}
    for kind in KINDS.values():
        spec: Callable[..., Any] = (lambda: []) if kind.builds else (lambda cli: None)
        spec.__name__ = kind.hook
        specs[kind.hook] = mark(spec)
    return type("Hooks", (), specs)
