"""Predictions of a trained model, with their uncertainty."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from leukreg.engine.assembly import assemble
from leukreg.engine.batches import Positions, Rows, rows_of
from leukreg.engine.checkpoints import load
from leukreg.engine.classifier import Classifier, run
from leukreg.engine.device import Compute, compute_for, reseed, session
from leukreg.engine.distributed import dealt, gathered
from leukreg.engine.frozen_features import untouched_prefix
from leukreg.engine.frozen_prefix import Prefix
from leukreg.engine.mc_dropout import entropy, mc_probabilities, views
from leukreg.engine.preprocessing import preprocessed
from leukreg.errors import RunError
from leukreg.files import OF_RUN
from leukreg.progress import SILENT, Progress
from leukreg.recipe.model import EvaluateSpec, Recipe
from leukreg.registry.kinds import Images
from leukreg.seeds import derive
from leukreg.types import Labels, Predictions, Samples


def predict_rows(
    recipe: Recipe,
    labels: Labels,
    model: Path | Classifier,
    images: Images,
    rows: Sequence[int],
    fold_index: int,
    progress: Progress = SILENT,
) -> Predictions:
    """Score these rows with a fold's model; with ``evaluate.mc_dropout`` or ``evaluate.tta``, the
    mean over passes and views.

    The same rows in the same order give the same figures; dropout is seeded batch by batch.

    Args:
        model: Its file, or what :func:`opened_model` made of it.

    Raises:
        RunError: The model file is missing, unreadable or belongs to other classes.
    """
    k = len(labels)
    with session(compute := compute_for(recipe.training)):
        if isinstance(model, Path):
            model = load_model(recipe, labels, model, compute)
        scored = rows_of(preprocessed(images, model.preprocessing), rows, labels)
        seen = len(scored) * _views(recipe.evaluate)
        prefix = untouched_prefix(model, recipe, seen, compute, progress)
        model.eval()
        begun = len(prefix.links) if prefix else 0
        figures = np.zeros((len(scored), k + 2))
        with progress.task(f"fold {fold_index + 1}, predictions", len(scored)) as advance:
            for part, inputs in _inputs(recipe, scored, prefix, compute):
                reseed(derive(recipe.seed, "fold", fold_index, "mc-dropout", int(part[0])))
                passes = _passes(model, inputs, recipe.evaluate, compute, begun)
                figures[part] = np.column_stack(_summed(passes))
                advance(len(part) * compute.devices)
    figures = np.sum(gathered(figures), axis=0)  # of every row, one process's and zeros
    columns = figures[:, :k], figures[:, k], figures[:, k + 1]
    return predictions_of(images.samples, rows, labels.names, fold_index, *columns)


def _inputs(
    recipe: Recipe, rows: Rows, prefix: Prefix | None, compute: Compute
) -> Iterator[tuple[Positions, list[Tensor]]]:
    """The rows batch by batch, in every view of test-time augmentation; of several processes, those
    that are dealt to this one.

    They have gone through ``prefix``, where there is one: its features are looked for, and kept, in
    the cache, many at once.
    """
    size, count = recipe.training.batch_size, _views(recipe.evaluate)
    once = size
    if prefix is not None and compute.devices == 1:
        once = size * max(1, prefix.at_once(count) // size)
    elif prefix is not None:
        prefix = replace(prefix, dealt=True)
    for start in dealt(range(0, len(rows), once)):
        block = np.arange(start, min(start + once, len(rows)))
        seen = [*views(rows.pixels(block), count)]
        if prefix is not None:
            seen = [prefix.kept(view) for view in seen]
        for first in range(0, len(block), size):
            parts = [compute.put(view[first : first + size]) for view in seen]
            yield (
                block[first : first + size],
                [prefix.unpack(p) for p in parts] if prefix else parts,
            )


def predictions_of(
    samples: Samples,
    rows: Sequence[int],
    classes: tuple[str, ...],
    fold: int,
    probabilities: NDArray[np.float64],
    uncertainty: NDArray[np.float64],
    mutual_information: NDArray[np.float64],
) -> Predictions:
    """The figures of a fold's model beside the rows that they are of."""
    chosen = [samples.rows[row] for row in rows]
    return Predictions(
        classes=classes,
        row=np.array(rows, dtype=np.int64),
        id=tuple(sample.id for sample in chosen),
        path=tuple(sample.path for sample in chosen),
        patient=tuple(sample.patient for sample in chosen),
        origin=tuple(sample.origin for sample in chosen),
        fold=np.full(len(chosen), fold, dtype=np.int64),
        label=np.array([classes.index(sample.label) for sample in chosen], dtype=np.int64),
        probabilities=probabilities,
        uncertainty=uncertainty,
        mutual_information=mutual_information,
    )


def opened_model(recipe: Recipe, labels: Labels, path: Path) -> Classifier:
    """As :func:`load_model`, on what the recipe computes on; leaves random states as they are."""
    with session(compute := compute_for(recipe.training)):
        return load_model(recipe, labels, path, compute)


def load_model(recipe: Recipe, labels: Labels, path: Path, compute: Compute) -> Classifier:
    """The trained model of a fold, in eval mode on its device."""
    content = load(path, OF_RUN)
    if content.get("classes") != list(labels.names):
        raise RunError(f"{path} tells apart {content.get('classes')}, not {list(labels.names)}")
    model = assemble(recipe, labels)
    try:
        model.load_state_dict(content["weights"])
    except RuntimeError as error:
        raise RunError(f"{path} does not fit this recipe's model: {error}") from error
    model.to(compute.device)
    model.set_channels_last(compute.channels_last)
    return model.eval()


@torch.no_grad()
def score_pixels(
    model: Classifier, pixels: Tensor, spec: EvaluateSpec, compute: Compute
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Mean probabilities ``(n, k)``, entropy and mutual information ``(n,)`` in nats.

    With ``tta`` and ``mc_dropout`` together the passes are spread over the views, at least one
    each, and the mutual information is that between the class and both, view and dropout mask.
    Dropout draws from torch's global generator: seed it first.

    Args:
        pixels: uint8 images ``(n, 3, size, size)``, on the model's device.
    """
    seen = [*views(pixels, _views(spec))]
    return _summed(_passes(model, seen, spec, compute))


def _summed(passes: Tensor) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    mean = passes.mean(0)
    total = entropy(mean)
    # By rounding alone a difference of equals may come out below 0.
    shared = (total - entropy(passes).mean(0)).clamp(min=0)
    if len(passes) == 1:
        shared = torch.zeros_like(total)
    return mean.cpu().numpy(), total.cpu().numpy(), shared.cpu().numpy()


def _views(spec: EvaluateSpec) -> int:
    return spec.tta.views if spec.tta else 1


@torch.no_grad()
def _passes(
    model: Classifier,
    seen: Sequence[Tensor],
    spec: EvaluateSpec,
    compute: Compute,
    begun: int = 0,
) -> Tensor:
    """Class probabilities ``(passes, n, k)``, float64, over views and draws of dropout.

    Args:
        seen: What the first ``begun`` links of the model have made of each view.
    """
    mc, found = spec.mc_dropout, []
    for inputs in seen:
        if mc is not None:
            passes = math.ceil(mc.passes / len(seen))
            found.append(mc_probabilities(model, inputs, passes, compute, begun))
            continue
        with compute.autocast():
            logits = run(model.chain()[begun:], inputs)
        found.append(logits.double().softmax(-1).unsqueeze(0))
    return torch.cat(found) if len(found) > 1 else found[0]
