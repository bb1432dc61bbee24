"""The audit of an old run: seconds and memory at 20,000 rows, and against 2,000 rows.

The runs are made up (random figures of the pictures, predictions right four times in five); what is
timed is ``leukreg audit RUN`` as a program, from start to exit.
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

from leukreg.evaluate.scoring import score
from leukreg.recipe import parse
from leukreg.record import RunRecord
from leukreg.registry import installed
from leukreg.runs import RunFolder
from leukreg.types import Fold, Predictions, Sample, Samples

COUNTS = (2_000, 20_000)
SECONDS = 20.0
"""What the audit of 20,000 rows may take."""
GROWTH = 1.3
"""Ten times the rows may take so many times the memory."""
CLASSES = ("Benign", "ALL")


def made(n: int, root: Path) -> Path:
    """A finished run of ``n`` rows below ``root``."""
    rows = tuple(
        Sample(
            id=f"{CLASSES[i % 2]}/{i:05}.png",
            path=f"/data/{CLASSES[i % 2]}/{i:05}.png",
            label=CLASSES[i % 2],
            patient=f"P{i % (n // 50)}",
        )
        for i in range(n)
    )
    samples = Samples(rows=rows, classes=CLASSES)
    sides = [
        [r for r in range(n) if (r % (n // 50)) % 5 in which] for which in ((0,), (1,), (2, 3, 4))
    ]
    test, validation, train = (tuple(side) for side in sides)
    rng = np.random.default_rng(n)
    statistics = rng.normal(100, 20, (n, 9)).tolist()
    recipe = parse(RECIPE.format(size=64, epochs=1, unfreeze=0, views=0))
    scored = score(
        predictions(samples, test),
        predictions(samples, validation),
        recipe.evaluate,
        0,
        installed(),
    )
    with RunFolder.create(root, recipe) as folder:
        result = RunRecord(
            folder=folder.path, name=folder.name, recipe=recipe.resolved, samples=samples,
            folds=(Fold(index=0, train=train, validation=validation, test=test),), epochs=(),
            phases=(), notices=(), predictions=scored.predictions,
            validation=predictions(samples, validation), scores=scored.scores,
            confusion=scored.confusion, threshold=scored.threshold,
            threshold_from=scored.threshold_from, findings=(),
            seconds=1.0,
            pixels={row.id: f"{i:032x}" for i, row in enumerate(rows)},
            statistics={row.id: tuple(statistics[i]) for i, row in enumerate(rows)},
        )  # fmt: skip
        return folder.keep(result).folder


def predictions(samples: Samples, rows: tuple[int, ...]) -> Predictions:
    """Probabilities of .8 for the right class in four rows of five."""
    n = len(rows)
    chosen = [samples.rows[row] for row in rows]
    label = np.array([samples.classes.index(sample.label) for sample in chosen])
    right = np.random.default_rng(n).random(n) < 0.8
    first = np.where((label == 0) == right, 0.8, 0.2)
    return Predictions(
        classes=samples.classes, row=np.array(rows), id=tuple(s.id for s in chosen),
        path=tuple(s.path for s in chosen), patient=tuple(s.patient for s in chosen),
        origin=tuple(s.origin for s in chosen), fold=np.zeros(n, np.int64), label=label,
        probabilities=np.stack([first, 1 - first], 1), uncertainty=np.full(n, 0.5),
        mutual_information=np.zeros(n),
    )  # fmt: skip


def measured(run: Path) -> tuple[float, int]:
    """Seconds and peak memory (MB) of the audit of a run, each process's own."""
    command = [sys.executable, "-m", "leukreg", "audit", str(run)]
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begin
    assert os.waitstatus_to_exitcode(status) in (0, 1), "the audit failed"
    return seconds, usage.ru_maxrss // (2**20 if sys.platform == "darwin" else 2**10)


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        runs = [made(n, Path(name)) for n in COUNTS]
        measured(runs[0])  # byte code, caches
        (few, little), (many, much) = (measured(run) for run in runs)
    good = many <= SECONDS and much <= GROWTH * little
    print(
        f"{'good' if good else 'BAD '}  audit of {COUNTS[1]:,} rows: {many:.1f} s, at most "
        f"{SECONDS:.0f} s ({few:.1f} s for {COUNTS[0]:,}); {much} MB against {little} MB, at most "
        f"{GROWTH} times as much"
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
