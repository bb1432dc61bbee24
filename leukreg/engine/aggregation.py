"""From cells to patients: a fold's aggregator, trained on its training patients, and its answers.

Features are those of the fold's trained model, whose weights stay as they are. They are computed in
chunks of one batch and lie patient by patient, in a mapped file where they are many: nothing but
that file grows with a patient's cells.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from leukreg.engine.bags import (
    Bags,
    FoldAggregator,
    build_aggregator,
    by_patient,
    class_labels,
    reads_features,
    require_each_class,
    width_of_cells,
)
from leukreg.engine.batches import rows_of
from leukreg.engine.checkpoints import load, save
from leukreg.engine.classifier import Classifier, Pooled
from leukreg.engine.device import compute_for, reseed, session
from leukreg.engine.frozen_features import compute_features, untouched_prefix
from leukreg.engine.frozen_prefix import Prefix
from leukreg.engine.inference import predict_rows
from leukreg.engine.preprocessing import preprocessed
from leukreg.errors import RunError, TrainingError
from leukreg.files import OF_RUN
from leukreg.patient_results import (
    KEPT,
    AggregatorTraining,
    DecidingCell,
    FoldPatients,
    patient_labels_of,
)
from leukreg.progress import SILENT, Progress
from leukreg.recipe.model import Recipe
from leukreg.registry.kinds import Images
from leukreg.registry.plugin_call import blamed, call
from leukreg.seeds import derive
from leukreg.types import Fold, Labels, Predictions, Samples

STATE = "aggregator.pt"
CellsOf = Callable[[Sequence[int]], Tensor]
"""From row numbers to what the aggregator reads of these cells, ``(n, width)``."""


def load_aggregator(recipe: Recipe, samples: Samples, path: Path) -> FoldAggregator:
    """The aggregator that a fold of a run was left with.

    Raises:
        RunError: The file is missing, damaged or of other classes.
    """
    content = load(path, OF_RUN)
    labels = class_labels(recipe, samples)
    if content.get("classes") != list(labels.names):
        raise RunError(f"{path} tells apart {content.get('classes')}, not {list(labels.names)}")
    try:
        with session(compute_for(recipe.training)):
            found = build_aggregator(recipe, labels, int(content["width"]))
        found.module.load_state_dict(content["weights"])
    except (KeyError, RuntimeError) as error:
        raise RunError(f"{path} does not fit the recipe's aggregator: {error}") from error
    return found


def aggregate(
    recipe: Recipe,
    labels: Labels,
    images: Images,
    fold: Fold,
    model: Callable[[], Classifier],
    place: Path,
    predicted: Sequence[Predictions],
    progress: Progress = SILENT,
) -> FoldPatients:
    """Train a fold's aggregator, keep it in ``place``, and answer for the fold's patients.

    Args:
        labels: The cells' classes.
        model: Gives the fold's trained model, where it is asked what it sees in cells.
        place: The fold's folder.
        predicted: Predictions of the scored cells, then those of the validation cells if any.

    Raises:
        PluginFault: The aggregator fails or breaks its contract.
        TrainingError: Its loss is no number, or no training patient is of a class.
    """
    samples = images.samples
    scored, validation = predicted[0], next(iter(predicted[1:]), None)
    known = patient_labels_of(samples)
    train = by_patient(samples, fold.train)
    held = by_patient(samples, [] if validation is None else validation.row.tolist())
    tested = by_patient(samples, scored.row.tolist())
    watched = None
    with session(compute_for(recipe.training)):
        width = width_of_cells(labels, model() if reads_features(recipe) else None)
        of_patients = class_labels(recipe, samples, train)
        own = build_aggregator(recipe, of_patients, width)
        if own.learns:
            require_each_class(of_patients, fold.index)
        asked = (train if own.learns else {}, held, tested)
        rows = [row for bags in asked for bag in bags.values() for row in bag]
        with _cells(recipe, labels, images, fold, model, place, rows, predicted, progress) as cells:
            logged = AggregatorTraining(fold=fold.index)
            if own.learns:
                target = {one: known.classes.index(known.labels[one]) for one in (*train, *held)}
                seed = derive(recipe.seed, "fold", fold.index, "aggregator")
                logged = _train(own, cells, train, held, target, seed, progress)
                logged = replace(logged, fold=fold.index)
            weights = {name: value.cpu() for name, value in own.module.state_dict().items()}
            kept = {"classes": list(known.classes), "width": width, "weights": weights}
            save(place / STATE, kept)
            answers, deciding = _answers(own, cells, tested, samples, scored, fold.index)
            if held and validation is not None:
                watched, _ = _answers(own, cells, held, samples, validation, fold.index)
    return FoldPatients(scored=answers, validation=watched, cells=deciding, training=logged)


@contextmanager
def _cells(
    recipe: Recipe,
    labels: Labels,
    images: Images,
    fold: Fold,
    model: Callable[[], Classifier],
    place: Path,
    rows: Sequence[int],
    predicted: Sequence[Predictions],
    progress: Progress,
) -> Iterator[CellsOf]:
    """What the aggregator reads of these rows: features, or what the model says of each."""
    if not reads_features(recipe):
        there = {int(row) for one in predicted for row in one.row}
        lacking = [row for row in rows if row not in there]
        tables = [*predicted]
        if lacking:
            more = predict_rows(recipe, labels, model(), images, lacking, fold.index, progress)
            tables.append(more)
        yield _probabilities(tables)
        return
    mapped = place / "features-patients.bin"
    try:
        yield _features(recipe, labels, model(), images, rows, mapped, progress)
    finally:
        mapped.unlink(missing_ok=True)


def _features(
    recipe: Recipe,
    labels: Labels,
    model: Classifier,
    images: Images,
    rows: Sequence[int],
    mapped: Path,
    progress: Progress,
) -> CellsOf:
    """What a model's head is given, pooled; from the cache where no phase has trained it."""
    compute = compute_for(recipe.training)
    links = (*model.front(), ("pooled", Pooled()))
    prefix = untouched_prefix(model, recipe, len(rows), compute, progress, links)
    model.eval()
    if prefix is None or len(prefix.links) < len(links):
        prefix = Prefix(links, recipe.training.batch_size, compute)
    chosen = rows_of(preprocessed(images, model.preprocessing), rows, labels)
    kept = compute_features(prefix, chosen, path=mapped, progress=progress)
    file_of = dict(zip(rows, kept.file_of.tolist(), strict=True))
    return lambda some: cells_at(kept.store, [file_of[row] for row in some])


def cells_at(table: Tensor, places: Sequence[int]) -> Tensor:
    """These rows of a table; no copy where they lie together, as those of a patient mostly do."""
    start, stop = places[0], places[-1] + 1
    if list(places) == list(range(start, stop)):
        return table[start:stop]
    return table.index_select(0, torch.tensor(places))


def _probabilities(tables: Sequence[Predictions]) -> CellsOf:
    found = {int(r): p for one in tables for r, p in zip(one.row, one.probabilities, strict=True)}
    return lambda some: torch.from_numpy(np.array([found[row] for row in some]))


def try_aggregator(recipe: Recipe, labels: Labels, samples: Samples, model: Classifier) -> None:
    """Train the aggregator for an epoch on a few cells of noise, and let it answer.

    Args:
        labels: The cells' classes.

    Raises:
        PluginFault, TrainingError: As :func:`aggregate`.
    """
    known = patient_labels_of(samples)
    width = width_of_cells(labels, model if reads_features(recipe) else None)
    own = build_aggregator(recipe, class_labels(recipe, samples, known.labels), width)
    noise = torch.randn(3, width, generator=torch.Generator().manual_seed(0))
    if not reads_features(recipe):
        noise = noise.double().softmax(-1)
    bags = {name: [0, 1, 2][: number + 1] for number, name in enumerate(known.classes)}
    if own.learns:
        brief = replace(own, spec=replace(own.spec, epochs=1))
        target = {name: number for number, name in enumerate(bags)}
        _train(brief, lambda rows: noise[list(rows)], bags, {}, target, 0, SILENT)
    for rows in bags.values():
        own.answer(noise[rows])


def _train(
    own: FoldAggregator,
    cells: CellsOf,
    train: Bags,
    held: Bags,
    target: dict[str, int],
    seed: int,
    progress: Progress,
) -> AggregatorTraining:
    """Cross-entropy, a patient a step, and the weights of the epoch that did best kept."""
    spec, module = own.spec, own.module
    trainable = [p for p in module.parameters() if p.requires_grad]
    optimizer = call(spec.optimizer, spec.optimizer.plugin.build, [{"params": trainable}])
    patients, watched = list(train), held or train
    best, best_epoch, epoch, stopped = math.inf, 0, 0, "all epochs done"
    kept = copy.deepcopy(module.state_dict())
    with progress.task("aggregator", spec.epochs) as advance:
        for epoch in range(1, spec.epochs + 1):
            reseed(derive(seed, "epoch", epoch))
            module.train()
            for place in torch.randperm(len(patients)).tolist():
                optimizer.zero_grad(set_to_none=True)
                _loss(own, cells(train[patients[place]]), target[patients[place]]).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            module.eval()
            with torch.no_grad():
                losses = [float(_loss(own, cells(b), target[one])) for one, b in watched.items()]
            loss = sum(losses) / len(losses)
            if not math.isfinite(loss):
                raise TrainingError(
                    f"the aggregator's loss is {loss} in epoch {epoch}; try a lower learning rate"
                    " in patients.optimizer"
                )
            advance(note=f"loss {loss:.3f}")
            if loss < best:
                best, best_epoch, kept = loss, epoch, copy.deepcopy(module.state_dict())
            elif epoch - best_epoch >= spec.patience:
                stopped = f"no lower loss for {spec.patience} epochs"
                break
    module.load_state_dict(kept)
    return AggregatorTraining(
        fold=0,
        patients=len(train),
        validation_patients=len(held),
        parameters=sum(p.numel() for p in trainable),
        epochs=epoch,
        best_epoch=best_epoch,
        stopped=stopped,
    )


def _loss(own: FoldAggregator, cells: Tensor, target: int) -> Tensor:
    with blamed(own.spec.aggregator, f"fails on {len(cells)} cells"):
        logits = own.module(cells)
    return nn.functional.cross_entropy(logits[None], torch.tensor([target]))


def _answers(
    own: FoldAggregator,
    cells: CellsOf,
    bags: Bags,
    samples: Samples,
    of_cells: Predictions,
    fold: int,
) -> tuple[Predictions, tuple[DecidingCell, ...]]:
    """A row a patient, and the cells of most weight."""
    known = patient_labels_of(samples)
    answered = [own.answer(cells(bag)) for bag in bags.values()]
    p = np.array([one for one, _ in answered]).reshape(len(bags), len(known.classes))
    found = patient_predictions(samples, bags, known.classes, known.labels, p, fold)
    return found, deciding_cells(bags, found, [weights for _, weights in answered], of_cells)


def deciding_cells(
    bags: Bags, found: Predictions, weights: Sequence[NDArray[np.float64]], of_cells: Predictions
) -> tuple[DecidingCell, ...]:
    """The cells of most weight, patient by patient, the heaviest first.

    Args:
        found: What was answered of each patient.
        weights: Those of each patient's cells, in the order of ``bags``.
        of_cells: What is said of each cell alone.
    """
    alone = dict(zip(of_cells.row.tolist(), of_cells.probabilities, strict=True))
    deciding: list[DecidingCell] = []
    for place, ((patient, bag), own) in enumerate(zip(bags.items(), weights, strict=True)):
        column = int(found.probabilities[place].argmax())
        if of_cells.classes != found.classes:
            column = -1
        each = [None if column < 0 else float(alone[row][column]) for row in bag]
        order = sorted(range(len(bag)), key=lambda i: (-own[i], -(each[i] or 0), bag[i]))
        deciding += [
            DecidingCell(fold=int(found.fold[place]), patient=patient, row=bag[i],
                         weight=float(own[i]), of=None if column < 0 else found.classes[column],
                         probability=each[i])
            for i in order[:KEPT]
        ]  # fmt: skip
    return tuple(deciding)


def patient_predictions(
    samples: Samples,
    bags: Bags,
    classes: tuple[str, ...],
    labels: Mapping[str, str],
    p: NDArray[np.float64],
    fold: int,
) -> Predictions:
    """Probabilities of patients ``(n, k)`` as rows of predictions, not yet decided."""
    from scipy.special import entr

    origins = [[samples.rows[row].origin for row in bag] for bag in bags.values()]
    return Predictions(
        classes=classes,
        row=np.array([bag[0] for bag in bags.values()], dtype=np.int64),
        id=tuple(bags),
        path=tuple(bags),
        patient=tuple(bags),
        origin=tuple(next((o for o in found if o != "real"), "real") for found in origins),
        fold=np.full(len(bags), fold, dtype=np.int64),
        label=np.array([classes.index(labels[one]) for one in bags], dtype=np.int64),
        probabilities=p,
        uncertainty=np.asarray(entr(p).sum(axis=1)),
        mutual_information=np.zeros(len(bags)),
    )
