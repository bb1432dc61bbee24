"""A trained run, ready to predict: ``leukreg.load(run).predict(images)``."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from leukreg.errors import DataError, NotAvailable, Problem, Problems
from leukreg.positive import positive_of
from leukreg.predict.inputs import ImagesLike, Readable, given_images
from leukreg.predict.prediction_table import Predicted
from leukreg.progress import SILENT, Progress
from leukreg.text import middle_cut

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from leukreg.predict.ensemble import FoldModel, Scan
    from leukreg.predict.out_of_distribution import Reference
    from leukreg.predict.training_images import TrainingImages
    from leukreg.recipe.model import Recipe
    from leukreg.record import RunRecord


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
    from leukreg.predict.ensemble import model_paths
    from leukreg.recipe import rebuild
    from leukreg.runs import find, read

    result = read(find(str(run), Path(runs), with_models=True))
    model_paths(result)
    return Trained(result, rebuild(result.recipe, result.folder / "recipe.json"))


@dataclass(frozen=True, eq=False)
class Trained:
    """The models of a finished run; with k folds they predict together, as the mean of them.

    Images are paths, Pillow images or uint8 RGB arrays ``(n, h, w, 3)``. They are decoded, turned
    upright and resized by the very functions that training used; the model normalises them itself.
    MC dropout is as in the recipe, and the same images in the same order give the same figures.
    """

    result: RunRecord
    """The run as its folder has it."""
    recipe: Recipe

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
        from leukreg.predict.ensemble import load_models

        return load_models(self.result, self.recipe)

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
        from leukreg.predict.ensemble import together

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
        folds = self._readable(images, progress).folds
        return np.concatenate([one.features for one in folds], axis=1)

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
        self, images: ImagesLike, flags: bool = True, progress: Progress = SILENT
    ) -> Predicted:
        """What :meth:`predict_table` gives, as arrays.

        Args:
            images: The images.
            flags: Look for images far from the training data and for copies of training images. The
                first time, this looks at the run's own images, and keeps what it needs in the run
                folder; where they are gone, a note says which flags cannot be given.
            progress: Told of images done.
        """
        from leukreg.predict.ensemble import together

        given = given_images(images)
        marks = flags or self.result.fitted.conformal is not None
        seen = self.scan(given, progress, marks=marks)
        joined = together(seen, self.result)
        known = self._flags(seen, progress) if flags else {}
        threshold = self.result.threshold
        decision = np.full(len(given), -1, dtype=np.int64)
        there = np.array([reason is None for reason in seen.unreadable], dtype=bool)
        decision[there] = self.decide(joined.probabilities[there])
        return Predicted(
            classes=self.result.samples.classes,
            name=tuple(one.name for one in given),
            unreadable=seen.unreadable,
            probabilities=joined.probabilities,
            uncertainty=joined.uncertainty,
            mutual_information=joined.mutual_information if self._several else None,
            decision=decision,
            threshold=threshold,
            positive=None if threshold is None else self.classes_[self.positive].item(),
            sets=joined.sets,
            coverage=joined.coverage,
            readings=seen.readings,
            **known,  # type: ignore[arg-type]
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
    ) -> Scan:
        """One pass over the images (see :func:`leukreg.predict.ensemble.scan`)."""
        from leukreg.predict.ensemble import scan

        k = len(self.classes_)
        return scan(self.models, self.recipe, k, given, progress, dropout, marks)

    def own_images(self, progress: Progress = SILENT) -> TrainingImages:
        """The run's training and validation images, opened once.

        Raises:
            NotAvailable: They are no longer there.
        """
        if "_own" not in vars(self):
            from leukreg.predict.training_images import open_training_images

            try:
                vars(self)["_own"] = open_training_images(self.result, self.recipe, progress)
            except NotAvailable as error:
                vars(self)["_own"] = error
        own: TrainingImages | NotAvailable = vars(self)["_own"]
        if isinstance(own, NotAvailable):
            raise own
        return own

    @property
    def _several(self) -> bool:
        """Whether there is more than one opinion on an image."""
        spec = self.recipe.evaluate
        return len(self.models) > 1 or bool(spec.mc_dropout or spec.tta)

    def reference(self, progress: Progress = SILENT) -> Reference | None:
        """What new images are held against: kept from an earlier call, or seen now.

        None where neither can be had.
        """
        from leukreg.predict.out_of_distribution import kept_reference, make_reference

        if "_reference" not in vars(self):
            found = kept_reference(self.result, progress)
            if found is None:
                try:
                    own = self.own_images(progress)
                except NotAvailable:
                    return None
                found = make_reference(self.result, self.recipe, self.models, own, progress)
            vars(self)["_reference"] = found
        reference: Reference = vars(self)["_reference"]
        return reference

    def _readable(self, images: ImagesLike, progress: Progress) -> Scan:
        given = given_images(images)
        seen = self.scan(given, progress, marks=False)
        problems = [
            Problem(reason, one.name)
            for one, reason in zip(given, seen.unreadable, strict=True)
            if reason is not None
        ]
        if problems:
            raise Problems(problems, closing="predict_table() predicts the others.")
        return seen

    def _flags(self, seen: Scan, progress: Progress) -> dict[str, object]:
        from leukreg.predict.out_of_distribution import flags

        return flags(self, seen, progress)
