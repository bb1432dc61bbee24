"""Peak memory of a run against the number of images: flat."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

LIMIT = 1.15
"""Four times the images may take so many times the memory."""
COUNTS = (2000, 8000)
SIZE = 160


def write(folder: Path, n: int) -> None:
    """``n`` noise JPEGs of two classes; 2,000 are 154 MB of pixels, 8,000 are 614 MB."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(n)
    for name in ("Benign", "ALL"):
        (folder / name).mkdir(parents=True)
        for i in range(n // 2):
            noise = rng.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
            Image.fromarray(noise).save(folder / name / f"{i:05}.jpg")


def train(folder: Path) -> int:
    """Prepare, split and train; returns this process's peak memory in MB."""
    import material

    from leukreg.engine.training import train_fold
    from leukreg.prepare import prepare
    from leukreg.recipe import parse

    text = material.RECIPE.format(size=SIZE, epochs=1, unfreeze=0, views=0)
    # Memory is asked for here, not speed: timm's smallest residual network.
    text = text.replace('"resnet18"', '"timm", model = "test_resnet"')
    source = f'data = {{ use = "folder", root = {str(folder / "images")!r} }}'
    recipe = parse(text.replace('data = { use = "demo" }', source))
    images, record = prepare(recipe, folder / "synthetic")
    train_fold(recipe, material.LABELS, images, record.folds[0], folder / "fold")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (2**20 if sys.platform == "darwin" else 2**10)


def measured(n: int) -> int:
    """Peak memory of a training on ``n`` images, in a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        write(Path(name) / "images", n)
        command = [sys.executable, __file__, name]
        environment = {"LEUKREG_CACHE": f"{name}/cache", "PYTHONPATH": str(Path(__file__).parent)}
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return int(done.stdout.split()[-1])


def main() -> int:
    few, many = (measured(n) for n in COUNTS)
    good = many <= LIMIT * few
    print(
        f"{'good' if good else 'BAD '}  peak memory, {COUNTS[1]:,} / {COUNTS[0]:,} images: "
        f"{many / few:.2f} ({many} MB against {few} MB), at most {LIMIT}"
    )
    return 0 if good else 1


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(train(Path(sys.argv[1])))
    else:
        sys.exit(main())
