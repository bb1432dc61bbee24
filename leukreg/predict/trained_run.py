"""A trained run, ready to predict: ``leukreg.load(run).predict(images)``."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from leukreg.choices import positive_of
from leukreg.engine.bags import reads_features
from leukreg.engine.trained_backbone import trained_backbone
from leukreg.errors import DataError, NotAvailable, Problem, Problems
from leukreg.predict.ensemble import FoldModel, Scan, load_models, model_paths, scan, together
from leukreg.predict.inputs import Given, ImagesLike, Readable, given_images, read_batches
from leukreg.predict.out_of_distribution import (
    TrainingFeatures,
    kept_features,
    limit_note,
    measure_features,
)
from leukreg.predict.patient_answers import (
    answer_patients,
    load_aggregators,
    require_patients,
)
from leukreg.predict.prediction_table import Predicted
from leukreg.predict.training_images import (
    TrainingImages,
    exact_duplicates,
    near_duplicates,
    open_training_images,
)
from leukreg.progress import SILENT, Progress
from leukreg.recipe import rebuild
from leukreg.recipe.model import Recipe
from leukreg.record import RunRecord
from leukreg.runs import find, read
from leukreg.text import middle_cut

if TYPE_CHECKING:
    import pandas as pd

    from leukreg.engine.bags import FoldAggregator

LINE = 79
"""Characters of a line."""


def load(run: str | Path, runs: str | Path = "runs") -> Trained:
    """A finished run with its trained models, ready to predict.

    Args:
        run: Its folder, its name, a unique beginning of its name, or "last" (not counting those of
            ``leukreg evaluate``, which have no models).
        runs: The folder that holds the runs, where ``run`` is no folder itself.

    Raises:
        RunError: There is no such run, it is unfinished or damaged, or its models are gone.
        Problems: A plugin of its recipe is no longer installed.
    """
    result = read(find(str(run), Path(runs), with_models=True))
    model_paths(result)
    return Trained(result, rebuild(result.recipe, result.folder / "recipe.json"))


@dataclass(eq=False)
class Trained:
    """The models of a finished run; with k folds they predict together, as the mean of them.

    Images are paths, Pillow images or uint8 RGB arrays ``(n, h, w, 3)``. They are decoded, turned
    upright and resized by the very functions that training used; the model normalises them itself.
    MC dropout is as in the recipe, and the same images in the same order give the same figures.
    """

    result: RunRecord
    """The run as its folder has it."""
    recipe: Recipe
    _images: TrainingImages | None = field(default=None, init=False)
    _features: tuple[TrainingFeatures, ...] | None = field(default=None, init=False)

    backbone = staticmethod(trained_backbone)

    def __repr__(self) -> str:
        """One line: run, classes, folds, backbone."""
        backbone = middle_cut(self.recipe.model.backbone.name, 20)
        folds = f"{len(self.result.folds)} fold{'s' * (len(self.result.folds) != 1)}"
        head, tail = f"Trained({middle_cut(self.result.name, 34)}", f"{folds}, {backbone})"
        names = self.result.samples.classes
        classes = ", ".join(middle_cut(name, 20) for name in names)
        if len(f"{head}: {classes}; {tail}") > LINE:
            classes = f"{len(names)} classes"
        return f"{head}: {classes}; {tail}"

    @property
    def classes_(self) -> NDArray[np.str_]:
        """Class names in the order of the columns of :meth:`predict_proba`."""
        return np.array(self.result.samples.classes)

    @functools.cached_property
    def models(self) -> tuple[FoldModel, ...]:
        """One model per fold, loaded when they are first needed."""
        return load_models(self.result, self.recipe)

    @functools.cached_property
    def aggregators(self) -> tuple[FoldAggregator, ...]:
        """One aggregator per fold, loaded when they are first needed."""
        return load_aggregators(self.result, self.recipe)

    @property
    def positive(self) -> int:
        """Index of the class that the threshold is for."""
        classes = self.result.samples.classes
        found = positive_of(classes, self.recipe.evaluate.positive)
        return 1 if found is None else classes.index(found.name)

    def predict(self, images: ImagesLike, progress: Progress = SILENT) -> NDArray[np.str_]:
        """The class of each image, shape ``(n,)``, the run's threshold applied.

        Raises:
            Problems: Images that cannot be read, all of them (:meth:`predict_table` goes on).
        """
        probabilities = self.predict_proba(images, progress)
        return np.asarray(self.classes_[self.decide(probabilities)])

    def predict_proba(self, images: ImagesLike, progress: Progress = SILENT) -> NDArray[np.float64]:
        """Class probabilities, shape ``(n, k)``, in the order of ``classes_``.

        Raises:
            Problems: Images that cannot be read, all of them.
        """
        return together(self._readable(images, progress), self.result).probabilities

    def score(self, images: ImagesLike, labels: Sequence[str]) -> float:
        """Accuracy: the share of images that are answered with their label.

        Raises:
            DataError: There are not as many labels as images.
            Problems: Images that cannot be read, all of them.
        """
        answers = self.predict(images)
        if len(answers) != len(labels):
            raise DataError(f"there are {len(answers)} images and {len(labels)} labels")
        if not len(answers):
            raise DataError("there are no images to score")
        return float(np.mean(answers == np.asarray(labels, dtype=str)))

    def features(self, images: ImagesLike, progress: Progress = SILENT) -> NDArray[np.float32]:
        """The pooled feature map that the head is given, shape ``(n, channels)``.

        The features of k folds stand side by side, ``(n, k * channels)``.

        Raises:
            Problems: Images that cannot be read, all of them.
        """
        folds = self._readable(images, progress, features=True).folds
        return np.concatenate([one.features for one in folds if one.features is not None], axis=1)

    def predict_patients(
        self, images: ImagesLike, patients: Sequence[str], progress: Progress = SILENT
    ) -> pd.DataFrame:
        """Answers about patients, a row each, as :meth:`predict_table` has them of images.

        Args:
            images: The cells of all patients.
            patients: The id of each image's patient, in the order of the images.
            progress: Told of images done.

        Raises:
            LeukregError: The run makes no answers about patients, or an image has no patient.
        """
        found = self.assess(images, flags=False, progress=progress, patients=patients).of_patients
        assert found is not None
        frame = found.frame()
        return frame.rename(columns={"image": "patient"})

    def predict_table(
        self, images: ImagesLike, flags: bool = True, progress: Progress = SILENT
    ) -> pd.DataFrame:
        """Everything there is to say of each image, as a table with a row per image.

        ``leukreg predict --csv`` writes the same columns (see :meth:`Predicted.frame`). Images that
        cannot be read have a row too, with the reason.

        Args:
            images: The images.
            flags: Look for images far from the training data and for copies (see :meth:`assess`).
            progress: Told of images done.
        """
        return self.assess(images, flags, progress).frame()

    def assess(
        self,
        images: ImagesLike,
        flags: bool = True,
        progress: Progress = SILENT,
        patients: Sequence[str] | None = None,
    ) -> Predicted:
        """What :meth:`predict_table` gives, as arrays.

        Args:
            images: The images.
            flags: Look for images far from the training data and for copies of training images. The
                first time, this looks at the run's own images, and keeps what it needs in the run
                folder; where they are gone, a note says which flags cannot be given.
            progress: Told of images done.
            patients: The id of each image's patient, where answers about patients are wanted too.
        """
        given = given_images(images)
        if patients is not None:
            require_patients(self.result)
        marks = flags or self.result.fitted.conformal is not None
        reference = self.training_features(progress) if flags else None
        seen = self.scan(given, progress, marks=marks, reference=reference or ())
        joined = together(seen, self.result)
        known = self._flags(seen, reference, progress) if flags else {}
        if patients is not None:
            known["patient"] = tuple(patients)
            known["of_patients"], known["weight"] = answer_patients(
                self.result, self.recipe, self.aggregators, seen, patients
            )
        threshold = self.result.threshold
        spec = self.recipe.evaluate
        several = len(self.models) > 1 or bool(spec.mc_dropout or spec.tta)  # opinions on an image
        decision = np.full(len(given), -1, dtype=np.int64)
        there = np.array([reason is None for reason in seen.unreadable], dtype=bool)
        decision[there] = self.decide(joined.probabilities[there])
        return Predicted(
            classes=self.result.samples.classes,
            name=tuple(one.name for one in given),
            unreadable=seen.unreadable,
            probabilities=joined.probabilities,
            uncertainty=joined.uncertainty,
            mutual_information=joined.mutual_information if several else None,
            decision=decision,
            threshold=threshold,
            positive=None if threshold is None else self.classes_[self.positive].item(),
            sets=joined.sets,
            coverage=joined.coverage,
            readings=seen.readings,
            **known,
        )

    def decide(self, probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
        """The class answered for each row of probabilities, by index, threshold applied."""
        threshold = self.result.threshold
        if threshold is None:
            return np.asarray(probabilities.argmax(axis=1), dtype=np.int64)
        is_positive = probabilities[:, self.positive] >= threshold
        return np.where(is_positive, self.positive, 1 - self.positive)

    def scan(
        self,
        given: Sequence[Readable],
        progress: Progress = SILENT,
        dropout: bool = True,
        marks: bool = True,
        features: bool = False,
        reference: Sequence[TrainingFeatures] = (),
    ) -> Scan:
        """One pass over the images (see :func:`leukreg.predict.ensemble.scan`).

        Features are kept where the recipe's aggregator reads them, too.
        """
        k, away = len(self.classes_), [known.distance for known in reference]
        features = features or (self.recipe.patients is not None and reads_features(self.recipe))
        return scan(self.models, self.recipe, k, given, progress, dropout, marks, features, away)

    def seen(self, images: ImagesLike) -> NDArray[np.uint8]:
        """The images as the first fold's model sees them, shape ``(n, size, size, 3)``, RGB.

        Raises:
            Problems: Images that cannot be read, all of them.
        """
        size, change = self.recipe.read_image.size, self.models[0].model.preprocessing.change
        given = given_images(images)
        unreadable: list[str | None] = [None] * len(given)
        batches = read_batches(given, size, self.recipe.training.batch_size, unreadable, False)
        found = [change(batch.pixels(size)) for batch in batches]
        self._require_readable(given, unreadable)
        side = self.recipe.image.size
        return np.concatenate([np.empty((0, side, side, 3), np.uint8), *found])

    def training_images(self, progress: Progress = SILENT) -> TrainingImages:
        """The run's training and validation images, opened once.

        Raises:
            NotAvailable: They are no longer there.
        """
        if self._images is None:
            self._images = open_training_images(self.result, self.recipe, progress)
        return self._images

    def training_features(self, progress: Progress = SILENT) -> tuple[TrainingFeatures, ...] | None:
        """What new images are held against: kept from an earlier call, or seen now.

        None where neither can be had.
        """
        if self._features is None:
            self._features = kept_features(self.result, progress)
        if self._features is None:
            with suppress(NotAvailable):
                images = self.training_images(progress)
                self._features = measure_features(
                    self.result, self.recipe, self.models, images, progress
                )
        return self._features

    def _readable(self, images: ImagesLike, progress: Progress, features: bool = False) -> Scan:
        given = given_images(images)
        seen = self.scan(given, progress, marks=False, features=features)
        self._require_readable(given, seen.unreadable)
        return seen

    def _require_readable(self, given: Sequence[Given], reasons: Sequence[str | None]) -> None:
        found = zip(given, reasons, strict=True)
        problems = [Problem(reason, one.name) for one, reason in found if reason is not None]
        if problems:
            raise Problems(problems, closing="predict_table() predicts the others.")

    def _flags(
        self, seen: Scan, reference: tuple[TrainingFeatures, ...] | None, progress: Progress
    ) -> dict[str, Any]:
        """What stands against believing a prediction, as fields of :class:`Predicted`.

        Far from the training data, or a copy of it; and notes on what cannot be told.
        """
        exact = exact_duplicates(self.result, seen.digests)
        found: dict[str, Any] = {"copy_of": exact}
        notes: list[str] = []
        try:
            images = self.training_images(progress)
            notes += [images.note()] if images.note() else []
            found["near_copy_of"] = near_duplicates(images, seen.thumbs, exact, progress)
        except NotAvailable as error:
            notes.append(f"near duplicates of training images cannot be told: {error}")
        if reference is None:
            notes.append(
                "images far from the training data cannot be told: too few of the run's images "
                "are still there, and no earlier call has looked at them"
            )
        else:
            found["distance"] = np.mean([one.distance for one in seen.folds], axis=0)  # type: ignore[arg-type]
            notes.append(limit_note(reference))
        return found | {"notes": tuple(notes)}
