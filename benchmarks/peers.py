"""The same work in leukreg, Lightning, fastai and Keras 3: whole processes from cold, in turn.

    pip install -c constraints.txt -e . -r benchmarks/peers-requirements.txt
    python benchmarks/peers.py ROOT --task finetune frozen folds predict sweep

ROOT has a folder of JPEG files for each class; so many of each are copied, and every process starts
without a cache. A ResNet18 without trained weights is trained at the same size, batch and number of
epochs; leukreg tests, audits and reports what it has trained within its time. What a peer has no
words for (folds) is its one training so many times. timm's training script is not in its wheel.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

LOOPS = Path(__file__).with_name("peer_loops.py")
PEERS = ("lightning", "fastai", "keras")
RECIPE = """
schema = 1
name = "peers"
seed = 1
data = {{ use = "folder", root = "{root}", folds = {folds} }}
image = {{ size = {size} }}
augmentation = {{ use = "conservative" }}
loss = "cross-entropy"
[model]
backbone = {{ use = "resnet18", weights = "random" }}
head = {{ use = "linear", dropout = 0.5 }}
[evaluate]
mc_dropout = {{ passes = 30 }}
[[phase]]
name = "only"
unfreeze = {unfreeze}
epochs = {epochs}
restore_best = false
optimizer = {{ use = "adamw", lr = 1e-3 }}
"""
ONE_FOLD = "{ test = 0.2, validation = 0 }"
Command = Sequence[str | Path]


def copied(source: Path, target: Path, images: int) -> None:
    """The first images of each class, so that every process reads the same files."""
    for folder in sorted(path for path in source.iterdir() if path.is_dir()):
        (target / folder.name).mkdir(parents=True)
        for path in sorted(folder.iterdir())[:images]:
            shutil.copy(path, target / folder.name)


class Tasks:
    """The commands of each task: whose, and what is called one after the other."""

    def __init__(self, root: Path, work: Path, size: int, epochs: int) -> None:
        self.root, self.work, self.size, self.epochs = root, work, size, epochs

    def _recipe(self, name: str, unfreeze: str, folds: str = ONE_FOLD) -> Path:
        path = self.work / f"{name}.toml"
        path.write_text(
            RECIPE.format(
                root=self.root, folds=folds, size=self.size, unfreeze=unfreeze, epochs=self.epochs
            ),
            encoding="utf-8",
        )
        return path

    def _leukreg(self, *words: str | Path) -> Command:
        return (sys.executable, "-m", "leukreg", *words)

    def _run(self, recipe: Path) -> Command:
        return self._leukreg("run", recipe, "--runs", self.work / "runs")

    def _loop(self, peer: str, *words: str) -> Command:
        return (sys.executable, LOOPS, peer, self.root, "--size", str(self.size), *words)

    def finetune(self) -> dict[str, list[Command]]:
        ours = {"leukreg": [self._run(self._recipe("finetune", '"all"'))]}
        return ours | {p: [self._loop(p, "--epochs", str(self.epochs))] for p in PEERS}

    def frozen(self) -> dict[str, list[Command]]:
        ours = {"leukreg": [self._run(self._recipe("frozen", "0"))]}
        return ours | {p: [self._loop(p, "--epochs", str(self.epochs), "--frozen")] for p in PEERS}

    def folds(self) -> dict[str, list[Command]]:
        recipe = self._recipe("folds", "0", "{ count = 5, validation = 0 }")
        alone = self.frozen()
        return {"leukreg": [self._run(recipe)]} | {p: alone[p] * 5 for p in PEERS}

    def predict(self) -> dict[str, list[Command]]:
        self._once(self._run(self._recipe("predict", "0")))
        run = max((self.work / "runs").iterdir(), key=lambda path: path.stat().st_mtime)
        ours = self._leukreg("predict", run, self.root, "--csv", self.work / "answers.csv")
        theirs = {p: [self._loop(p, "--epochs", "0", "--passes", "30")] for p in PEERS}
        return {"leukreg": [ours]} | theirs

    def sweep(self) -> dict[str, list[Command]]:
        recipe = self._recipe("sweep", '"all"')
        words = ("sweep", recipe, "--seeds", "1:8", "--runs", self.work / "runs", "--executor")
        return {
            "leukreg": [self._leukreg(*words, "processes", "--workers", "2")],
            "one worker": [self._leukreg(*words, "here")],
        }

    def _once(self, command: Command) -> float:
        """Seconds of one process, without what an earlier one kept."""
        environment = os.environ | {"LEUKREG_CACHE": tempfile.mkdtemp(dir=self.work)}
        begin = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        if done.returncode not in (0, 1):  # 1: the audit found something to say
            sys.exit(f"{command}\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
        return time.perf_counter() - begin

    def seconds(self, commands: list[Command]) -> float:
        return sum(self._once(command) for command in commands)


def measure(task: Callable[[], dict[str, list[Command]]], tasks: Tasks, rounds: int) -> None:
    """Print each one's median, and its ratio to leukreg's, taken round by round."""
    commands = task()
    taken: dict[str, list[float]] = {who: [] for who in commands}
    for _ in range(rounds):
        for who, calls in commands.items():
            taken[who].append(tasks.seconds(calls))
    for who, times in taken.items():
        ratios = [a / b for a, b in zip(times, taken["leukreg"], strict=True)]
        print(
            f"{task.__name__:9} {who:10} {statistics.median(times):7.1f} s"
            f"  {statistics.median(ratios):6.2f} x leukreg"
            f" ({min(ratios):.2f} to {max(ratios):.2f})",
            flush=True,
        )


def main() -> None:
    names = ("finetune", "frozen", "folds", "predict", "sweep")
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("--task", nargs="*", choices=names, default=names)
    parser.add_argument("--images", type=int, default=60, help="of each class")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="leukreg-peers-") as folder:
        work = Path(folder)
        copied(args.root, work / "images", args.images)
        tasks = Tasks(work / "images", work, args.size, args.epochs)
        for name in args.task:
            measure(getattr(tasks, name), tasks, args.rounds)


if __name__ == "__main__":
    main()
