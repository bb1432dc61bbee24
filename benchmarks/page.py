"""The page of a run with 20,000 scored rows of eight classes: seconds and size.

The run is made up (right four times in five, 300 patients, five folds); what is timed is ``leukreg
report RUN`` as a program, from start to exit, with pictures of 360 x 360 pixels to be read.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from material import RECIPE
from PIL import Image

from leukreg.evaluate.scoring import score
from leukreg.recipe import parse
from leukreg.record import RunRecord
from leukreg.registry import installed
from leukreg.runs import RunFolder
from leukreg.types import EpochLog, Fold, Predictions, Sample, Samples

ROWS = 20_000
SECONDS, MEGABYTES = 15.0, 5.0
CLASSES = tuple(f"class {letter}" for letter in "ABCDEFGH")
FOLDS, PATIENTS, FILES = 5, 300, 200


def pictures(folder: Path) -> list[Path]:
    """Image files of noise, which is slow to read and large to keep."""
    rng = np.random.default_rng(0)
    paths = [folder / f"{number}.jpg" for number in range(FILES)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (360, 360, 3), dtype=np.uint8)).save(path)
    return paths


def made(root: Path, paths: list[Path]) -> Path:
    """A finished run below ``root``, every row scored once."""
    samples = Samples(
        rows=tuple(
            Sample(
                id=f"{i:05}.jpg",
                path=str(paths[i % FILES]),
                label=CLASSES[i % len(CLASSES)],
                patient=f"P{i % PATIENTS}",
            )
            for i in range(ROWS)
        ),
        classes=CLASSES,
    )
    every = set(range(ROWS))
    tests = [tuple(r for r in range(ROWS) if r % PATIENTS % FOLDS == k) for k in range(FOLDS)]
    folds = tuple(
        Fold(index=k, train=tuple(sorted(every - {*test})), validation=(), test=test)
        for k, test in enumerate(tests)
    )
    recipe = parse(RECIPE.format(size=64, epochs=1, unfreeze=0, views=0))
    scored = score(predictions(samples, folds), None, recipe.evaluate, 0, installed())
    epochs = tuple(
        EpochLog(fold=k, phase="all", epoch=e + 1, lr=(1e-3,), train_loss=1 / (e + 1),
                 validation_loss=1.2 / (e + 1), validation_accuracy=0.8, seconds=1.0, images=1)
        for k in range(FOLDS) for e in range(20)
    )  # fmt: skip
    with RunFolder.create(root, recipe) as folder:
        result = RunRecord(
            folder=folder.path, name=folder.name, recipe=recipe.resolved, samples=samples,
            folds=folds, epochs=epochs, phases=(), notices=(), predictions=scored.predictions,
            validation=None, scores=scored.scores, confusion=scored.confusion, threshold=None,
            threshold_from=None, findings=(), seconds=1.0,
        )  # fmt: skip
        return folder.keep(result).folder


def predictions(samples: Samples, folds: tuple[Fold, ...]) -> Predictions:
    rng = np.random.default_rng(1)
    rows = np.array([row for fold in folds for row in fold.test])
    label = rows % len(CLASSES)
    logits = rng.normal(size=(ROWS, len(CLASSES)))
    logits[np.arange(ROWS), label] += 2.4
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    chosen = [samples.rows[row] for row in rows]
    return Predictions(
        classes=CLASSES, row=rows, id=tuple(s.id for s in chosen),
        path=tuple(s.path for s in chosen), patient=tuple(s.patient for s in chosen),
        origin=tuple(s.origin for s in chosen),
        fold=np.array([fold.index for fold in folds for _ in fold.test]), label=label,
        probabilities=p, uncertainty=-(p * np.log(p)).sum(axis=1),
        mutual_information=np.zeros(ROWS),
    )  # fmt: skip


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        run = made(Path(name), pictures(Path(name)))
        begin = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-m", "leukreg", "report", str(run)])
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
        assert os.waitstatus_to_exitcode(status) == 0, "there is no page"
        size = (run / "report.html").stat().st_size / 1e6
    worked = usage.ru_utime + usage.ru_stime
    good = seconds <= SECONDS and size < MEGABYTES
    print(
        f"{'good' if good else 'BAD '}  page of {ROWS:,} rows: {seconds:.1f} s ({worked:.1f} s of "
        f"them at work), at most {SECONDS:.0f} s; {size:.2f} MB, less than {MEGABYTES:.0f} MB"
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
