"""How far an image lies from the training data, in the features of the trained model.

The distance is that to the k-th nearest training image among features of unit length (Sun et al.,
"Out-of-distribution detection with deep nearest neighbors", ICML 2022), divided by a limit that
99 % of the validation images keep. With several folds it is the mean over them, each with its own
limit.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukreg.engine.device import session
from leukreg.errors import WriteError
from leukreg.files import digest, digest_of, write_file
from leukreg.predict.ensemble import FoldModel, embed, model_paths, pooled
from leukreg.predict.training_images import TrainingImages
from leukreg.progress import SILENT, Progress
from leukreg.recipe.model import Recipe
from leukreg.record import RunRecord
from leukreg.runs.environment import data_digest

Floats = NDArray[np.float32]
FILE = "reference.npz"
DIGEST = 64
"""Bytes at the end of the file: the digest of the others, in hexadecimal figures."""
VERSION = 1
MOST = 4000
"""Training images per fold that are compared with, evenly spread over all."""
QUANTILE = 0.99
FEW = 5
"""Validation images below which the limit is taken from training images instead."""
BLOCK = 1024


@dataclass(frozen=True, slots=True, eq=False)
class TrainingFeatures:
    """The training data of one fold, as its model sees them."""

    features: Floats
    """Shape ``(m, channels)``, unit vectors."""
    limit: float
    neighbour: int
    """The k of the k-th nearest."""
    by: str
    """The rows that set the limit."""

    def distance(self, features: Floats) -> NDArray[np.float64]:
        """Distance of each row over the limit, shape ``(n,)``; NaN stays NaN."""
        return _kth(_unit(features), self.features, self.neighbour) / max(self.limit, 1e-9)


def limit_note(folds: Sequence[TrainingFeatures]) -> str:
    """What the limit is, for a reader of the distances."""
    by = folds[0].by if len({known.by for known in folds}) == 1 else "each fold's own rows"
    return f"distance: 1 is what 99 % of {by} keep to the training images"


def kept_features(
    result: RunRecord, progress: Progress = SILENT
) -> tuple[TrainingFeatures, ...] | None:
    """What an earlier call left in the run folder for these very models and data, or None.

    ``progress`` is told of a file that is damaged.
    """
    try:
        data = (result.folder / FILE).read_bytes()
    except OSError:
        return None
    body, tail = data[:-DIGEST], data[-DIGEST:]
    if digest_of(body).encode() != tail:
        what = "is damaged, or of version 0.1"
        progress.say(f"{result.folder / FILE} {what}; the training images are looked at again.")
        return None
    with np.load(io.BytesIO(body), allow_pickle=False) as kept:
        about = json.loads(str(kept["about"]))
        if about["key"] != _key(result):
            return None
        return tuple(
            TrainingFeatures(kept[f"fold-{fold}"], one["limit"], one["neighbour"], one["by"])
            for fold, one in enumerate(about["folds"])
        )


def measure_features(
    result: RunRecord,
    recipe: Recipe,
    models: Sequence[FoldModel],
    images: TrainingImages,
    progress: Progress = SILENT,
) -> tuple[TrainingFeatures, ...]:
    """Look at the run's own images with every fold's model, and keep what is seen for next time."""
    size = recipe.training.batch_size

    def spread(rows: list[int]) -> list[int]:
        n = min(len(rows), MOST)
        return [rows[i * len(rows) // n] for i in range(n)]

    def features(one: FoldModel, rows: list[int]) -> Floats:
        parts = [np.empty((0, int(one.model.backbone.channels)), np.float32)]  # type: ignore[arg-type]
        for start in range(0, len(rows), size):
            chosen = rows[start : start + size]
            pixels = one.see(images.store.pixels(chosen))
            parts.append(pooled(embed(one, pixels)).cpu().numpy())
            advance(len(chosen))
        return np.concatenate(parts)

    sides = [
        (spread(images.rows(fold.train)), spread(images.rows(fold.validation)))
        for fold in result.folds
    ]
    total = sum(len(train) + len(held) for train, held in sides)
    with session(models[0].compute), progress.task("Looking at training images", total) as advance:
        found = tuple(
            _measured(features(one, train), features(one, held))
            for one, (train, held) in zip(models, sides, strict=True)
        )
    about = [{"limit": n.limit, "neighbour": n.neighbour, "by": n.by} for n in found]
    arrays = {f"fold-{index}": known.features for index, known in enumerate(found)}
    text = json.dumps({"key": _key(result), "folds": about})
    buffer = io.BytesIO()
    np.savez(buffer, about=np.array(text), **arrays)  # type: ignore[arg-type]
    body = buffer.getvalue()
    with suppress(WriteError):  # only time is lost where the run folder cannot be written
        write_file(result.folder / FILE, body + digest_of(body).encode())
    return found


def _measured(train: Floats, held: Floats) -> TrainingFeatures:
    known = _unit(train)
    neighbour = max(1, min(10, len(known) // 20))
    if len(held) >= FEW:
        away = _kth(_unit(held), known, neighbour)
        by = f"{len(held)} validation images"
    else:
        # Its own nearest neighbour is each training image itself.
        away = _kth(known, known, min(neighbour + 1, len(known)))
        by = f"{len(known)} training images (which lie nearer than new ones; few are validation)"
    limit = float(np.quantile(away, QUANTILE, method="higher"))
    return TrainingFeatures(known, limit, neighbour, by)


def _unit(features: Floats) -> Floats:
    norm = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.maximum(norm, 1e-12), dtype=np.float32)


def _kth(new: Floats, known: Floats, k: int) -> NDArray[np.float64]:
    out = np.empty(len(new))
    for start in range(0, len(new), BLOCK):
        likeness = new[start : start + BLOCK] @ known.T
        nearest = np.partition(likeness, len(known) - k, axis=1)[:, len(known) - k]
        out[start : start + BLOCK] = np.sqrt(np.maximum(2 - 2 * nearest.astype(np.float64), 0))
    return out


def _key(result: RunRecord) -> str:
    weights = [digest(path) for path in model_paths(result)]
    return f"{VERSION} {data_digest(result.samples, result.pixels)} {' '.join(weights)}"
