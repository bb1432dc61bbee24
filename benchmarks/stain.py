"""What preprocessing costs, and gives where the test is a colour-shifted copy of itself.

A network is trained on some cells of each class and scored on others, as they are and after a made
change of stain and light (another laboratory, made: no second one is here). The frozen backbone's
head alone is trained, so that seconds are mostly what preprocessing and the network take.

    python benchmarks/stain.py /path/to/pbc --train 125 --test 100 --seed 1 2 3
"""

from __future__ import annotations

import argparse
import csv
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

import leukreg
from leukreg.runs.contents import read

RECIPE = """
schema = 1
name = "{name}"
seed = {seed}
{preprocessing}

[data]
use = "folder"
root = "{root}"
folds = {{ test = 0.2, validation = 0 }}

[image]
size = {size}

[model]
backbone = "efficientnet-lite0"
head = {{ use = "linear", dropout = 0.2 }}

[loss]
use = "cross-entropy"
smoothing = 0.05

[augmentation]
use = "conservative"

[training]
threads = 1

[[phase]]
name = "head"
unfreeze = 0
epochs = 30
restore_best = false
optimizer = {{ use = "adamw", lr = 2e-3, weight_decay = 0.01 }}
schedule = "one-cycle"
"""
STRENGTH = np.array([1.25, 0.85, 1.1])
"""Of the stain in red, green and blue: factors on optical density."""
LIGHT = np.array([0.97, 0.93, 0.88])
"""Of the lamp in red, green and blue: factors on what the empty slide shows."""


def shifted(path: Path) -> Image.Image:
    """The picture with another stain under another lamp."""
    with Image.open(path) as picture:
        shares = np.asarray(picture.convert("RGB"), np.float64) / 255
    changed = np.maximum(shares, 1 / 255) ** STRENGTH * LIGHT
    return Image.fromarray(np.rint(changed * 255).astype(np.uint8))


def make_folders(root: Path, out: Path, train: int, test: int, seed: int) -> None:
    """``train``, ``plain`` and ``shifted``: the last two hold the same cells."""
    rng = random.Random(seed)
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        files = rng.sample(sorted(folder.glob("*.jpg")), train + test)
        for side in ("train", "plain", "shifted"):
            (out / side / folder.name).mkdir(parents=True)
        for i, path in enumerate(files):
            side = "train" if i < train else "plain"
            (out / side / folder.name / path.name).symlink_to(path.resolve())
            if side == "plain":
                shifted(path).save(out / "shifted" / folder.name / f"{path.stem}.png")


def evaluated(run: str, data: Path, runs: Path) -> list[str]:
    """Balanced accuracy on images from elsewhere with its 95 % interval, and the seconds."""
    before, begin = {*runs.iterdir()}, time.perf_counter()
    command = [sys.executable, "-m", "leukreg", "evaluate", run, "--data", str(data)]
    subprocess.run([*command, "--runs", str(runs)], check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - begin
    (folder,) = {*runs.iterdir()} - before
    (score,) = (s for s in read(folder).scores if s.name == "balanced_accuracy")
    values = (score.value, score.low, score.high)
    return [*("" if value is None else f"{value:.3f}" for value in values), f"{seconds:.0f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("root", type=Path, help="a folder of classes with their cells")
    parser.add_argument("--train", type=int, default=125, help="cells of a class, a fifth unused")
    parser.add_argument("--test", type=int, default=100, help="cells of a class")
    parser.add_argument("--seed", nargs="*", type=int, default=[1, 2, 3])
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument(
        "--preprocessing", nargs="*", default=["none", "reinhard", "macenko", "grey"]
    )
    args = parser.parse_args()
    writer = csv.writer(sys.stdout, lineterminator="\n")
    sides = ("plain", "low", "high", "seconds", "shifted", "low", "high", "seconds")
    writer.writerow(["preprocessing", "seed", "run seconds", *sides])
    for seed in args.seed:
        with tempfile.TemporaryDirectory(prefix="leukreg-stain-") as folder:
            out = Path(folder)
            make_folders(args.root, out, args.train, args.test, seed)
            for name in args.preprocessing:
                line = "" if name == "none" else f'preprocessing = ["{name}"]'
                text = RECIPE.format(
                    name=name, seed=seed, size=args.size, root=out / "train", preprocessing=line
                )
                path, runs, begin = out / f"{name}.toml", out / "runs", time.perf_counter()
                path.write_text(text, encoding="utf-8")
                run = leukreg.run(path, runs=runs)
                cells = [name, seed, f"{time.perf_counter() - begin:.0f}"]
                assert run.folder is not None
                for side in ("plain", "shifted"):
                    cells += evaluated(str(run.folder), out / side, runs)
                writer.writerow(cells)
                sys.stdout.flush()


if __name__ == "__main__":
    main()
