"""The line: recipe -> samples -> folds -> synthesis -> training -> predictions -> audit.

Nothing flows backwards. Every fold leaves its predictions in the run folder before the next one
begins, so a run that was killed goes on where it was.
"""

from __future__ import annotations

import functools
import shlex
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from leukreg.errors import LeukregError, LostProcess, PluginError, RunError, WriteError
from leukreg.prepare import (
    OpenedData,
    data_record,
    labels_of,
    list_samples,
    open_rows,
    prepare,
    searched_again,
    with_images,
)
from leukreg.progress import SILENT, Progress
from leukreg.record import Digests, Environment, RunRecord, Synthesis, Training
from leukreg.runs.codec import parse
from leukreg.types import Fold, Labels, Notice, Predictions

if TYPE_CHECKING:
    from leukreg.data.image_store import ImageStore
    from leukreg.engine.classifier import Classifier
    from leukreg.engine.fold_job import EpochWatch
    from leukreg.engine.unfreeze import PhasePlan
    from leukreg.patient_results import FoldPatients
    from leukreg.recipe.model import Recipe
    from leukreg.registry import Registry
    from leukreg.runs import RunFolder
    from leukreg.synthesis.make import Placed


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What a recipe would do: its data read and split, its network built, nothing trained."""

    asked: Recipe
    """The recipe as it was read."""
    recipe: Recipe
    """The same with the fallbacks taken."""
    notices: tuple[Notice, ...] = ()
    """Those fallbacks."""
    record: RunRecord = field(default_factory=RunRecord)
    """What is known of the data."""
    phases: tuple[PhasePlan, ...] = ()
    """What each phase would train."""
    unmade: int = 0
    """Synthetic rows that would stand among the data before they are split, and were not made."""


def run(
    recipe: Recipe | Path | str | None = None,
    *,
    resume: Path | str | None = None,
    runs: Path | str = "runs",
    overrides: Sequence[str] = (),
    strict: bool = False,
    progress: Progress = SILENT,
) -> RunRecord:
    """Carry out a recipe in a new folder below ``runs``, or go on with a run that was stopped.

    Every mistake in the recipe is found before any work starts. A run that was killed goes on to
    the same figures as without the kill.

    Args:
        recipe: The path of a recipe, or one that was read.
        resume: In place of a recipe: a run's folder, its name, the beginning of one, or "last".
        runs: The folder of runs.
        overrides: Keys of the recipe to be replaced, ``KEY=VALUE`` each, as ``--set`` takes them.
        strict: Take no fallback, and go on with no broken plugin.
        progress: Told how far it is; by default nobody is.

    Called by every process that torchrun started, it trains on the devices of all of them; those
    after the first get back a record without figures.

    Raises:
        LeukregError: What is wrong and what to do: :class:`Problems` with the recipe or the data,
            :class:`TrainingError`, :class:`WriteError` and others.
    """
    from leukreg.engine import launcher
    from leukreg.runs import RunFolder
    from leukreg.runs.folder import shared

    if not launcher.speaks():
        progress = SILENT
    if (recipe is None) == (resume is None):
        raise LeukregError("give either a recipe or a run to resume")
    if recipe is None:
        return _resumed(str(resume), Path(runs), progress)
    with progress.task("Checking the recipe"):
        _, settled, notices = _settled(recipe, overrides, strict)
        _refuse_unready(settled)
    with shared(settled, lambda: RunFolder.create(Path(runs), settled, notices)) as folder:
        return _announced(settled, folder, notices, progress)


def check(
    recipe: Recipe | Path | str,
    *,
    overrides: Sequence[str] = (),
    strict: bool = False,
    data: bool = True,
    progress: Progress = SILENT,
) -> Plan:
    """Find every mistake in a recipe, and what it would do; nothing is trained.

    Reads every image. One small batch of noise goes through all that training calls.

    Args:
        recipe, overrides, strict, progress: As :func:`run` has them.
        data: False: check the recipe alone, and look at no data.

    Raises:
        LeukregError: The recipe, its data or its model do not allow what it asks for.
    """
    from leukreg.engine.rehearsal import rehearse
    from leukreg.evaluate.feasibility import refuse_too_few
    from leukreg.recipe import check_task
    from leukreg.synthesis import leakage
    from leukreg.synthesis.generator import listed
    from leukreg.synthesis.make import synthesize

    if not data:
        return Plan(*_settled(recipe, overrides, strict, fallbacks=strict))
    asked, settled, notices = _settled(recipe, overrides, strict)
    samples = list_samples(settled, progress)
    check_task(settled, samples)
    # Before the images are read: this takes seconds.
    phases = rehearse(settled, labels_of(settled, samples, ()), samples).phases
    images, dropped = open_rows(settled, samples, progress)
    with tempfile.TemporaryDirectory(prefix="leukreg-check-") as folder:
        # A plan counts and does not judge; what takes long to make is counted as missing.
        unmade = leakage.check(settled, images, None, progress) or 0
        if not unmade:
            made = synthesize(settled, images, None, Path(folder), progress, judged=False).images
            images = searched_again(images, made, progress)
        beside = listed(settled.synthesis, samples.classes)
        record = data_record(settled, samples, images, dropped, beside)
    leakage.check(settled, images, record.folds, progress)
    refuse_too_few(settled, images, record.folds)
    return Plan(asked, settled, notices, record, phases, unmade)


def _settled(
    recipe: Recipe | Path | str, overrides: Sequence[str], strict: bool, fallbacks: bool = True
) -> tuple[Recipe, Recipe, tuple[Notice, ...]]:
    """The recipe as it was read, with its fallbacks taken, and these."""
    from leukreg.audit.paper_file import reported_of
    from leukreg.recipe import load, take_fallbacks
    from leukreg.registry import installed

    if strict and (broken := installed().faults()):
        advice = "mend or uninstall it; strict goes on with no plugin that is broken"
        raise PluginError("\n".join([*broken, advice]))
    if isinstance(recipe, str | Path):
        recipe = load(Path(recipe), overrides)
    elif overrides:
        raise LeukregError("a recipe that was read already takes no overrides")
    reported_of(recipe)
    return recipe, *(take_fallbacks(recipe, strict) if fallbacks else (recipe, ()))


def _refuse_unready(recipe: Recipe) -> None:
    """Build the model once, so that a phase that trains nothing new is refused now.

    The gate's extractor is opened too: without its weights nothing need begin.
    """
    from leukreg.engine.unfreeze import plan
    from leukreg.synthesis.gate import gate_extractor

    plan(recipe, Labels(names=("a", "b"), counts=(1, 1)))
    gate_extractor(recipe.synthesis)


def _resumed(reference: str, root: Path, progress: Progress) -> RunRecord:
    from leukreg.recipe import rebuild
    from leukreg.runs import RunFolder, find, read
    from leukreg.runs.codec import read_json
    from leukreg.runs.folder import shared
    from leukreg.runs.status import read_status

    path = find(reference, root, resume=True)
    if read_status(path).state == "finished":
        progress.say(f"{path} is finished; there is nothing to resume.")
        return read(path)
    recipe = rebuild(read_json(path / "recipe.json"), path / "recipe.json")
    with shared(recipe, lambda: RunFolder.open(path)) as folder:
        notices = parse(path / "notices.json", tuple[Notice, ...])
        return _announced(recipe, folder, notices, progress)


def _announced(
    recipe: Recipe, folder: RunFolder, notices: tuple[Notice, ...], progress: Progress
) -> RunRecord:
    """Carry out a recipe, and say first what and where."""
    from leukreg.registry import installed

    progress.say(recipe.title or recipe.name)
    for notice in notices:
        progress.say(f"! Fallback {notice}: {notice.why}")
    for text in folder.status().mended:
        progress.say(f"! {text}")
    progress.say(f"Run folder: {folder.path}")
    try:
        return carry_out(recipe, installed(), folder, notices, progress)
    except (KeyboardInterrupt, LostProcess, WriteError) as error:
        path = shlex.quote(str(folder.path))
        error.add_note(f"This goes on with it: leukreg run --resume {path}")
        raise


@dataclass(frozen=True, slots=True, eq=False)
class DoneFolds:
    """What folds came to: the record of all that was done, and the predictions it rests on."""

    record: RunRecord
    scored: Sequence[Predictions]
    """Of the scored rows, fold by fold."""
    watched: Sequence[Predictions]
    """Of the validation rows."""
    patients: Sequence[FoldPatients]


def carry_out(
    recipe: Recipe,
    registry: Registry,
    folder: RunFolder,
    notices: tuple[Notice, ...] = (),
    progress: Progress = SILENT,
    data: OpenedData | None = None,
) -> RunRecord:
    """Carry out a settled recipe in ``folder``, or go on with one that was killed.

    Args:
        recipe: Checked, its fallbacks taken (see :func:`leukreg.recipe.take_fallbacks`).
        notices: The fallbacks that were taken.
        data: Its images, where they are open already.

    Raises:
        Problems: The data do not allow what the recipe asks for.
        RunError: The data have changed since the run began.
        TrainingError: Training could not go on.
    """
    from leukreg.engine.distributed import leads, leave

    done, concludes = do_folds(recipe, folder, notices, progress, data), leads()
    leave()
    return conclude(recipe, registry, folder, done, progress) if concludes else done.record


def do_folds(
    recipe: Recipe,
    folder: RunFolder,
    notices: tuple[Notice, ...] = (),
    progress: Progress = SILENT,
    data: OpenedData | None = None,
    only: int | None = None,
    watch: EpochWatch | None = None,
) -> DoneFolds:
    """The same up to the figures: every fold, or ``only`` this one; ``watch`` hears of epochs."""
    from leukreg.engine.distributed import first, leads
    from leukreg.engine.rehearsal import rehearse
    from leukreg.evaluate.feasibility import refuse_too_few
    from leukreg.synthesis import leakage
    from leukreg.synthesis.make import synthesize

    synthetic = folder.path / "synthetic"
    with first():
        images, record = prepare(recipe, synthetic, progress, data)
    given = images
    refuse_too_few(recipe, images, record.folds)
    folder.refuse_changed(record)
    record = replace(record, folder=folder.path, name=folder.name, notices=notices)
    folder.keep_data(record)
    with first():
        made = leakage.check(recipe, images, record.folds, progress)
        if made is not None or recipe.patients is not None:
            # What comes after hours, of a generator or of phases, must not fail at its first batch.
            rehearse(recipe, labels_of(recipe, record.samples, ()), record.samples)
    scored, watched, patients = [], [], []
    for fold in record.folds if only is None else record.folds[only : only + 1]:
        with first():
            placed = synthesize(recipe, images, fold, synthetic, progress)
        images, record = placed.images, with_synthesis(record, placed)
        fold = placed.fold or fold
        record, found, about = carry_out_fold(recipe, images, record, fold, folder, progress, watch)
        scored.append(found[0])
        watched += found[1:]
        patients += about
        folder.keep_data(record)
        folder.checkpoint_time()
    if leads():
        record = with_images(record, searched_again(given, images, progress))
    return DoneFolds(record, scored, watched, patients)


def with_synthesis(record: RunRecord, placed: Placed) -> RunRecord:
    """The record with what was made for a fold: its rows appended, so that row numbers stay."""
    fold, kept = placed.fold, record.synthesis.fidelity
    return replace(
        with_images(record, placed.images),
        folds=tuple(fold if fold and fold.index == one.index else one for one in record.folds),
        synthesis=Synthesis(fidelity=(*kept, *placed.figures)),
    )


def carry_out_fold(
    recipe: Recipe,
    images: ImageStore,
    record: RunRecord,
    fold: Fold,
    folder: RunFolder,
    progress: Progress = SILENT,
    watch: EpochWatch | None = None,
) -> tuple[RunRecord, list[Predictions], list[FoldPatients]]:
    """Train one fold and predict its scored rows, then its validation rows where it has some, then
    its patients where the recipe asks for them; the record comes back with what training did."""
    from leukreg.engine.distributed import agreed, alone, first, leads
    from leukreg.engine.inference import opened_model, predict_rows
    from leukreg.engine.training import train_fold
    from leukreg.runs.predictions import read_predictions, write_predictions

    labels = labels_of(recipe, images.samples, fold.train)
    place = folder.path / f"fold-{fold.index}"
    with first():
        folder.say_lost(place, progress)
    outcome = train_fold(recipe, labels, images, fold, place, progress, watch)
    model = functools.cache(
        lambda: outcome.model or opened_model(recipe, labels, outcome.model_path)
    )

    def predicted(name: str, rows: Sequence[int]) -> Predictions:
        """Read back where an earlier stretch of the run made them."""
        path = place / name
        if agreed(path.exists()):
            try:
                return read_predictions(path)
            except RunError:
                file = path.relative_to(folder.path)
                folder.mend(f"{file} was damaged, and is made again from model.pt.")
        made = predict_rows(recipe, labels, model(), images, rows, fold.index, progress)
        if leads():
            write_predictions(path, made)
        return made

    everything = {*fold.train, *fold.validation, *fold.test}
    rows = sorted(everything) if recipe.evaluate.on == "all" else fold.test
    found = [predicted("predictions.csv", rows)]
    if fold.validation:
        found.append(predicted("validation.csv", fold.validation))
    trained = replace(
        record,
        epochs=(*record.epochs, *outcome.epochs),
        phases=(*record.phases, *outcome.phases),
        training=Training(folds=(*record.training.folds, outcome.facts)),
    )
    if recipe.patients is None or not leads():
        return trained, found, []
    with alone():
        return trained, found, [_aggregated(recipe, images, fold, model, found, folder, progress)]


def _aggregated(
    recipe: Recipe,
    images: ImageStore,
    fold: Fold,
    model: Callable[[], Classifier],
    predicted: Sequence[Predictions],
    folder: RunFolder,
    progress: Progress,
) -> FoldPatients:
    """A fold's answers about patients, read back where an earlier stretch of the run made them."""
    from leukreg.engine.aggregation import STATE, aggregate
    from leukreg.runs.patients import read_fold_patients, write_fold_patients

    place = folder.path / f"fold-{fold.index}"
    try:
        kept = read_fold_patients(place)
    except RunError:
        kept = None
        folder.mend(f"{place.name}: the answers about patients were damaged, and are made again.")
    if kept is not None and (place / STATE).is_file():
        return kept
    labels = labels_of(recipe, images.samples, fold.train)
    found = aggregate(recipe, labels, images, fold, model, place, predicted, progress)
    write_fold_patients(place, found)
    return found


def conclude(
    recipe: Recipe,
    registry: Registry,
    folder: RunFolder,
    done: DoneFolds,
    progress: Progress = SILENT,
) -> RunRecord:
    """Score and audit the folds' predictions, and keep everything."""
    from leukreg.audit.rules import audit
    from leukreg.data.groups import grouped
    from leukreg.evaluate.patient_scores import score_patients, spec_for
    from leukreg.evaluate.scoring import score
    from leukreg.runs.history import with_history

    record, scored = done.record, done.scored

    def together(parts: Sequence[Predictions]) -> Predictions:
        return grouped(
            Predictions.joined(parts), record.samples.rows, record.pixels, record.near_duplicates
        )

    validation = together(done.watched) if done.watched else None
    spec, seed = spec_for(recipe.evaluate, scored[0].classes), recipe.seed
    found = score(together(scored), validation, spec, seed, registry, progress, record)
    if done.patients:
        of = score_patients(done.patients, recipe, record.samples, together, registry, progress)
        # Where only patients have labels, a cell that differs from its patient's is not wrong.
        found = replace(found, patients=of, scores=() if record.samples.weak else found.scores)
    found = with_history(found)
    describe = getattr(recipe.model.backbone.plugin, "describe", None)
    found = replace(
        found,
        environment=parse(folder.path / "environment.json", Environment),
        digests=Digests(weights=describe() if callable(describe) else None),
        broken_plugins=tuple(registry.faults()),
        mended=folder.status().mended,
        seconds=folder.seconds,
    )
    return folder.keep(replace(found, findings=audit(found, recipe.audit, registry)))
