"""External validation: a run's models on images from elsewhere, beside the run's own figures."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leukreg.audit.rules import audit
from leukreg.data.decode import readings
from leukreg.data.groups import grouped
from leukreg.data.image_store import ImageStore, open_images
from leukreg.data.near_duplicates import ReadThumbs, searched
from leukreg.engine.inference import predictions_of
from leukreg.errors import DataError, NotAvailable
from leukreg.evaluate.bootstrap import Resampling, percentiles, resampling
from leukreg.evaluate.conformal import SetFigures
from leukreg.evaluate.patient_scores import spec_for
from leukreg.evaluate.scoring import declared, default_metric, main_ones, score, scores_of
from leukreg.predict.ensemble import Scan, together
from leukreg.predict.external_patients import (
    fixed_before,
    labelled_by_patient,
    left_out,
    patients_elsewhere,
)
from leukreg.predict.external_source import Mapped, elsewhere, map_classes
from leukreg.predict.inputs import Read
from leukreg.predict.trained_run import Trained
from leukreg.predict.training_images import exact_duplicates, near_duplicates
from leukreg.prepare import list_samples, real_counts, with_images
from leukreg.progress import SILENT, Progress
from leukreg.recipe.model import EvaluateSpec, Recipe
from leukreg.record import CopiedFiles, Digests, Drop, External, Listing, RunRecord
from leukreg.registry import Registry, installed
from leukreg.runs import RunFolder
from leukreg.runs.environment import data_digest, environment
from leukreg.runs.history import looks_of
from leukreg.seeds import derive
from leukreg.types import Predictions


def evaluate(
    trained: Trained,
    data: Path,
    mapping: Mapping[str, str] | None = None,
    source: str = "folder",
    options: Sequence[str] = (),
    leave_out_copies: bool = False,
    runs: Path = Path("runs"),
    registry: Registry | None = None,
    progress: Progress = SILENT,
) -> RunRecord:
    """Score a run's models on images from elsewhere, with everything that a run is scored with.

    The run's calibration, threshold and prediction sets are applied as they are; nothing is fitted
    on the other images. A run that answers about patients does so here, where they are known.
    ``evaluated_from`` of the record holds the original's figures, the drops with their intervals,
    and what became of classes and copies.

    Args:
        trained: The run.
        data: The folder or table of the other source.
        mapping: The other's class names to the run's; equal names need none.
        source: Name of the source plugin.
        options: Further options of it, ``KEY=VALUE`` each, such as ``patient_level=1``.
        leave_out_copies: Do not score images that are copies of training images.
        runs: Where the folder of the evaluation is made.
        registry: Where plugins are found; by default all that are installed.
        progress: Told of images done.

    Raises:
        LeukregError: In the run only patients have labels, and here these are not known.
        Problems: A mapping or an option is wrong, or no class is shared.
        DataError: There are no images, or all are copies and left out.
    """
    registry = registry or installed()
    recipe = elsewhere(trained.result, source, data, options, registry)
    samples = labelled_by_patient(trained.result, list_samples(recipe, progress))
    of = trained.result.patients
    mapped = map_classes(
        samples,
        trained.result.samples.classes,
        mapping or {},
        of.predictions.classes if of else (),
    )
    store = searched(open_images(mapped.samples, recipe.read_image, "skip", progress), progress)
    copies, unknown = _copied(trained, store, progress)
    rows = tuple(
        row
        for row, sample in enumerate(store.samples.rows)
        if not leave_out_copies or sample.id not in {**copies.exact, **copies.near}
    )
    if not rows:
        raise DataError(f"{data}: every image is a copy of a training image; none is left to score")
    origin = _origin(trained, mapped, copies, unknown, len(store) - len(rows))
    result = _result(trained, recipe, store, rows, origin, registry, runs, progress)
    return RunFolder.made(runs, recipe, result)


def _copied(trained: Trained, store: ImageStore, progress: Progress) -> tuple[CopiedFiles, str]:
    """Copies of training images, and why not all could be looked for; empty where they were."""
    first = {sample.id: row for row, sample in reversed(list(enumerate(store.samples.rows)))}
    ids = sorted(first, key=first.__getitem__)

    def named(found: Sequence[str | None]) -> dict[str, str]:
        return {own: other for own, other in zip(ids, found, strict=True) if other is not None}

    exact = exact_duplicates(trained.result, [store.facts[name].pixels for name in ids])
    try:
        images = trained.training_images(progress)
    except NotAvailable as error:
        return CopiedFiles(exact=named(exact)), str(error)
    thumbs = ReadThumbs(store.thumbs, np.array([first[name] for name in ids], dtype=np.int64))
    near = near_duplicates(images, thumbs, exact, progress)
    return CopiedFiles(exact=named(exact), near=named(near)), images.note()


def _result(
    trained: Trained,
    recipe: Recipe,
    store: ImageStore,
    rows: tuple[int, ...],
    origin: External,
    registry: Registry,
    runs: Path,
    progress: Progress,
) -> RunRecord:
    """The record of an evaluation: nothing was split, and nothing trained."""
    record = with_images(
        RunRecord(
            name=recipe.name,
            recipe=recipe.resolved,
            notices=tuple(
                replace(notice, what=f"{notice.what} of {trained.result.name}")
                for notice in trained.result.notices
            ),
            environment=environment(),
            digests=Digests(data=data_digest(store.samples, store.digests)),
            broken_plugins=tuple(registry.faults()),
            listing=Listing(
                listed=real_counts(store.samples),
                passed_over=store.samples.passed,
                assumed_of_list=store.samples.assumed,
                readings=readings(store.facts.values()),
            ),
        ),
        store,
    )
    seen = scanned(trained, store, rows, progress)
    answers = predicted(trained, store, rows, seen)
    answers = grouped(answers, record.samples.rows, record.pixels, record.near_duplicates)
    record = scored(trained, recipe, answers, registry, progress, record)
    origin, own, weak = left_out(trained.result, store.samples, origin), None, store.samples.weak
    if trained.result.patients is not None and not origin.patients_unknown:
        own = patients_elsewhere(trained, recipe, record, rows, seen, registry, progress)
        changes, how = drops(
            trained.result.patients.predictions, own.predictions, recipe.evaluate, recipe.seed,
            registry,
        )  # fmt: skip
        origin = replace(origin, patient_drops=changes, patient_how=how)
    if not weak:
        changes, how = drops(
            trained.result.predictions, record.predictions, recipe.evaluate, recipe.seed, registry
        )
        origin = replace(origin, drops=changes, how=how)
    record = replace(
        record,
        scores=() if own and weak else record.scores,  # a cell of other looks is not wrong
        patients=own,
        earlier=looks_of(record, runs),
        evaluated_from=origin,
    )
    return replace(record, findings=audit(record, recipe.audit, registry))


def _origin(
    trained: Trained, mapped: Mapped, copies: CopiedFiles, unknown: str, left_out: int
) -> External:
    """What is kept of the original and of what became of the other source's images."""
    result = trained.result
    return External(
        run=result.name,
        folder=str(result.folder.absolute()),
        folds=len(result.folds),
        images=len(result.predictions),
        scores=result.scores,
        taken=mapped.taken,
        unmapped=mapped.unmapped,
        missing=mapped.missing,
        broken=len(mapped.samples.broken),
        copies=copies,
        copies_unknown=unknown,
        copies_left_out=left_out,
    )


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
        digest = self.store.facts[self.store.samples.rows[self.row].id].pixels
        return Read(self.store.pixels([self.row]).tobytes(), digest)


def scanned(
    trained: Trained, store: ImageStore, rows: Sequence[int], progress: Progress = SILENT
) -> Scan:
    """What the run's models make of these rows of a store."""
    seen = trained.scan([Stored(store, row) for row in rows], progress)
    for reading in seen.readings:  # what preprocessing could not work on
        progress.say(f"! {reading}")
    return seen


def predicted(trained: Trained, store: ImageStore, rows: Sequence[int], seen: Scan) -> Predictions:
    """These rows of a store as the run's models see them together, not yet decided."""
    joined = together(seen, trained.result)
    found = predictions_of(
        store.samples,
        rows,
        trained.result.samples.classes,
        0,
        joined.probabilities,
        joined.uncertainty,
        joined.mutual_information,
    )
    return replace(found, sets=joined.sets)


def scored(
    trained: Trained,
    recipe: Recipe,
    predictions: Predictions,
    registry: Registry,
    progress: Progress,
    record: RunRecord,
) -> RunRecord:
    """The figures; nothing is fitted on these rows."""
    spec, seed = spec_for(recipe.evaluate, predictions.classes), recipe.seed
    found = score(predictions, None, spec, seed, registry, progress, record)
    kept = replace(found.predictions, sets=predictions.sets)
    scores = fixed_before(found.scores, trained.result)
    if predictions.sets is not None:
        count = recipe.evaluate.bootstrap
        scores += scores_of([("conformal", SetFigures())], kept, count, seed, progress)
    return replace(found, predictions=kept, scores=scores)


Key = tuple[str, str | None]
Draws = Mapping[Key, NDArray[np.float64]]


def drops(
    original: Predictions,
    here: Predictions,
    spec: EvaluateSpec,
    seed: int,
    registry: Registry,
) -> tuple[tuple[Drop, ...], str]:
    """The figures of both sides with the drop, and how its interval was made.

    Only rows of classes that both have are compared, and means over the classes (such as the
    balanced accuracy) are of these classes. The two sides are resampled independently of each
    other, each by patient where its patients are known.
    """
    shared = sorted(set(original.label.tolist()) & set(here.label.tolist()))
    sides = [rows.take(np.flatnonzero(np.isin(rows.label, shared))) for rows in (original, here)]
    names = [here.classes[index] for index in shared]
    known = declared(registry)
    means = {one.name: one.mean_of for one in main_ones(known) if one.mean_of is not None}
    # Every metric that resamples fast, whatever the recipe names.
    metrics: list[Any] = [default_metric(name, registry) for name in registry.names("metric")]
    metrics = [metric for metric in metrics if callable(getattr(metric, "resampled", None))]

    def figures(rows: Predictions, weights: NDArray[np.float64]) -> Draws:
        found: dict[Key, NDArray[np.float64]] = {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for metric in metrics:
                with suppress(Exception):  # a stranger's may raise anything; the scores say so
                    found |= metric.resampled(rows, weights)
        for name, single in means.items():
            parts = [found[single, label] for label in names if (single, label) in found]
            if parts:
                found[name, None] = np.mean(parts, axis=0)
        return found

    def resampled(rows: Predictions, plan: Resampling) -> Draws:
        parts = [figures(rows, weights) for weights in plan.weights()]
        return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}

    values = [figures(rows, np.ones((len(rows), 1))) for rows in sides]
    first, second = (
        resampling(rows, spec.bootstrap, derive(seed, "drop", side))
        for side, rows in enumerate(sides)
    )
    draws: list[Draws] = [{}, {}]
    how = "no interval: fewer than two rows or patients on a side, or none was asked for"
    if first and second:
        draws = [resampled(sides[0], first), resampled(sides[1], second)]
        how = f"{first.says()} of the original and {second.of} here, independently"
    whole = [one for one in main_ones(known) if one.higher_is_better is not None]
    keys: list[Key] = [(one.name, None) for one in whole]
    keys += [(one.mean_of, name) for one in whole if one.headline and one.mean_of for name in names]
    return tuple(_drop(key, values, draws) for key in keys if key in values[0]), how


def _drop(key: Key, values: Sequence[Draws], draws: Sequence[Draws]) -> Drop:
    one, two = (float(side[key][0]) for side in values)
    bounds = None
    if all(key in side for side in draws):
        bounds = percentiles(draws[0][key] - draws[1][key])
    defined = np.isfinite(one) and np.isfinite(two)
    return Drop(
        name=key[0],
        label=key[1],
        original=one if np.isfinite(one) else None,
        here=two if np.isfinite(two) else None,
        drop=one - two if defined else None,
        low=bounds[0] if bounds and defined else None,
        high=bounds[1] if bounds and defined else None,
    )
