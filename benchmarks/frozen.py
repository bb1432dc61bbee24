"""Five frozen folds against one: an image goes through frozen layers once, whatever the fold."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from predict import write
from ratio import Ratio, report

LIMIT = {"": 1.3, 'augmentation = "conservative"': 1.6}
"""With views of training rows alone: five folds train on half as many images again as one does."""
IMAGES, SIZE, ROUNDS = 480, 128, 3
RECIPE = """
schema = 1
loss = "cross-entropy"
{augmentation}
data = {{ use = "folder", root = "{root}", folds = {{ {folds} }} }}
image = {{ size = {size} }}
evaluate = {{ mc_dropout = {{ passes = 30 }} }}
[model]
backbone = {{ use = "resnet18", weights = "random" }}
head = {{ use = "mlp", widths = [256], dropout = 0.5 }}
[[phase]]
name = "head"
epochs = 8
optimizer = "adamw"
"""


def seconds(folder: Path, folds: str, augmentation: str) -> float:
    """A whole `leukreg run`, nothing of it in the cache."""
    path = folder / "bench.toml"
    text = RECIPE.format(root=folder / "images", size=SIZE, folds=folds, augmentation=augmentation)
    path.write_text(text)
    with tempfile.TemporaryDirectory() as cache:
        command = [sys.executable, "-m", "leukreg", "run", str(path)]
        begin = time.perf_counter()
        subprocess.run(
            command,
            check=True,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            env=os.environ | {"LEUKREG_CACHE": cache},
        )
        return time.perf_counter() - begin


def measure(augmentation: str) -> bool:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "images", IMAGES // 2, seed=0)
        five, one = [], []
        for _ in range(ROUNDS):
            five.append(seconds(folder, "k = 5", augmentation))
            one.append(seconds(folder, "test = 0.2", augmentation))
    what = "augmented" if augmentation else "as they are"
    name = f"five frozen folds / one, {IMAGES} images {what}"
    return report(name, Ratio(tuple(five), tuple(one)), LIMIT[augmentation])


if __name__ == "__main__":
    kept = [measure(augmentation) for augmentation in LIMIT]
    sys.exit(0 if all(kept) else 1)
