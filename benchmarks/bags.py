"""Bags of real cells with a stated mixture: does attention find what the mean misses?

A bag stands for a patient: cells drawn without return from folders of classes, of which a stated
share is of one class in half of the bags, and none in the others. Only bags have labels. Each
aggregator is run on the same bags and folds; figures are over bags, with 95 % intervals.

    python benchmarks/bags.py /path/to/pbc --bags 80 --cells 60 --share 0.05

The bags are made tables, no patients: how cells of real patients differ beside this is not in them.
"""

from __future__ import annotations

import argparse
import csv
import random
import sys
import tempfile
import time
from pathlib import Path

import leukreg
from leukreg.files import write_text
from leukreg.text import csv_text

RECIPE = """
schema = 1
name = "bags"
seed = {seed}

[data]
use = "table"
path = "{table}"
weak = true
patients = {{ path = "{labels}" }}
folds = {{ k = {folds}, validation = 0.25, group = "patient", duplicates = "ignored" }}

[image]
size = {size}

[model]
backbone = {{ use = "{backbone}" }}
head = {{ use = "linear", dropout = 0.2 }}

[loss]
use = "cross-entropy"

[training]
batch_size = 32

[[phase]]
name = "head"
unfreeze = 0
epochs = 4
optimizer = {{ use = "adamw", lr = 2e-3, weight_decay = 0.01 }}

[evaluate]
positive = "with"
threshold = {{ rule = "youden" }}
calibration = {{ method = "temperature" }}

[patients]
aggregator = {{ use = "{aggregator}" }}
epochs = 100
patience = 20
optimizer = {{ use = "adamw", lr = 1e-3, weight_decay = 1e-3 }}
"""


def make_bags(
    root: Path, out: Path, bags: int, cells: int, share: float, rare: str, seed: int
) -> tuple[Path, Path]:
    """Write a folder of links for each bag, a table of cells and a table of bags."""
    rng = random.Random(seed)
    folders = sorted(path for path in root.iterdir() if path.is_dir())
    files = {path.name: sorted(path.glob("*.jpg")) for path in folders}
    for one in files.values():
        rng.shuffle(one)
    usual = [path for name in files if name != rare for path in files[name]]
    rng.shuffle(usual)
    images, labels = [["path", "patient"]], [["patient", "label"]]
    wanted = max(1, round(share * cells))
    for number in range(bags):
        name, ill = f"bag{number:03d}", number % 2 == 1
        some = [files[rare].pop() for _ in range(wanted if ill else 0)]
        some += [usual.pop() for _ in range(cells - len(some))]
        rng.shuffle(some)
        images += [[str(path), name] for path in some]
        labels.append([name, "with" if ill else "without"])
    found = out / "cells.csv", out / "bags.csv"
    for path, rows in zip(found, (images, labels), strict=True):
        write_text(path, csv_text(rows))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("root", type=Path, help="a folder of classes with their cells")
    parser.add_argument("--bags", type=int, default=80)
    parser.add_argument("--cells", type=int, default=60, help="cells of a bag")
    parser.add_argument("--share", type=float, default=0.05, help="of the rare class")
    parser.add_argument("--rare", default="ig")
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--backbone", default="efficientnet-lite0")
    parser.add_argument("--aggregators", nargs="*", default=["mean", "top-share", "attention"])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="leukreg-bags-") as folder:
        out = Path(folder)
        table, labels = make_bags(
            args.root, out, args.bags, args.cells, args.share, args.rare, args.seed
        )
        writer = csv.writer(sys.stdout)
        for aggregator in args.aggregators:
            recipe = out / "bags.toml"
            text = RECIPE.format(**vars(args), table=table, labels=labels, aggregator=aggregator)
            write_text(recipe, text)
            begin = time.perf_counter()
            run = leukreg.run(recipe, runs=out / "runs")
            assert run.patients is not None
            for score in run.patients.scores:
                if (score.name, score.label) in {
                    ("auc", None), ("balanced_accuracy", None), ("recall", "with"),
                    ("specificity", "with"),
                } and score.value is not None:  # fmt: skip
                    bounds = [f"{x:.3f}" for x in (score.low, score.high) if x is not None]
                    writer.writerow([aggregator, score.name, f"{score.value:.3f}", *bounds])
            print(f"{aggregator}: {time.perf_counter() - begin:.0f} s", flush=True)


if __name__ == "__main__":
    main()
