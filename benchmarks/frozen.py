"""Five frozen folds against one: an image goes through frozen layers once, whatever the fold."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from predict import write
from ratio import Ratio, report

from leukreg.experiment import carry_out
from leukreg.recipe import load, take_fallbacks
from leukreg.registry import installed
from leukreg.runs import RunFolder

LIMIT = 1.3
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
    """A whole run, nothing of it in the cache."""
    with tempfile.TemporaryDirectory() as cache:
        os.environ["LEUKREG_CACHE"] = cache
        path = folder / "bench.toml"
        text = RECIPE.format(
            root=folder / "images", size=SIZE, folds=folds, augmentation=augmentation
        )
        path.write_text(text)
        recipe, notices = take_fallbacks(load(path))
        begin = time.perf_counter()
        with RunFolder.create(folder / "runs", recipe) as opened:
            carry_out(recipe, installed(), opened, notices)
        return time.perf_counter() - begin


def measure(augmentation: str) -> bool:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "images", IMAGES // 2, seed=0)
        seconds(folder, "test = 0.2", augmentation)  # what is imported on the way
        five, one = [], []
        for _ in range(ROUNDS):
            five.append(seconds(folder, "k = 5", augmentation))
            one.append(seconds(folder, "test = 0.2", augmentation))
    what = "augmented" if augmentation else "as they are"
    name = f"five frozen folds / one, {IMAGES} images {what}"
    return report(name, Ratio(tuple(five), tuple(one)), LIMIT)


if __name__ == "__main__":
    sys.exit(0 if all([measure(""), measure('augmentation = "conservative"')]) else 1)
