"""Made-up data, predictions and runs, deterministic and small, for tests of plugins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from leukreg.record import Environment, RunRecord
from leukreg.types import (
    EpochLog,
    Fold,
    Labels,
    PhaseLog,
    Predictions,
    Sample,
    Samples,
    Score,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CLASSES = ("benign", "early-pre-b", "pre-b", "pro-b")


def example_labels(classes: int = 4, *, weighted: bool = False) -> Labels:
    """Labels of a task of 2 to 4 classes with unequal counts, on request with class weights."""
    return Labels(
        names=CLASSES[:classes],
        counts=(40, 30, 20, 10)[:classes],
        weights=(0.5, 0.8, 1.2, 2.0)[:classes] if weighted else None,
        positive=CLASSES[1] if classes == 2 else None,
    )


def example_samples(classes: int = 4, per_class: int = 12) -> Samples:
    """Rows of ``per_class`` real images a class, three to a patient; the files do not exist."""
    rows = tuple(
        Sample(
            id=f"{name}/{number:03d}.png",
            path=f"/example/{name}/{number:03d}.png",
            label=name,
            patient=f"{name}-{number // 3}",
        )
        for name in CLASSES[:classes]
        for number in range(per_class)
    )
    return Samples(rows=rows, classes=CLASSES[:classes])


@dataclass(frozen=True, slots=True)
class ExampleImages:
    """Samples with pixels: a violet disc on a pale ground, its size and shade by class."""

    samples: Samples
    size: int = 32

    def __len__(self) -> int:
        return len(self.samples)

    def pixels(self, rows: Sequence[int]) -> NDArray[np.uint8]:
        """Images of these rows, shape ``(len(rows), size, size, 3)``, RGB."""
        import numpy as np

        images = [self._draw(int(row)) for row in rows]
        return np.stack(images) if images else np.zeros((0, self.size, self.size, 3), np.uint8)

    def _draw(self, row: int) -> NDArray[np.uint8]:
        import numpy as np

        kind = self.samples.classes.index(self.samples.rows[row].label)
        rng = np.random.default_rng(row)
        place = np.indices((self.size, self.size)) - self.size / 2
        near = np.hypot(*place) < self.size * (0.15 + 0.07 * kind)
        ground = np.array([225, 205, 215]) + rng.integers(-10, 10, 3)
        cell = np.array([120 - 12 * kind, 70, 150]) + rng.integers(-10, 10, 3)
        clean = np.where(near[..., None], cell, ground)
        noisy = clean + rng.normal(0, 5, clean.shape)
        return noisy.clip(0, 255).astype(np.uint8)


def example_images(classes: int = 4, per_class: int = 12, size: int = 32) -> ExampleImages:
    """Samples of a training fold with their pixels, as a generator is given them."""
    return ExampleImages(example_samples(classes, per_class), size)


def write_example_images(
    folder: Path, classes: int = 2, per_class: int = 6, size: int = 32
) -> None:
    """Write example images as PNG files, one folder per class, below ``folder``."""
    from PIL import Image

    images = example_images(classes, per_class, size)
    for row, sample in enumerate(images.samples.rows):
        path = folder / sample.id
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(images.pixels([row])[0]).save(path)


def example_predictions(classes: int = 4, n: int = 60, seed: int = 0) -> Predictions:
    """Plausible predictions: mostly right, two folds, patients of three images each."""
    import numpy as np

    rng = np.random.default_rng(seed)
    label = np.arange(n) % classes
    scores = rng.normal(0, 1, (n, classes)) + 1.5 * np.eye(classes)[label]
    probabilities = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    entropy = -(probabilities * np.log(probabilities)).sum(1)
    names = CLASSES[:classes]
    # Every class stands in the rows in turn, so a patient's three images lie ``classes`` apart.
    position = np.arange(n) // classes
    return Predictions(
        classes=names,
        row=np.arange(n),
        id=tuple(f"{names[k]}/{i:03d}.png" for k, i in zip(label, position, strict=True)),
        path=tuple(
            f"/example/{names[k]}/{i:03d}.png" for k, i in zip(label, position, strict=True)
        ),
        patient=tuple(f"{names[k]}-{i // 3}" for k, i in zip(label, position, strict=True)),
        origin=tuple("real" for _ in range(n)),
        fold=(position // 3) % 2,
        label=label,
        probabilities=probabilities,
        uncertainty=entropy,
        mutual_information=0.1 * entropy,
    )


def example_evidence(classes: int = 4) -> RunRecord:
    """What a clean, small, finished run leaves for the audit."""
    result = example_result(classes)
    pixels = {row.id: f"{number:032x}" for number, row in enumerate(result.samples.rows)}
    return replace(result, pixels=pixels)


def example_result(classes: int = 4) -> RunRecord:
    """A clean, small, finished run: two folds, one phase, no findings."""
    import numpy as np

    predictions = example_predictions(classes, n=12 * classes)
    samples = _samples_of(predictions)
    said = predictions.probabilities.argmax(1)
    confusion = np.zeros((classes, classes), int)
    np.add.at(confusion, (predictions.label, said), 1)
    accuracy = float((said == predictions.label).mean())
    return RunRecord(
        folder=Path("runs/example"),
        name="example",
        recipe={"schema": 1, "name": "example", "seed": 0, "image": {"size": 32}},
        samples=samples,
        folds=tuple(_fold(index, predictions) for index in (0, 1)),
        epochs=tuple(_epoch(fold, epoch) for fold in (0, 1) for epoch in (1, 2, 3)),
        phases=tuple(_phase(fold) for fold in (0, 1)),
        notices=(),
        predictions=predictions,
        validation=example_predictions(classes, n=6 * classes, seed=1),
        scores=(Score(name="accuracy", value=accuracy, low=accuracy - 0.1, high=1.0),),
        confusion=tuple(tuple(int(cell) for cell in row) for row in confusion),
        threshold=0.5 if classes == 2 else None,
        threshold_from="validation" if classes == 2 else None,
        findings=(),
        environment=Environment(python="3.11", libraries={"torch": "2.13.0", "leukreg": "0.1.0"}),
        seconds=12.5,
    )


def _samples_of(predictions: Predictions) -> Samples:
    rows = tuple(
        Sample(id=file, path=path, label=predictions.classes[label], patient=patient)
        for file, path, label, patient in zip(
            predictions.id, predictions.path, predictions.label, predictions.patient, strict=True
        )
    )
    return Samples(rows=rows, classes=predictions.classes)


def _fold(index: int, predictions: Predictions) -> Fold:
    rows = range(len(predictions))
    test = tuple(row for row in rows if predictions.fold[row] == index)
    rest = [row for row in rows if predictions.fold[row] != index]
    held = {predictions.patient[row] for row in rest if predictions.id[row].endswith("0.png")}
    validation = tuple(row for row in rest if predictions.patient[row] in held)
    train = tuple(row for row in rest if predictions.patient[row] not in held)
    return Fold(index=index, train=train, validation=validation, test=test)


def _epoch(fold: int, epoch: int) -> EpochLog:
    return EpochLog(
        fold=fold,
        phase="all",
        epoch=epoch,
        lr=(1e-3,),
        train_loss=1.2 / epoch,
        validation_loss=1.3 / epoch,
        validation_accuracy=1 - 0.5 / epoch,
        seconds=1.5,
        images=24,
    )


def _phase(fold: int) -> PhaseLog:
    return PhaseLog(
        fold=fold,
        phase="all",
        trainable=1000,
        unfrozen=("stage.0",),
        changed=4,
        epochs=3,
        best_epoch=3,
        stopped="all epochs done",
        lr_first=1e-3,
        lr_asked=1e-3,
    )
