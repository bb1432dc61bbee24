"""A recipe that touches every step and still runs in seconds, and processes that can be killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from leukreg.progress import Advance

TINY = """
schema = 1
seed = 3

[data]
use = "demo"
images = 8
size = 32
patients = 6
folds = { k = 2, validation = 0.3, group = "none" }

[image]
size = 32

[model]
backbone = { use = "timm", model = "test_resnet", weights = "random" }
head = { use = "mlp", widths = [8], dropout = 0.5 }

[loss]
use = "focal"
class_weights = "balanced"

[augmentation]
use = "conservative"

[training]
batch_size = 8
threads = 1

[synthesis]
use = "warp"
donor = "Benign"
classes = ["[Malignant] Pro-B"]
per_class = 3
gate = false

[[phase]]
name = "head"
epochs = 2
optimizer = { use = "adamw", lr = 1e-3 }

[[phase]]
name = "all"
unfreeze = "all"
epochs = 2
optimizer = { use = "adamw", lr = 1e-3 }
schedule = { use = "cosine" }

[evaluate]
mc_dropout = { passes = 4 }
tta = { views = 2 }
calibration = { method = "temperature" }
conformal = { coverage = 0.5, method = "aps" }
bootstrap = 20
"""


class Doomed:
    """Progress that ends its own process, as ``kill -9`` would, at the ``at``-th thing it hears.

    Where it is told of a task ``during`` which it is to listen, it hears nothing else.
    """

    def __init__(self, at: int | None, during: str = "") -> None:
        self.at = at
        self.during = during
        self.heard = 0

    def _hear(self, where: str = "") -> None:
        self.heard += self.during in ("", where)
        if self.heard == self.at:
            os.kill(os.getpid(), signal.SIGKILL)

    @contextmanager
    def task(self, title: str, total: int | None = None) -> Iterator[Advance]:
        def advance(steps: int = 1, note: str = "") -> None:
            self._hear(title)

        self._hear(title)
        yield advance
        self._hear(title)

    def say(self, text: str) -> None:
        self._hear()


def work(
    recipe_path: Path, root: Path, folder: Path | None, kill_at: int | None, during: str = ""
) -> int:
    """Begin a run below ``root``, or go on with ``folder``; returns how much progress was heard."""
    from leukreg.experiment import carry_out
    from leukreg.recipe import load, rebuild, take_fallbacks
    from leukreg.registry import installed
    from leukreg.runs import RunFolder

    progress = Doomed(kill_at, during)
    if folder is None:
        recipe, notices = take_fallbacks(load(recipe_path))
        opened = RunFolder.create(root, recipe)
    else:
        opened = RunFolder.open(folder)
        recipe, notices = rebuild(opened.read_json("recipe.json")), ()
    with opened:
        carry_out(recipe, installed(), opened, notices, progress)
    return progress.heard


def _main(
    cache: Path,
    recipe: Path,
    root: Path,
    folder: Path | None,
    kill_at: int | None,
    during: str,
    heard: Path,
) -> None:
    import leukreg.engine.checkpoints

    os.environ["LEUKREG_CACHE"] = str(cache)
    leukreg.engine.checkpoints.EVERY = 0.0  # epochs last milliseconds here; keep each
    heard.write_text(str(work(recipe, root, folder, kill_at, during)))


def in_process(
    cache: Path,
    recipe: Path,
    root: Path,
    folder: Path | None,
    kill_at: int | None,
    during: str = "",
) -> int | None:
    """``work`` in a process of its own; None when it was killed.

    Processes come from a fork server that has imported torch and timm once.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["run_preload"])
    heard = root.parent / f"{root.name}-heard"
    heard.unlink(missing_ok=True)
    asked = (cache, recipe, root, folder, kill_at, during, heard)
    child = context.Process(target=_main, args=asked)
    child.start()
    child.join()
    assert child.exitcode in (0, -signal.SIGKILL), f"the run ended with {child.exitcode}"
    return int(heard.read_text()) if child.exitcode == 0 else None
