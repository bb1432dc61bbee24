"""Small real evidence for the rules: rows, sides and predictions, written out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from leukreg import Finding, Fold, Lineage, Predictions, RunRecord, Sample, Samples
from leukreg.record import NO_SAMPLES
from leukreg.types import EpochLog, Origin, PhaseLog


def sample(
    name: str,
    label: str = "Benign",
    patient: str | None = None,
    origin: Origin = "real",
    lineage: Lineage | None = None,
) -> Sample:
    path = f"/data/{name}"
    return Sample(id=name, path=path, label=label, patient=patient, origin=origin, lineage=lineage)


def made(name: str, label: str = "ALL", **lineage: Any) -> Sample:
    """A synthetic row."""
    line = Lineage(generator="warp", seed=1, **lineage)
    return sample(name, label, origin="synthetic", lineage=line)


def rows(*counts: int, classes: Sequence[str] = ("Benign", "ALL")) -> list[Sample]:
    """So many rows of each class, each of its own patient."""
    return [
        sample(f"{c}/{i:03d}.jpg", c, patient=f"{c}-{i}")
        for c, n in zip(classes, counts, strict=True)
        for i in range(n)
    ]


def evidence(
    listed: Sequence[Sample] = (),
    train: Sequence[int] = (),
    test: Sequence[int] = (),
    validation: Sequence[int] = (),
    classes: Sequence[str] = ("Benign", "ALL"),
    **more: Any,
) -> RunRecord:
    """RunRecord of one fold over these rows."""
    samples = Samples(rows=tuple(listed), classes=tuple(classes)) if listed else NO_SAMPLES
    fold = Fold(index=0, train=tuple(train), validation=tuple(validation), test=tuple(test))
    if "reported" in more:
        more["recipe"] = {"reported": more.pop("reported")}
    return RunRecord(samples=samples, **{"folds": (fold,) if train or test else (), **more})


def predictions(
    labels: Sequence[int],
    probabilities: Sequence[Sequence[float]],
    row: Sequence[int] | None = None,
    fold: Sequence[int] | None = None,
    classes: Sequence[str] = ("Benign", "ALL"),
) -> Predictions:
    """Predictions with the most probable class as the answer."""
    n = len(labels)
    numbers = list(row) if row is not None else list(range(n))
    return Predictions(
        classes=tuple(classes),
        row=np.array(numbers, dtype=np.int64),
        id=tuple(f"{i}.jpg" for i in numbers),
        path=tuple(f"/data/{i}.jpg" for i in numbers),
        patient=(None,) * n,
        origin=("real",) * n,
        fold=np.array(fold if fold is not None else [0] * n, dtype=np.int64),
        label=np.array(labels, dtype=np.int64),
        probabilities=np.array(probabilities, dtype=np.float64).reshape(n, len(classes)),
        uncertainty=np.zeros(n),
        mutual_information=np.zeros(n),
    )


def binary(labels: Sequence[int], scores: Sequence[float], **more: Any) -> Predictions:
    """Binary predictions from the positive class's probabilities."""
    return predictions(labels, [[1 - p, p] for p in scores], **more)


def epoch(number: int, loss: float | None, accuracy: float | None = None, **more: Any) -> EpochLog:
    values: dict[str, Any] = {
        "fold": 0, "phase": "head", "lr": (1e-3,), "train_loss": 0.5, "seconds": 1.0, "images": 10,
    }  # fmt: skip
    values |= more
    return EpochLog(epoch=number, validation_loss=loss, validation_accuracy=accuracy, **values)


def phase(**more: Any) -> PhaseLog:
    values: dict[str, Any] = {
        "fold": 0, "phase": "head", "trainable": 100, "unfrozen": (), "changed": 4, "epochs": 5,
        "best_epoch": 3, "stopped": "all epochs done", "lr_first": 1e-3, "lr_asked": 1e-3,
    }  # fmt: skip
    return PhaseLog(**(values | more))


def found(rule: Any, of: RunRecord) -> list[Finding]:
    """What a rule finds; every finding is whole."""
    findings = list(rule.build(of))
    for finding in findings:
        assert finding.rule == type(rule).leukreg_name
        assert "\n" not in finding.message
        assert finding.why
    return findings


def fires(rule: Any, of: RunRecord, severity: str, *words: str) -> None:
    """The rule finds one thing, of this severity, with these words in it."""
    (finding,) = found(rule, of)
    assert finding.severity == severity
    for word in words:
        assert word in finding.message, finding.message


def passes(rule: Any, of: RunRecord) -> None:
    assert found(rule, of) == []
