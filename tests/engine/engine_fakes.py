"""Small stand-ins for plugins, images and recipes, so that the engine is tested by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, make_dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import nn

from leukreg.recipe.model import (
    DataSpec,
    EvaluateSpec,
    LossSpec,
    McDropoutSpec,
    ModelSpec,
    PhaseSpec,
    Recipe,
    TrainingSpec,
)
from leukreg.registry.plugin_call import Choice
from leukreg.types import Fold, ImageSpec, Labels, Sample, Samples

SIZE = 16
NAMES = ("benign", "pre-b", "pro-b")
LABELS = Labels(names=NAMES, counts=(0, 0, 0))


def choice(kind: str, build: Any, name: str = "fake", **options: Any) -> Choice:
    """A choice of a plugin that is nothing but its ``build``."""
    made = make_dataclass("Fake", list(options), namespace={"build": staticmethod(build)})
    return Choice(kind=kind, name=name, plugin=made(**options), owner="fakes 1.0")


def block(inputs: int, outputs: int, *more: nn.Module) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU(), *more)


class Backbone(nn.Module):
    def __init__(self, widths: Sequence[int] = (8, 16, 16), *more: nn.Module) -> None:
        super().__init__()
        pairs = zip((3, *widths[:-1]), widths, strict=True)
        self.stages = nn.Sequential(*(block(a, b) for a, b in pairs), *more)
        self.channels = widths[-1]
        self.contract = SimpleNamespace(mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.stages(x)


def head(channels: int, labels: Labels, dropout: float = 0.5) -> nn.Sequential:
    return nn.Sequential(
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(channels, 12),
        nn.BatchNorm1d(12),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(12, len(labels)),
    )


def loss(labels: Labels) -> nn.Module:
    weight = None if labels.weights is None else torch.tensor(labels.weights)
    return nn.CrossEntropyLoss(weight=weight)


def shuffled(targets: Sequence[int], groups: Sequence[str], generator: torch.Generator) -> Any:
    return torch.randperm(len(targets), generator=generator).tolist()


def flip(images: torch.Tensor) -> torch.Tensor:
    """Flips images at random, drawing from the global generator."""
    turned = torch.rand(len(images)) < 0.5
    return torch.where(turned.view(-1, 1, 1, 1), images.flip(-1), images)


def noise(images: torch.Tensor) -> torch.Tensor:
    """Changes every image, drawing from the global generator."""
    return images ^ torch.randint(0, 64, images.shape, dtype=torch.uint8)


def noise_there(images: torch.Tensor) -> torch.Tensor:
    """The same on any device, drawn on the CPU."""
    drawn = torch.randint(0, 64, images.shape, dtype=torch.uint8)
    return images ^ drawn.to(images.device)


def adam(lr: float = 1e-2) -> Choice:
    return choice("optimizer", lambda groups: torch.optim.Adam(groups, lr=lr), "adam", lr=lr)


def phase(name: str = "head", **keys: Any) -> PhaseSpec:
    return PhaseSpec(**{"name": name, "optimizer": adam(), "epochs": 2, **keys})


def model(**keys: Any) -> ModelSpec:
    parts = {
        "backbone": choice("backbone", Backbone, "tiny"),
        "head": choice("head", head, "mlp"),
    }
    return ModelSpec(**{**parts, **keys})


def recipe(*phases: PhaseSpec, passes: int | None = None, **keys: Any) -> Recipe:
    source = choice("source", lambda: None)
    mc = None if passes is None else McDropoutSpec(passes=passes)
    parts = {
        "name": "tiny",
        "seed": 4,
        "data": DataSpec(source=source),
        "image": ImageSpec(size=SIZE),
        "model": model(),
        "loss": LossSpec(loss=choice("loss", loss, "cross-entropy")),
        "sampler": choice("sampler", shuffled, "shuffle"),
        "phases": phases or (phase(),),
        "evaluate": EvaluateSpec(mc_dropout=mc),
        "training": TrainingSpec(batch_size=8, threads=1),
    }
    return Recipe(**{**parts, **keys})


def training(plan: Recipe, **keys: Any) -> Recipe:
    return replace(plan, training=replace(plan.training, **keys))


@dataclass(frozen=True)
class FakeImages:
    """Images in memory."""

    samples: Samples
    array: np.ndarray

    def __len__(self) -> int:
        return len(self.samples)

    def pixels(self, rows: Sequence[int]) -> np.ndarray:
        return self.array[list(rows)]


class Killed(BaseException):
    """As sudden as a signal: nothing on the way handles it."""


class Mortal(FakeImages):
    """Images that end the process when they are read for the ``left``-th time."""

    def __init__(self, whole: FakeImages, left: int) -> None:
        super().__init__(whole.samples, whole.array)
        object.__setattr__(self, "left", left)

    def pixels(self, rows: Sequence[int]) -> np.ndarray:
        object.__setattr__(self, "left", self.left - 1)  # type: ignore[has-type]
        if self.left == 0:
            raise Killed
        return super().pixels(rows)


def images(n: int = 42, size: int = SIZE, seed: int = 0) -> FakeImages:
    """``n`` noisy images whose mean colour tells their class; patients of two images each."""
    rng = np.random.default_rng(seed)
    rows, pictures = [], []
    for i in range(n):
        label = i % 3
        base = np.full((size, size, 3), 90)
        base[..., label] += 60
        pictures.append(np.clip(base + rng.normal(0, 40, base.shape), 0, 255).astype(np.uint8))
        name = f"{NAMES[label]}/{i}.png"
        rows.append(Sample(id=name, path=f"/data/{name}", label=NAMES[label], patient=f"p{i // 2}"))
    return FakeImages(Samples(rows=tuple(rows), classes=NAMES), np.stack(pictures))


def fold(n: int = 42) -> Fold:
    rows = tuple(range(n))
    a, b = int(n * 0.6), int(n * 0.8)
    return Fold(index=1, train=rows[:a], validation=rows[a:b], test=rows[b:])


def model_weights(path: Path) -> dict[str, torch.Tensor]:
    weights: dict[str, torch.Tensor] = torch.load(path, weights_only=True)["weights"]
    return weights


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


class Centred(nn.Module):
    """A preprocessing that takes the training images' mean for grey."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros((), dtype=torch.float64))

    def fit(self, images: Any) -> None:
        self.seen = images.pixels(range(len(images)))
        self.mean = torch.from_numpy(self.seen).double().mean()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return (images - self.mean + 128).round().clamp(0, 255).byte()


class Negative(nn.Module):
    """Another, which leaves dark images as they are."""

    def unfit(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1).double().mean(1) < 110

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.where(self.unfit(images)[:, None, None, None], images, 255 - images)


def preprocessings(*modules: Any) -> tuple[Choice, ...]:
    return tuple(
        choice("preprocessing", lambda image, one=one: one(), one.__name__.lower())
        for one in modules or (Negative, Centred)
    )


def long_recipe() -> Recipe:
    """Phases with everything that has a state: schedules, patience, views, dropout, averages."""

    def one_cycle(optimizer: torch.optim.Optimizer, steps: int) -> Any:
        return torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=steps)

    def plateau(optimizer: torch.optim.Optimizer, steps: int) -> Any:
        return torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, factor=0.5)

    return recipe(
        phase("head", epochs=6, schedule=choice("schedule", one_cycle, "one-cycle")),
        phase("last", unfreeze=1, epochs=6, schedule=choice("schedule", plateau, "plateau")),
        phase("all", unfreeze="all", epochs=8, patience=3, clip_norm=1.0),
        phase("mixed", unfreeze=2, epochs=3, ema=0.9, layer_decay=0.5, mixup=0.4, cutmix=1.0),
        preprocessing=preprocessings(Centred),
        augmentation=choice("augmentation", lambda image: noise, "noise"),
    )
