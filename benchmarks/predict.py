"""Predicting files against a bare PyTorch loop over the same files and models, in one process."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import simplejpeg
import torch
from PIL import Image
from ratio import paired, report

import leukreg
from leukreg.experiment import carry_out
from leukreg.recipe import load, take_fallbacks
from leukreg.registry import installed
from leukreg.runs import RunFolder

LIMIT = 0.9
FLAGGED = {"resnet18": 0.9, "cellnet": 0.7}
"""With flags. Looking for copies costs a quarter of a millisecond an image whatever the network,
and a cellnet at 64 px needs hardly more than a millisecond itself."""
IMAGES = 384
NATIVE = 160
"""Pixels a side of the files."""
RECIPE = """
schema = 1
loss = "cross-entropy"
data = {{ use = "folder", root = "{root}", folds = {{ test = 0.5, validation = 0.5 }} }}
image = {{ size = {size} }}
training = {{ batch_size = 32 }}
evaluate = {{ bootstrap = 0 }}
[model]
backbone = {{ use = "{backbone}", weights = "random" }}
head = "linear"
[[phase]]
name = "only"
optimizer = "adamw"
"""


def write(folder: Path, n: int, seed: int) -> list[Path]:
    """``n`` smooth JPEGs of each of two classes."""
    rng = np.random.default_rng(seed)
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for number in range(n):
            coarse = Image.fromarray(rng.integers(0, 256, (20, 20, 3), dtype=np.uint8))
            coarse.resize((NATIVE, NATIVE)).save(folder / name / f"{number:04}.jpg", quality=92)
    return sorted(folder.rglob("*.jpg"))


def trained(folder: Path, backbone: str, size: int) -> leukreg.Trained:
    """A run of one epoch."""
    root = folder / "training"
    write(root, 24, seed=1)
    path = folder / "bench.toml"
    path.write_text(RECIPE.format(root=root, size=size, backbone=backbone))
    recipe, notices = take_fallbacks(load(path))
    with RunFolder.create(folder / "runs", recipe) as opened:
        return leukreg.load(carry_out(recipe, installed(), opened, notices).folder)


def bare_loop(model: leukreg.Trained, files: list[Path]) -> Callable[[], object]:
    """Decode, resize, stack, run, softmax: what one would write by hand, and nothing else."""
    network, size = model.models[0].model, model.recipe.image.size

    @torch.no_grad()
    def loop() -> torch.Tensor:
        found = []
        for start in range(0, len(files), 32):
            batch = [
                np.asarray(
                    Image.fromarray(simplejpeg.decode_jpeg(file.read_bytes())).resize(
                        (size, size), Image.Resampling.BILINEAR
                    )
                )
                for file in files[start : start + 32]
            ]
            pixels = torch.from_numpy(np.stack(batch)).permute(0, 3, 1, 2)
            found.append(network(pixels).softmax(-1))
        return torch.cat(found)

    return loop


def measure(backbone: str, size: int) -> bool:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["LEUKREG_CACHE"] = str(folder / "cache")
        files = write(folder / "new", IMAGES // 2, seed=2)
        model = trained(folder, backbone, size)
        bare = bare_loop(model, files)
        what = f"{backbone} at {size} px, images a second, leukreg / bare loop"
        plain = paired(bare, lambda: model.assess(files, flags=False), pairs=5)
        model.assess(files[:1])  # looks at the training images once
        flagged = paired(bare, lambda: model.assess(files), pairs=5)
        print(f"      {len(files) / min(plain.theirs):.0f} images a second")
        # Images a second are the inverse of seconds, so the bare loop's stand on top.
        good = report(what, plain, LIMIT, at_least=True)
        return report(f"{what}, with flags", flagged, FLAGGED[backbone], at_least=True) and good


if __name__ == "__main__":
    sys.exit(0 if all([measure("resnet18", 128), measure("cellnet", 64)]) else 1)
