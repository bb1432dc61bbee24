"""A run's models on opened images: predictions with the run's calibration, threshold and sets."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from leukreg.data.image_store import ImageStore
from leukreg.evaluate import Scored, score
from leukreg.evaluate.bootstrap import Measured, resampling, with_intervals
from leukreg.evaluate.conformal import SetFigures
from leukreg.predict.ensemble import together
from leukreg.predict.inputs import Read
from leukreg.predict.trained import Trained
from leukreg.progress import SILENT, Progress
from leukreg.recipe.model import Recipe
from leukreg.registry import Registry
from leukreg.types import Predictions, Score


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """One row of an opened store, read as a picture."""

    store: ImageStore
    row: int

    @property
    def name(self) -> str:
        return self.store.samples.rows[self.row].path

    def read(self, size: int, marks: bool = True) -> Read:
        """The image as the store has it, at the store's own size."""
        digest = self.store.digests[self.store.samples.rows[self.row].id]
        return Read(self.store.pixels([self.row]).tobytes(), digest)


def predicted(
    trained: Trained, store: ImageStore, rows: Sequence[int], progress: Progress = SILENT
) -> Predictions:
    """These rows of a store as the run's models see them together, not yet decided."""
    seen = trained.scan([Stored(store, row) for row in rows], progress)
    joined = together(seen, trained.result)
    samples = [store.samples.rows[row] for row in rows]
    classes = trained.result.samples.classes
    return Predictions(
        classes=classes,
        row=np.array(rows, dtype=np.int64),
        id=tuple(sample.id for sample in samples),
        path=tuple(sample.path for sample in samples),
        patient=tuple(sample.patient for sample in samples),
        origin=tuple(sample.origin for sample in samples),
        fold=np.zeros(len(rows), dtype=np.int64),
        label=np.array([classes.index(sample.label) for sample in samples], dtype=np.int64),
        probabilities=joined.probabilities,
        uncertainty=joined.uncertainty,
        mutual_information=joined.mutual_information,
        sets=joined.sets,
    )


def scored(
    trained: Trained,
    recipe: Recipe,
    predictions: Predictions,
    registry: Registry,
    progress: Progress = SILENT,
) -> Scored:
    """The figures; nothing is fitted on these rows."""
    found = score(predictions, None, recipe.evaluate, recipe.seed, registry, progress)
    kept = replace(found.predictions, sets=predictions.sets)
    scores = tuple(_said(one, trained.result.name) for one in found.scores)
    if predictions.sets is not None:
        scores += _set_scores(kept, recipe, progress)
    return replace(found, predictions=kept, scores=scores)


def _said(one: Score, run: str) -> Score:
    return replace(one, why=f"of {run}, fixed before") if one.name == "threshold" else one


def _set_scores(predictions: Predictions, recipe: Recipe, progress: Progress) -> tuple[Score, ...]:
    metric = SetFigures()
    plain = tuple(metric.build(predictions))
    draws = resampling(predictions, recipe.evaluate.bootstrap, recipe.seed)
    if draws is None:
        return plain
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        measured = [Measured("conformal", metric, plain)]
        return with_intervals(measured, predictions, draws, progress)
