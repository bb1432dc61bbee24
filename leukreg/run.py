"""The line: recipe -> samples -> folds -> synthesis -> training -> predictions -> audit.

Nothing flows backwards. Every fold leaves its predictions in the run folder before the next one
begins, so a run that was killed goes on where it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leukreg.errors import RunError
from leukreg.facts import facts_of
from leukreg.prepare import Prepared, labels_of, prepare
from leukreg.progress import SILENT, Progress
from leukreg.types import EpochLog, Fold, Labels, Notice, PhaseLog, Predictions, RunResult

if TYPE_CHECKING:
    from leukreg.data.image_store import ImageStore
    from leukreg.recipe.model import Recipe
    from leukreg.registry import Registry
    from leukreg.runs import RunFolder


@dataclass(frozen=True, slots=True)
class FoldResult:
    """What one fold came to."""

    predictions: Predictions
    validation: Predictions | None
    epochs: tuple[EpochLog, ...]
    phases: tuple[PhaseLog, ...]
    facts: Mapping[str, Any]
    fidelity: tuple[Mapping[str, Any], ...] = ()
    """What the gate measured of the fold's synthetic images."""


def run(
    recipe: Recipe,
    registry: Registry,
    folder: RunFolder,
    notices: tuple[Notice, ...] = (),
    progress: Progress = SILENT,
) -> RunResult:
    """Carry out a settled recipe in ``folder``, or go on with one that was killed.

    Args:
        recipe: Checked, its fallbacks taken (see :func:`leukreg.recipe.take_fallbacks`).
        notices: The fallbacks that were taken.

    Raises:
        Problems: The data do not allow what the recipe asks for.
        RunError: The data have changed since the run began.
        TrainingError: Training could not go on.
    """
    from leukreg.evaluate.feasibility import refuse_too_few

    data = prepare(recipe, folder.file("synthetic"), progress)
    refuse_too_few(recipe, data.images, data.folds)
    refuse_changed(folder, data.images)
    folder.keep_data(data.images, data.folds)
    if recipe.synthesis is not None and recipe.synthesis.place == "training-fold":
        from leukreg.engine.rehearsal import rehearse
        from leukreg.synthesis import check_folds

        samples, seed = data.images.samples, recipe.seed
        # A generator may learn for hours; what comes after it must not fail at its first batch.
        rehearse(recipe, labels_of(recipe, samples, ()), samples)
        check_folds(data.images, data.folds, recipe.synthesis, recipe.image, seed, progress)
    results = []
    for fold in data.folds:
        data, result = run_fold(recipe, data, fold, folder, progress)
        results.append(result)
        folder.keep_data(data.images, data.folds)
        folder.checkpoint_time()
    return conclude(recipe, registry, folder, notices, data, results, progress)


def run_fold(
    recipe: Recipe, data: Prepared, fold: Fold, folder: RunFolder, progress: Progress = SILENT
) -> tuple[Prepared, FoldResult]:
    """Synthesise into, train and predict one fold.

    The data come back with the fold's synthetic rows appended, so that row numbers stay unique.
    """
    from leukreg.engine.training import train_fold

    spec, images = recipe.synthesis, data.images
    fidelity: tuple[Mapping[str, Any], ...] = ()
    if spec is not None and spec.place == "training-fold":
        from leukreg.synthesis import into_fold

        made = folder.file("synthetic")
        placed = into_fold(images, fold, spec, recipe.image, recipe.seed, made, progress)
        images, fold, fidelity = placed.images, placed.fold or fold, placed.figures
        data = replace(data, images=images, folds=_replaced(data.folds, fold))
    if spec is not None:
        from leukreg.synthesis import hold

        hold(folder.file("synthetic"), fold.index)
    labels = labels_of(recipe, images.samples, fold.train)
    place = folder.file(f"fold-{fold.index}")
    _say_lost(folder, place, progress)
    outcome = train_fold(recipe, labels, images, fold, place, progress)

    def scored(name: str, rows: Sequence[int]) -> Predictions:
        return _predicted(
            recipe, labels, outcome.model_path, images, rows, fold.index, name, folder, progress
        )

    everything = (*fold.train, *fold.validation, *fold.test)
    rows = sorted(set(everything)) if recipe.evaluate.on == "all" else fold.test
    predictions = scored("predictions.csv", rows)
    validation = scored("validation.csv", fold.validation) if fold.validation else None
    result = FoldResult(
        predictions, validation, outcome.epochs, outcome.phases, outcome.facts, fidelity
    )
    return data, result


def _say_lost(folder: RunFolder, place: Path, progress: Progress) -> None:
    """A fold that had begun is not trained anew without a word; its old predictions go."""
    from leukreg.engine.checkpoints import lost

    name = lost(place)
    if name is None:
        return
    for table in ("predictions.csv", "validation.csv"):  # another model's, where it is not a CPU's
        (place / table).unlink(missing_ok=True)
    text = f"{place.name}/{name} was missing, although this fold had begun: it is trained anew."
    folder.mend(text)
    progress.say(f"! {text}")


def _replaced(folds: tuple[Fold, ...], changed: Fold) -> tuple[Fold, ...]:
    return tuple(changed if fold.index == changed.index else fold for fold in folds)


def _predicted(
    recipe: Recipe,
    labels: Labels,
    model: Path,
    images: ImageStore,
    rows: Sequence[int],
    fold: int,
    name: str,
    folder: RunFolder,
    progress: Progress,
) -> Predictions:
    """Predictions of a fold, read back where an earlier stretch of the run made them."""
    from leukreg.engine.inference import predict_rows
    from leukreg.runs.predictions import read_predictions, write_predictions

    path = model.parent / name
    if path.exists():
        try:
            return read_predictions(path)
        except RunError:
            file = path.relative_to(folder.path)
            folder.mend(f"{file} was damaged, and is made again from model.pt.")
    predictions = predict_rows(recipe, labels, model, images, rows, fold, progress)
    write_predictions(path, predictions)
    return predictions


def refuse_changed(folder: RunFolder, images: ImageStore) -> None:
    """A resumed run goes on with the data it began with, or not at all.

    Raises:
        RunError: The data have changed.
    """
    from leukreg.runs import data_digest

    if not folder.has("digests.json"):
        return
    try:
        kept = folder.read_json("digests.json")
    except RunError:  # every trained fold is held against its images all the same
        folder.file("digests.json").unlink()
        folder.mend("digests.json was damaged: it tells of the resumed stretch.")
        return
    if kept.get("data") not in (None, data_digest(images.samples, images.digests)):
        raise RunError(
            f"{folder.path}: the data have changed since this run began; start a new run"
        )


def conclude(
    recipe: Recipe,
    registry: Registry,
    folder: RunFolder,
    notices: tuple[Notice, ...],
    data: Prepared,
    results: Sequence[FoldResult],
    progress: Progress = SILENT,
) -> RunResult:
    """Score and audit the folds' predictions, and keep everything."""
    from leukreg.audit import audit, evidence_of
    from leukreg.data.groups import grouped
    from leukreg.data.near_duplicates import searched
    from leukreg.evaluate.scoring import score

    # Folds have appended the images that were made for them.
    images = data.images if recipe.synthesis is None else searched(data.images, progress)
    rows, pixels, twins = images.samples.rows, images.digests, images.near_duplicates
    predictions = grouped(
        Predictions.joined([one.predictions for one in results]), rows, pixels, twins
    )
    watched = [result.validation for result in results if result.validation is not None]
    validation = grouped(Predictions.joined(watched), rows, pixels, twins) if watched else None
    scored = score(predictions, validation, recipe.evaluate, recipe.seed, registry, progress)
    result = RunResult(
        folder=folder.path,
        name=folder.name,
        recipe=recipe.resolved,
        samples=images.samples,
        folds=data.folds,
        epochs=tuple(epoch for result in results for epoch in result.epochs),
        phases=tuple(phase for result in results for phase in result.phases),
        notices=notices,
        predictions=scored.predictions,
        validation=scored.validation,
        scores=scored.scores,
        confusion=scored.confusion,
        threshold=scored.threshold,
        threshold_from=scored.threshold_from,
        findings=(),
        environment=folder.read_json("environment.json"),
        facts=facts_of(
            recipe,
            folder.path,
            data,
            scored.predictions,
            [result.facts for result in results],
            (*data.fidelity, *(table for result in results for table in result.fidelity)),
        )
        | dict(scored.facts)
        | {"broken_plugins": list(registry.faults())}
        | _mended(folder),
        seconds=folder.seconds,
        pixels=pixels,
        twins=twins,
        statistics=images.statistics,
    )
    findings = audit(evidence_of(result), recipe.audit, registry)
    return folder.keep(replace(result, findings=findings))


def _mended(folder: RunFolder) -> dict[str, Any]:
    """What was damaged when the run was resumed, for the report."""
    mended = folder.status().mended
    return {"mended": list(mended)} if mended else {}
