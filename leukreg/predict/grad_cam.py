"""Where a model looks: Grad-CAM (Selvaraju et al., ICCV 2017), computed by captum.

The map is taken where the last stages have made features of the picture's parts and the head has
not yet pooled them. A small picture leaves few cells there (2 by 2 for a ResNet at 64 px), so the
last map with at least ``CELLS`` cells a side is used, and named. Only what lies behind it is
differentiated, so an explanation costs little more than a prediction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from leukreg.engine.classifier import Link, as_module, run
from leukreg.engine.device import session
from leukreg.errors import DataError, Problem, Problems
from leukreg.predict.ensemble import FoldModel
from leukreg.predict.heat_map import laid_over, shift_of
from leukreg.predict.inputs import ImagesLike, given_images, read_batches
from leukreg.predict.trained_run import Trained, load
from leukreg.progress import SILENT, Progress
from leukreg.runs.codec import read_json
from leukreg.runs.run_list import EVALUATED_FROM

CELLS = 4
"""Cells a side that a map should have."""


@dataclass(frozen=True, slots=True)
class FeatureMap:
    """The map that is explained: the output of one link of the model's chain."""

    name: str
    before: tuple[Link, ...]
    """Links up to and with it."""
    after: tuple[Link, ...]
    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.name}, {self.height}x{self.width} cells"


def explanation(
    run: str | Path | Trained,
    images: ImagesLike,
    labels: Sequence[str] | None = None,
    folds: Sequence[int] | None = None,
    progress: Progress = SILENT,
) -> NDArray[np.float32]:
    """Heat maps of shape ``(n, size, size)``, 0 to 1: what speaks for a class, and where.

    Each is divided by its maximum; a map that is 0 everywhere means that nothing in the picture
    speaks for the class. With several folds it is the mean of theirs. Dropout is off.

    Args:
        run: A run (folder, name, unique beginning, "last"), or what ``leukreg.load`` gave. An
            evaluation on other images is explained by the run whose models it used.
        images: Paths, Pillow images, arrays.
        labels: The class to explain for each image; by default the one that is answered.
        folds: The index of one fold for each image, whose model alone is asked, as when rows of
            the run itself are explained by the model that scored them.
        progress: Told of images done.

    Raises:
        Problems: Images that cannot be read, all of them.
        DataError: There is no such class or fold, or not one label or fold per image.
        RunError: The run has no models.
    """
    if isinstance(run, Trained):
        trained = run
    else:  # the run itself, or the one that an evaluation comes from
        facts = Path(run) / "facts.json"
        origin = read_json(facts).get(EVALUATED_FROM) if facts.is_file() else None
        trained = load(run if origin is None else origin["folder"])
    given = given_images(images)
    if labels is None:
        targets = trained.decide(trained.predict_proba(images)) if given else np.empty(0, np.int64)
    else:
        targets = _indices(labels, list(trained.result.samples.classes), len(given), "class")
    indices = [one.fold for one in trained.models]
    chosen = None if folds is None else _indices(folds, indices, len(given), "fold")
    size, count = trained.recipe.image.size, trained.recipe.training.batch_size
    read = trained.recipe.read_image.size
    maps = np.zeros((len(given), size, size), np.float32)
    unreadable: list[str | None] = [None] * len(given)
    with (
        session(trained.models[0].compute),
        progress.task("Explaining", len(given)) as advance,
    ):
        explained = [feature_map_of(one, size) for one in trained.models]
        shifts = [
            shift_of(here.before[1:], size, one.compute.device)
            for one, here in zip(trained.models, explained, strict=True)
        ]
        parts = list(zip(trained.models, explained, shifts, strict=True))
        for batch in read_batches(given, read, count, unreadable, marks=False):
            rows = batch.rows
            pixels = batch.pixels(read)
            heats = np.stack([_heat(*part, part[0].see(pixels), targets[rows]) for part in parts])
            if chosen is None:
                maps[rows] = _scaled(heats.mean(axis=0))
            else:
                maps[rows] = heats[chosen[rows], np.arange(len(rows))]
            advance(len(rows))
    found = zip(given, unreadable, strict=True)
    problems = [Problem(reason, one.name) for one, reason in found if reason is not None]
    if problems:
        raise Problems(problems, closing="these were not explained.")
    return maps


def feature_map_of(one: FoldModel, size: int) -> FeatureMap:
    """The map that is explained for images of ``size`` pixels."""
    chain = one.model.chain()
    images = torch.zeros((1, 3, size, size), dtype=torch.uint8, device=one.compute.device)
    found: list[FeatureMap] = []
    with torch.no_grad():
        for index, link in enumerate(one.model.front()):
            images = link[1](images)
            if images.ndim != 4:  # tokens of a Vision Transformer, whose last block gives the map
                continue
            after = tuple(chain[index + 1 :])
            found.append(FeatureMap(link[0], tuple(chain[: index + 1]), after, *images.shape[-2:]))
    stages = found[1:]  # the normaliser's output is the picture itself
    large = [each for each in stages if min(each.height, each.width) >= CELLS]
    place = (large or stages)[-1]
    # An attention that is not there passes on the map of the last stage.
    if place.name == "attention" and isinstance(one.model.attention, nn.Identity):
        return stages[-2] if len(stages) > 1 else place
    return place


def _heat(
    one: FoldModel,
    place: FeatureMap,
    shift: tuple[float, float],
    pixels: Tensor,
    targets: NDArray[np.int64],
) -> NDArray[np.float32]:
    """A fold's maps of shape ``(b, size, size)``, each divided by its maximum."""
    from captum.attr import LayerGradCam

    size = int(pixels.shape[-1])
    with torch.no_grad():
        maps = run(place.before, one.compute.put(pixels)).float()
    here = nn.Identity()
    tail = nn.Sequential(here, as_module(place.after))
    target = torch.from_numpy(targets).to(maps.device)
    with torch.enable_grad():
        heat = LayerGradCam(tail, here).attribute(
            maps.requires_grad_(), target, relu_attributions=True
        )
    large = laid_over(heat.detach().float(), size, shift)
    found: NDArray[np.float32] = large[:, 0].cpu().numpy()
    return _scaled(found)


def _scaled(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    highest = maps.max(axis=(1, 2), keepdims=True)
    scaled: NDArray[np.float32] = np.zeros_like(maps)
    np.divide(maps, highest, out=scaled, where=highest > 0)
    return scaled


def _indices(
    values: Sequence[object], known: Sequence[object], n: int, what: str
) -> NDArray[np.int64]:
    if len(values) != n:
        raise DataError(f"there are {n} images and {len(values)} values of {what}")
    for value in values:
        if value not in known:
            raise DataError(f"there is no {what} {value!r}; there are {', '.join(map(str, known))}")
    return np.array([known.index(value) for value in values], dtype=np.int64)
