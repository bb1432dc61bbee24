"""The line: recipe -> samples -> folds -> synthesis -> training -> predictions -> audit.

Nothing flows backwards. Every fold leaves its predictions in the run folder before the next one
begins, so a run that was killed goes on where it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from leukreg.errors import RunError
from leukreg.prepare import labels_of, prepare, with_images
from leukreg.progress import SILENT, Progress
from leukreg.record import Digests, Environment, FoldTraining, RunRecord, Synthesis, Training
from leukreg.runs.codec import checked, parse
from leukreg.types import Fold, Labels, Notice, Predictions

if TYPE_CHECKING:
    from leukreg.data.image_store import ImageStore
    from leukreg.recipe.model import Recipe
    from leukreg.registry import Registry
    from leukreg.runs import RunFolder


@dataclass(frozen=True, slots=True)
class FoldPredictions:
    """What the model of one fold says of its rows."""

    scored: Predictions
    validation: Predictions | None


def carry_out(
    recipe: Recipe,
    registry: Registry,
    folder: RunFolder,
    notices: tuple[Notice, ...] = (),
    progress: Progress = SILENT,
) -> RunRecord:
    """Carry out a settled recipe in ``folder``, or go on with one that was killed.

    Args:
        recipe: Checked, its fallbacks taken (see :func:`leukreg.recipe.take_fallbacks`).
        notices: The fallbacks that were taken.

    Raises:
        Problems: The data do not allow what the recipe asks for.
        RunError: The data have changed since the run began.
        TrainingError: Training could not go on.
    """
    from leukreg.data.near_duplicates import searched
    from leukreg.evaluate.feasibility import refuse_too_few

    images, record = prepare(recipe, folder.file("synthetic"), progress)
    refuse_too_few(recipe, images, record.folds)
    refuse_changed(folder, record)
    record = replace(record, folder=folder.path, name=folder.name, notices=notices)
    folder.keep_data(record)
    if recipe.synthesis is not None and recipe.synthesis.place == "training-fold":
        from leukreg.engine.rehearsal import rehearse
        from leukreg.synthesis.leakage import check

        samples = record.samples
        # A generator may learn for hours; what comes after it must not fail at its first batch.
        rehearse(recipe, labels_of(recipe, samples, ()), samples)
        check(recipe, images, record.folds, progress)
    predicted = []
    for fold in record.folds:
        images, record, fold = synthesize(recipe, images, record, fold, folder, progress)
        record, own = train_and_predict(recipe, images, record, fold, folder, progress)
        predicted.append(own)
        folder.keep_data(record)
        folder.checkpoint_time()
    if recipe.synthesis is not None:  # folds have appended the images that were made for them
        record = with_images(record, searched(images, progress))
    return conclude(recipe, registry, folder, record, predicted, progress)


def synthesize(
    recipe: Recipe,
    images: ImageStore,
    record: RunRecord,
    fold: Fold,
    folder: RunFolder,
    progress: Progress = SILENT,
) -> tuple[ImageStore, RunRecord, Fold]:
    """Synthesise into the fold.

    Its synthetic rows come back appended, so that row numbers stay unique.
    """
    from leukreg.synthesis import make

    placed = make.synthesize(recipe, images, fold, folder.file("synthetic"), progress)
    images, fold = placed.images, placed.fold or fold
    folds = tuple(fold if fold.index == one.index else one for one in record.folds)
    fidelity = (*record.synthesis.fidelity, *placed.figures)
    record = replace(record, folds=folds, synthesis=Synthesis(fidelity=fidelity))
    return images, with_images(record, images), fold


def train_and_predict(
    recipe: Recipe,
    images: ImageStore,
    record: RunRecord,
    fold: Fold,
    folder: RunFolder,
    progress: Progress = SILENT,
) -> tuple[RunRecord, FoldPredictions]:
    """Train one fold and predict its rows; the record comes back with what training did."""
    from leukreg.engine.training import train_fold

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
    measured = checked(place / "outcome.json", outcome.facts, FoldTraining)
    trained = replace(
        record,
        epochs=(*record.epochs, *outcome.epochs),
        phases=(*record.phases, *outcome.phases),
        training=Training(folds=(*record.training.folds, measured)),
    )
    return trained, FoldPredictions(predictions, validation)


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


def refuse_changed(folder: RunFolder, record: RunRecord) -> None:
    """A resumed run goes on with the data it began with, or not at all.

    Raises:
        RunError: The data have changed.
    """
    from leukreg.runs import data_digest

    path = folder.file("digests.json")
    if not path.is_file():
        return
    try:
        kept = parse(path, Digests).data
    except RunError:  # every trained fold is held against its images all the same
        path.unlink()
        folder.mend("digests.json was damaged: it tells of the resumed stretch.")
        return
    if kept not in ("", data_digest(record.samples, record.pixels)):
        raise RunError(
            f"{folder.path}: the data have changed since this run began; start a new run"
        )


def conclude(
    recipe: Recipe,
    registry: Registry,
    folder: RunFolder,
    record: RunRecord,
    predicted: Sequence[FoldPredictions],
    progress: Progress = SILENT,
) -> RunRecord:
    """Score and audit the folds' predictions, and keep everything."""
    from leukreg.audit.rules import audit
    from leukreg.data.groups import grouped
    from leukreg.evaluate.scoring import score
    from leukreg.runs.history import with_history

    def together(parts: Sequence[Predictions]) -> Predictions:
        return grouped(
            Predictions.joined(parts), record.samples.rows, record.pixels, record.near_duplicates
        )

    scored = together([one.scored for one in predicted])
    watched = [one.validation for one in predicted if one.validation is not None]
    validation = together(watched) if watched else None
    spec, seed = recipe.evaluate, recipe.seed
    found = with_history(score(scored, validation, spec, seed, registry, progress, record))
    describe = getattr(recipe.model.backbone.plugin, "describe", None)
    found = replace(
        found,
        environment=parse(folder.file("environment.json"), Environment),
        digests=Digests(weights=describe() if callable(describe) else None),
        broken_plugins=tuple(registry.faults()),
        mended=folder.status().mended,
        seconds=folder.seconds,
    )
    return folder.keep(replace(found, findings=audit(found, recipe.audit, registry)))
