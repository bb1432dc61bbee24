"""Small runs, made by leukreg itself, that have between them every fault a rule looks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from leukreg.record import RunRecord
from leukreg.registry import Registry, discover
from tests.strangers import entry_points, install

STRANGER = '''
    from types import SimpleNamespace

    from leukreg import Lineage, hookimpl, plugin


    @plugin("faulty")
    class Faulty:
        """Noise, or the other class's images, for the first class; copies for the others."""

        noise: bool = True

        def build(self, image, labels):
            return Made(image.size, labels.names, self.noise)


    class Made:
        def __init__(self, size, names, noise):
            self.size, self.names, self.noise = size, names, noise

        def fit(self, images, seed, folder):
            self.images = images

        def sample(self, label, n, seed):
            import numpy as np

            rng = np.random.default_rng(seed)
            shown = self.names[1] if label == self.names[0] else label
            rows = [r for r, one in enumerate(self.images.samples.rows) if one.label == shown]
            pixels = rng.integers(0, 256, (n, self.size, self.size, 3), dtype=np.uint8)
            if label != self.names[0] or not self.noise:
                pixels = self.images.pixels([rows[i % len(rows)] for i in range(n)])
            lineage = tuple(Lineage(generator="faulty", seed=seed) for _ in range(n))
            return SimpleNamespace(pixels=pixels, lineage=lineage)


    @plugin("restless")
    class Restless:
        """Counts every image, in eval mode too."""

        def build(self):
            import torch
            from torch import nn

            class Counting(nn.BatchNorm2d):
                def forward(self, x):
                    return nn.functional.batch_norm(
                        x, self.running_mean, self.running_var, self.weight, self.bias, True
                    )

            model = nn.Sequential()
            stage = nn.Sequential(
                nn.Dropout2d(0.5), nn.Conv2d(3, 8, 3, stride=4), Counting(8), nn.ReLU()
            )
            model.stages = nn.Sequential(stage)
            model.channels = 8
            model.contract = SimpleNamespace(mean=(0.5,) * 3, std=(0.25,) * 3)
            return model


    @plugin("doubled")
    class Doubled:
        """Twice the rate that was asked for."""

        def build(self, optimizer, steps):
            from torch.optim.lr_scheduler import LambdaLR

            return LambdaLR(optimizer, lambda step: 2.0)


    @hookimpl
    def leukreg_generators():
        return [Faulty]


    @hookimpl
    def leukreg_backbones():
        return [Restless]


    @hookimpl
    def leukreg_schedules():
        return [Doubled]
'''
BASE: dict[str, Any] = {
    "schema": 1,
    "seed": 3,
    "data": {
        "use": "table",
        "path": "{root}/cells.csv",
        "folds": {"use": "given"},
        "fallback": {"path": "{root}/none.csv"},
    },
    "image": {"size": 32},
    "model": {
        "backbone": {"use": "timm", "model": "test_resnet", "weights": "random"},
        "head": {"use": "mlp", "widths": [8], "dropout": 0.3},
    },
    "loss": {"use": "cross-entropy"},
    "training": {"batch_size": 16, "threads": 1, "device": "cpu"},
    "phase": [{"name": "all", "unfreeze": "all", "optimizer": {"use": "adamw", "lr": 1e-3}}],
    "evaluate": {"bootstrap": 20},
}
COLOURS = {"a": (180, 60, 60), "b": (60, 60, 180), "c": (60, 160, 60)}


@dataclass
class Table:
    """Pictures and the table that lists them."""

    root: Path
    seed: int = 0
    rows: list[str] = field(default_factory=list)
    pixels: dict[str, Any] = field(default_factory=dict)

    def add(
        self, label: str, split: str, n: int = 1, *, name: str = "", patient: str = "",
        colour: str = "", copy: str = "", more: str = ",,",
    ) -> None:  # fmt: skip
        """Pictures of a class on a side: of its own colour, or copies of another."""
        for _ in range(n):
            file = name or f"{label}/{len(self.rows):03d}.png"
            path = self.root / file
            path.parent.mkdir(parents=True, exist_ok=True)
            if file not in self.pixels:
                self.pixels[file] = self.pixels[copy] if copy else self._drawn(colour or label)
                Image.fromarray(self.pixels[file]).save(path)
            self.rows.append(f"{file},{label},{split},{patient},{more}")

    def _drawn(self, colour: str) -> Any:
        rng = np.random.default_rng((self.seed, len(self.rows)))
        small = rng.normal(COLOURS[colour], 40, (8, 8, 3)).clip(0, 255).astype(np.uint8)
        return np.asarray(Image.fromarray(small).resize((32, 32), Image.Resampling.BICUBIC))

    def write(self) -> Path:
        head = "path,label,split,patient,origin,generator,condition"
        (self.root / "cells.csv").write_text("\n".join([head, *self.rows]) + "\n")
        return self.root


@dataclass
class Bench:
    """Where the runs are made, and the plugins they may name."""

    folder: Path
    registry: Registry

    @classmethod
    def of(cls, folder: Path) -> Bench:
        install(folder, "leukreg-faulty", STRANGER)
        install(folder, "leukreg-unfit", 'raise ImportError("no such library")')
        own = metadata.entry_points(group="leukreg")
        return cls(folder, discover([*own, *entry_points(folder)]))

    def run(self, root: Path, *more: str) -> RunRecord:
        """Train and audit; ``more`` are keys as ``--set`` takes them."""

        from leukreg.experiment import carry_out
        from leukreg.recipe import parse, take_fallbacks
        from leukreg.runs import RunFolder

        text = _toml(BASE).replace("{root}", str(root))
        path = self.folder / f"{root.name}.toml"
        recipe, notices = take_fallbacks(parse(text, path, more, self.registry))
        with RunFolder.create(self.folder / "runs", recipe) as opened:
            return carry_out(recipe, self.registry, opened, notices)


def _toml(table: Mapping[str, Any]) -> str:
    return "\n".join(f"{key} = {_value(value)}" for key, value in table.items())


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{k} = {_value(v)}' for k, v in value.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value)


ANY_SPLIT = ("data.folds.group=none", "data.folds.duplicates=ignored")
OTHER = {"a": "b", "b": "a"}


def leaking(bench: Bench) -> Iterator[RunRecord]:
    """Copies, patients and trees across the split, files listed twice, the test watched; then the
    same again with two files more."""
    yield bench.run(
        _leaking(bench.folder / "leaking"),
        *ANY_SPLIT,
        "data.folds.validation_is_test=true",
        "evaluate.on=all",
        "sampler=class-balanced",
        "loss.class_weights=balanced",
        "model.input=divided-twice",
        "model.head.dropout=0.0",
        "evaluate.mc_dropout={ passes = 2 }",
        "phase.0.epochs=3",
        "phase.0.optimizer.lr=1e-300",
        'reported={ accuracy = "1.7" }',
    )
    again = ("data.folds.validation_is_test=true", "phase.0.schedule=doubled")
    yield bench.run(_leaking(bench.folder / "leaking", more=2), *ANY_SPLIT, *again)


def _leaking(root: Path, more: int = 0) -> Path:
    table = Table(root)
    for number in range(12):
        patient = "p1" if number < 8 else ""
        table.add("a", "train", name=f"original/{number}.png", patient=patient)
    table.add("b", "train", 12, patient="p2")
    for number in range(4):
        original, name = f"original/{number}.png", f"segmented/{number}.png"
        table.add("a", "test", name=name, patient="p1", copy=original)
    table.add("b", "test", 4, patient="p2")
    table.add("b", "test", name="b/copy.png", patient="p2", copy="original/0.png")
    table.add("c", "train", 3 + more)
    table.pixels["clear"] = np.full((32, 32, 4), 99, np.uint8)
    table.add("c", "train", name="c/clear.png", copy="clear")
    table.rows.append(table.rows[-1])
    table.add("C", "train", 2, colour="c")
    return table.write()


def swapped(bench: Bench) -> Iterator[RunRecord]:
    """Classes that change places in the test; then in the validation rows, and one class tested."""
    yield bench.run(
        _swapped(bench.folder / "swapped", "test"),
        *ANY_SPLIT,
        "phase.0.epochs=6",
        "phase.0.optimizer.lr=0.01",
        "evaluate.calibration={}",
        "evaluate.conformal={}",
        "evaluate.threshold.fitted_on=scored",
        "evaluate.positive=a",
    )
    there = _swapped(bench.folder / "elsewhere", "validation", tested="a") / "cells.csv"
    yield bench.run(
        bench.folder / "nowhere",
        f"data.fallback.path={there}",
        "data.folds.group=none",
        "data.folds.duplicates=drop",
        "phase.0.epochs=4",
        "phase.0.optimizer.lr=0.03",
        "model.backbone.use=restless",
        "evaluate.mc_dropout={}",
        'evaluate.threshold={ rule = "fixed" }',
        "evaluate.positive=a",
    )


def _swapped(root: Path, side: str, tested: str = "ab") -> Path:
    table = Table(root, seed=5)
    for label in "ab":
        for number in range(5):  # one patient has both classes
            table.add(label, "train", 4, patient=f"{label}{number}" if number else "a0")
        table.add(label, "validation", 20, colour=OTHER[label] if side == "validation" else "")
    for label in tested:
        table.add(label, "test", 60, colour=OTHER[label] if side == "test" else "")
    table.add("a", "validation", name="a/watched.png")
    table.add("a", "test", name="a/copy.png", copy="a/watched.png")
    return table.write()


def evaluated(bench: Bench, original: RunRecord) -> RunRecord:
    """A run's models on images of another class set, one of them a training image."""
    from leukreg import load
    from leukreg.predict.external_validation import evaluate

    others = Table(bench.folder / "others", seed=7)
    others.add("a", "", 4)
    others.add("c", "", 2)
    others.pixels["trained"] = np.asarray(Image.open(original.samples.rows[0].path))
    others.add("a", "", name="a/copy.png", copy="trained")
    others.add("a", "", name="stray.png")
    folder = others.write()
    runs = bench.folder / "runs"
    return evaluate(load(original.folder), folder, registry=bench.registry, runs=runs)


MADE = 'synthesis={ use = "faulty", classes = ["a", "b"], per_class = 12, mix = "replace" }'


def synthetic(bench: Bench) -> Iterator[RunRecord]:
    """One recipe without synthesis, with cells that fail and are kept, with cells left out; and
    cells made before the split."""
    table = Table(bench.folder / "made", seed=9)
    for label in "ab":
        table.add(label, "train", 20)
        table.add(label, "validation", 14)
        table.add(label, "test", 10)
    elsewhere = ',synthetic,gan,"{""trained on"": ""3 images are outside this fold""}"'
    table.add("b", "train", 2, more=elsewhere[1:])
    root = table.write()
    yield bench.run(root)
    yield bench.run(root, MADE, 'synthesis.gate={ fails = "keep" }')
    yield bench.run(
        root, MADE, "synthesis.per_class=10", "synthesis.mix=add", "synthesis.noise=false"
    )
    before = 'classes = ["b"], per_class = 20, place = "before-split", gate = false'
    warped = f'synthesis={{ use = "warp", donor = "a", {before} }}'
    early = Table(bench.folder / "early", seed=6)
    early.add("a", "", 20)
    early.add("b", "", 20)
    folder = f'data={{ use = "folder", root = "{early.write()}" }}'
    yield bench.run(early.root, folder, *ANY_SPLIT, warped)


def folded(bench: Bench) -> RunRecord:
    """Folds whose networks come out far apart: few images, and a fifth of them mislabelled."""
    table = Table(bench.folder / "folded", seed=6)
    for label in "ab":
        table.add(label, "", 20)
    for label in "ab":
        table.add(label, "", 5, colour=OTHER[label])
    folds = "folds = { k = 3, validation = 0.4 }"
    return bench.run(
        table.write(),
        f'data={{ use = "folder", root = "{table.root}", {folds} }}',
        *ANY_SPLIT,
        "seed=6",
        "phase.0.epochs=4",
        "phase.0.optimizer.lr=0.01",
        "evaluate.calibration={}",
        'evaluate.threshold={ rule = "f1" }',
        "evaluate.positive=a",
    )


def stressed(bench: Bench) -> RunRecord:
    """Classes that differ in colour alone, all over the pictures: the middle is not needed."""
    from leukreg import load
    from leukreg.predict.robustness import stress

    table = Table(bench.folder / "stained", seed=8)
    for label in "ab":
        table.add(label, "train", 20)
        table.add(label, "test", 20)
    rates = ("phase.0.epochs=6", "phase.0.optimizer.lr=0.01")
    run = bench.run(table.write(), *ANY_SPLIT, *rates)
    changes = ("centre masked", "stain of another class")
    return stress(load(run.folder), changes, registry=bench.registry)


def of_patients(bench: Bench) -> RunRecord:
    """Answers about few patients; those of one class have more cells."""
    table = Table(bench.folder / "patients", seed=4)
    for label, cells in (("a", 2), ("b", 5)):
        for number in range(12):
            side = "train" if number < 6 else "test"
            table.add(label, side, cells, patient=f"{label}{number}")
    return bench.run(table.write(), 'patients={ aggregator = "mean" }')


def swept(bench: Bench) -> RunRecord:
    """One of two variations between which test figures decide."""
    from leukreg.runs import read
    from leukreg.sweep.driver import drive
    from leukreg.sweep.sweep_file import read_sweep
    from leukreg.sweep.sweep_folder import begin
    from leukreg.sweep.sweep_plan import planned

    table = Table(bench.folder / "swept", seed=9)
    for label in "ab":
        table.add(label, "train", 6)
        table.add(label, "test", 4)
    text = _toml(BASE).replace("{root}", str(table.write()))
    (bench.folder / "varied.toml").write_text(text)
    axis = '"phase.0.optimizer.lr" = [0.001, 0.002]'
    path = bench.folder / "sweep.toml"
    path.write_text(
        f'recipe = "varied.toml"\nexecutor = "here"\nchoose = "test"\nvary = {{ {axis} }}\n'
    )
    asked = read_sweep(path)
    place, plans = begin(asked, planned(asked), bench.folder / "runs")
    workers = asked.spec.executor.plugin.build(2, 1)
    assert drive(place, plans, workers) == ()
    return read(place.parent / f"{place.name}-1")
