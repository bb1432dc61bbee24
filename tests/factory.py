"""Finished runs for tests: small tables, scored by leukreg itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leukreg.data.groups import grouped
from leukreg.evaluate.scoring import score
from leukreg.recipe.model import EvaluateSpec, ThresholdSpec
from leukreg.record import Digests, Environment, GitState, RunRecord
from leukreg.registry import installed
from leukreg.types import (
    EpochLog,
    Finding,
    Fold,
    Lineage,
    Notice,
    PhaseLog,
    Predictions,
    Sample,
    Samples,
)

MakeResult = Callable[..., RunRecord]


def _predictions(
    samples: Samples, rows: list[int], folds: list[int], skill: float, seed: int
) -> Predictions:
    rng = np.random.default_rng(seed)
    chosen = [samples.rows[row] for row in rows]
    label = np.array([samples.classes.index(sample.label) for sample in chosen], dtype=np.int64)
    scores = rng.normal(size=(len(rows), len(samples.classes)))
    scores[np.arange(len(rows)), label] += skill
    p = np.exp(scores)
    p /= p.sum(axis=1, keepdims=True)
    entropy = -(p * np.log(p)).sum(axis=1)
    return Predictions(
        classes=samples.classes,
        row=np.array(rows, dtype=np.int64),
        id=tuple(sample.id for sample in chosen),
        path=tuple(sample.path for sample in chosen),
        patient=tuple(sample.patient for sample in chosen),
        origin=tuple(sample.origin for sample in chosen),
        fold=np.array(folds, dtype=np.int64),
        label=label,
        probabilities=p,
        uncertainty=entropy,
        mutual_information=entropy * 0.1,
    )


def _samples(classes: tuple[str, ...], counts: tuple[int, ...], rendered: bool, synthetic: int,
             patients: int) -> Samples:  # fmt: skip
    rows = []
    for name, count in zip(classes, counts, strict=True):
        for number in range(count):
            made = name == classes[-1] and number < synthetic
            lineage = Lineage(generator="warp", seed=number, parent=f"{classes[0]}/0000.png")
            rows.append(
                Sample(
                    id=f"{name}/{number:04d}.png",
                    path=f"/data/{name}/{number:04d}.png",
                    label=name,
                    patient=f"P{number % patients:02d}" if patients else None,
                    origin="synthetic" if made else "rendered" if rendered else "real",
                    lineage=lineage if made else None,
                )
            )
    return Samples(rows=tuple(rows), classes=classes)


def _split(samples: Samples, k: int) -> tuple[Fold, ...]:
    rows = range(len(samples))
    folds = []
    for index in range(k):
        test = tuple(row for row in rows if row % max(k, 5) == index)
        validation = tuple(row for row in rows if row % max(k, 5) == (index + 1) % max(k, 5))
        train = tuple(row for row in rows if row not in {*test, *validation})
        folds.append(Fold(index=index, train=train, validation=validation, test=test))
    return tuple(folds)


def _of_folds(samples: Samples, folds: tuple[Fold, ...], role: str, skill: float, seed: int
              ) -> Predictions:  # fmt: skip
    pairs = [(row, fold.index) for fold in folds for row in getattr(fold, role)]
    return _predictions(samples, [p[0] for p in pairs], [p[1] for p in pairs], skill, seed)


def _epochs(folds: int) -> tuple[EpochLog, ...]:
    return tuple(
        EpochLog(
            fold=fold,
            phase=phase,
            epoch=epoch,
            lr=(1e-3 / epoch, 1e-5),
            train_loss=0.7 / epoch + 0.1 / 3,
            validation_loss=0.8 / epoch + 0.2 / 3,
            validation_accuracy=1 - 0.4 / epoch,
            seconds=1.7,
            images=800,
        )
        for fold in range(folds)
        for phase in ("head", "all")
        for epoch in (1, 2, 3)
    )


def _phases(folds: int) -> tuple[PhaseLog, ...]:
    return tuple(
        PhaseLog(
            fold=fold,
            phase=phase,
            trainable=trainable,
            unfrozen=() if phase == "head" else ("blocks.5", "blocks.6"),
            changed=4 if phase == "head" else 120,
            epochs=3,
            best_epoch=3,
            stopped="all epochs done" if phase == "head" else "no improvement for 10 epochs",
            lr_first=1e-3,
            lr_asked=1e-3,
        )
        for fold in range(folds)
        for phase, trainable in (("head", 362_754), ("all", 4_370_302))
    )


def build_result(
    classes: tuple[str, ...] = ("Benign", "ALL"),
    counts: tuple[int, ...] = (400, 100),
    folds: int = 1,
    patients: int = 12,
    skill: float = 1.0,
    rendered: bool = False,
    synthetic: int = 0,
    threshold: bool = False,
    bootstrap: int = 200,
    reported: Mapping[str, Any] | None = None,
    findings: tuple[Finding, ...] = (),
    notices: tuple[Notice, ...] = (),
    seed: int = 4,
    name: str = "v4-20261123-101500-ab12",
) -> RunRecord:
    samples = _samples(classes, counts, rendered, synthetic, patients)
    split = _split(samples, folds)
    spec = EvaluateSpec(bootstrap=bootstrap, threshold=ThresholdSpec() if threshold else None)
    validation = _of_folds(samples, split, "validation", skill, seed + 1)
    pixels = {row.id: f"{index:032x}" for index, row in enumerate(samples.rows)}
    twins = ((samples.rows[0].id, samples.rows[1].id),)
    validation = grouped(validation, samples.rows, pixels, ())
    tested = grouped(_of_folds(samples, split, "test", skill, seed), samples.rows, pixels, ())
    recipe: dict[str, Any] = {
        "schema": 1,
        "name": "v4",
        "title": "V4: EfficientNet-B0, Benign against ALL",
        "seed": seed,
        "image": {"size": 224},
        "data": {"use": "demo" if rendered else "folder", "folds": {"k": None}},
        "model": {
            "backbone": {"use": "efficientnet-b0", "weights": "imagenet"},
            "attention": None,
            "head": {"use": "mlp", "widths": [128], "dropout": 0.5},
        },
        "loss": {"use": "cross-entropy"},
        "evaluate": {"positive": None},
        "reported": None if reported is None else dict(reported),
        "assumed": {"evaluate.mc_dropout.passes": "the source gives no number"},
    }
    return replace(
        score(tested, validation, spec, seed, installed()),
        folder=Path("runs") / name,
        name=name,
        recipe=recipe,
        samples=samples,
        folds=split,
        epochs=_epochs(folds),
        phases=_phases(folds),
        notices=notices,
        validation=validation,
        findings=findings,
        environment=Environment(
            python="3.11.9",
            libraries={"leukreg": "0.1.0", "torch": "2.13.0", "timm": "1.0.31"},
            git=GitState(commit="63f169d0c0ffee", dirty=True),
        ),
        digests=Digests(data="aa" * 16),
        seconds=131.5,
        pixels=pixels,
        statistics={row.id: (1.5, 0.1 + 0.2, 3.0) for row in samples.rows},
        near_duplicates=twins,
    )


@pytest.fixture
def make_result() -> MakeResult:
    """Builds a finished run: small tables, scored by leukreg itself."""
    return build_result


@pytest.fixture
def tiny_dinobloom(monkeypatch: pytest.MonkeyPatch) -> None:
    """DinoBloom's plugins with a network of 64 channels in the place of theirs."""
    from leukreg_plugins import plugins_in

    for cls in plugins_in("backbones"):
        if str(cls.leukreg_name).startswith("dinobloom"):  # type: ignore[attr-defined]
            monkeypatch.setattr(cls, "timm_name", "test_vit")
