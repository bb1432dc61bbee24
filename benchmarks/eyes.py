"""What ImageNet weights are worth on few and on many cells, frozen and open.

One network on the same splits, from ImageNet or untrained, with so many images of each class to
train on; frozen ones train the head alone, open ones everything after it. One fifth is tested, and
there are no validation rows: with 20 images none can be spared, and nothing is chosen. A setting
that the output has already is not run again, so that a stopped script goes on.

    python benchmarks/eyes.py /path/to/pbc --out eyes.csv --task all --images 20 100
"""

from __future__ import annotations

import argparse
import csv
import itertools
import tempfile
import time
from pathlib import Path

import leukreg

RECIPE = """
schema = 1
name = "eyes"
seed = {seed}

[data]
use = "folder"
root = "{root}"
folds = {{ test = 0.2, validation = 0, limit = {limit} }}
classes = {classes}

[image]
size = {size}

[model]
backbone = {{ use = "{backbone}", weights = "{weights}" }}
head = {{ use = "linear", dropout = 0.2 }}

[loss]
use = "cross-entropy"
smoothing = 0.05
class_weights = "balanced"

[augmentation]
use = "conservative"

[training]
threads = 1
feature_views = {views}

[[phase]]
name = "head"
unfreeze = 0
epochs = {head_epochs}
restore_best = false
optimizer = {{ use = "adamw", lr = 2e-3, weight_decay = 0.01 }}
schedule = "one-cycle"
"""
OPEN = """
[[phase]]
name = "all"
unfreeze = "all"
epochs = {epochs}
restore_best = false
clip_norm = 1.0
optimizer = {{ use = "adamw", lr = {lr}, weight_decay = 0.01 }}
schedule = "one-cycle"
"""
TASKS = {
    "all": {},
    "ig": {
        "mature": ["basophil", "eosinophil", "lymphocyte", "monocyte", "neutrophil"],
        "ig": ["ig"],
    },
}
EPOCHS = {20: 30, 100: 10, 0: 3}
"""Open epochs by images a class; 0 stands for all of them."""
HEAD_EPOCHS = {20: 60, 100: 30, 0: 8}
FIELDS = ("task", "weights", "mode", "images", "seed")


def recipe_of(setting: dict[str, str | int], root: Path, backbone: str, size: int) -> str:
    """The recipe of one setting as TOML."""
    images, task = int(setting["images"]), TASKS[str(setting["task"])]
    names = [*task] or sorted(path.name for path in root.iterdir() if path.is_dir())
    limit = ", ".join(f'"{name}" = {images}' for name in names) if images else ""
    classes = ", ".join(f'"{name}" = {folders}' for name, folders in task.items())
    text = RECIPE + (OPEN if setting["mode"] == "open" else "")
    if not task:
        text = text.replace("classes = {classes}\n", "")
    return text.format(
        seed=setting["seed"],
        root=root,
        limit=f"{{ {limit} }}",
        classes=f"{{ {classes} }}",
        size=size,
        backbone=backbone,
        weights=setting["weights"],
        views=4 if images else 1,
        head_epochs=HEAD_EPOCHS[images],
        epochs=EPOCHS[images],
        lr="3e-4" if setting["weights"] == "imagenet" else "2e-3",
    ) + ('\n[evaluate]\npositive = "ig"\n' if task else "")


def run_one(recipe: str) -> list[str]:
    """Balanced accuracy and AUC with 95 % intervals, and the seconds that it took."""
    with tempfile.TemporaryDirectory(prefix="leukreg-eyes-") as folder:
        path = Path(folder, "eyes.toml")
        path.write_text(recipe, encoding="utf-8")
        begin = time.perf_counter()
        run = leukreg.run(path, runs=Path(folder, "runs"))
        cells = [f"{time.perf_counter() - begin:.0f}"]
    for name in ("balanced_accuracy", "auc"):
        (score,) = (s for s in run.scores if s.name == name and s.label is None)
        values = (score.value, score.low, score.high)
        cells += ["" if value is None else f"{value:.4f}" for value in values]
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("root", type=Path, help="a folder of classes with their cells")
    parser.add_argument("--out", type=Path, required=True, help="a CSV; what it has is not redone")
    parser.add_argument("--task", nargs="*", default=[*TASKS], choices=[*TASKS])
    parser.add_argument("--weights", nargs="*", default=["imagenet", "random"])
    parser.add_argument("--mode", nargs="*", default=["frozen", "open"])
    parser.add_argument("--images", nargs="*", type=int, default=[*EPOCHS], choices=[*EPOCHS])
    parser.add_argument("--seed", nargs="*", type=int, default=[1, 2, 3])
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--backbone", default="efficientnet-lite0")
    args = parser.parse_args()
    if not args.out.exists():
        values = [f"{name}{end}" for name in ("balanced", "auc") for end in ("", "_low", "_high")]
        args.out.write_text(",".join((*FIELDS, "seconds", *values)) + "\n", encoding="utf-8")
    with args.out.open(encoding="utf-8") as stream:
        done = {tuple(row[name] for name in FIELDS) for row in csv.DictReader(stream)}
    axes = itertools.product(args.task, args.images, args.mode, args.seed, args.weights)
    for task, images, mode, seed, weights in axes:
        setting = dict(zip(FIELDS, (task, weights, mode, images, seed), strict=True))
        if tuple(map(str, setting.values())) in done:
            continue
        row = [*setting.values(), *run_one(recipe_of(setting, args.root, args.backbone, args.size))]
        with args.out.open("a", newline="", encoding="utf-8") as stream:
            csv.writer(stream, lineterminator="\n").writerow(row)
        print(*row, flush=True)


if __name__ == "__main__":
    main()
