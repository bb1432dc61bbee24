"""What synthetic images teach: a classifier is taught with them and asked about real ones.

Ravuri and Vinyals, Classification accuracy score for conditional generative models, NeurIPS 2019.
There the classifier is a network. Here it may be one, or a logistic regression on the extractor's
features: that takes a second, but is taken in by traces which please every network that was taught
on such cells.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from leukreg.gate_figures import FakesOnly
from leukreg.progress import SILENT, Progress
from leukreg.synthesis.distances import logistic_regression
from leukreg.synthesis.extractor import shrunk
from leukreg.synthesis.real_images import RealImages, spread

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from leukreg.synthesis.extractor import OpenExtractor

    Pixels = NDArray[np.uint8]
    Seen = NDArray[Any]
    Answers = Callable[[Seen], NDArray[np.int64]]
    Teach = Callable[[Seen, NDArray[np.int64]], Answers]

MOST = 400
"""Images of a class that are taught or asked about; more change the answer little."""
TURNS = 300
SIDE = 32
"""Pixels a side that the network is shown; larger images are averaged over areas."""
STEPS = 300
BATCH = 64
PEAK_LR = 4e-3
WEIGHT_DECAY = 0.05
LIGHT = 0.2
"""Change of brightness and of contrast at most, while the network is taught."""


def fakes_only(right: int, real: int | None, asked: int, chance: float, pupil: str) -> FakesOnly:
    """Right answers about so many real images as shares, with Wilson's 95 % interval (JASA 1927).

    Args:
        right: Right answers when the made classes were taught by synthetic images.
        real: When they were taught by real training images; None where there are none.
        chance: Share of right answers without looking.
        pupil: Who was taught.
    """
    from scipy.stats import binomtest

    bounds = binomtest(right, asked).proportion_ci(method="wilson")
    return FakesOnly(
        score=right / asked,
        low=float(bounds.low),
        high=float(bounds.high),
        chance=chance,
        real=None if real is None else real / asked,
        asked=asked,
        pupil=pupil,
    )


def together(parts: Sequence[FakesOnly]) -> FakesOnly | None:
    """Several classes as one; chance is to answer the largest of them always."""
    if not parts:
        return None
    asked = sum(part.asked for part in parts)
    real = [round(part.real * part.asked) for part in parts if part.real is not None]
    return fakes_only(
        sum(round(part.score * part.asked) for part in parts),
        sum(real) if len(real) == len(parts) else None,
        asked,
        max(parts[0].chance, max(part.asked for part in parts) / asked),
        parts[0].pupil,
    )


def downstream_scores(
    reference: RealImages,
    made: Mapping[str, Pixels],
    extractor: OpenExtractor,
    name: str,
    progress: Progress = SILENT,
) -> dict[str, FakesOnly | None]:
    """What the made classes teach; None for a class without real images to ask about.

    Classes that are not made are taught by their real training images. Nobody is asked about
    images that taught.

    Args:
        name: Who is taught: "regression", on the extractor's features, or "network", on pixels.
    """
    seen: Callable[[Pixels], Seen] = extractor.known_features
    seen_made: Callable[[Pixels], Seen] = extractor.features
    teach: Teach = regression
    if name == "network":
        seen = seen_made = functools.partial(shrunk, side=SIDE)
        teach = functools.partial(network, progress=progress)
    classes = reference.fitted.samples.classes
    real = {label: seen(reference.taught(label, MOST, label in made)) for label in classes}
    fake = {
        label: seen_made(pixels[spread(range(len(pixels)), MOST)]) for label, pixels in made.items()
    }
    asked = {label: seen(reference.asked(label, MOST)) for label in made}
    by_fakes = _right(teach, real | fake, asked)
    by_real = _right(teach, real, asked)
    chance = 1 / sum(len(rows) > 0 for rows in (real | fake).values())
    return {
        label: fakes_only(
            by_fakes[label], by_real[label] if len(real[label]) else None, len(rows), chance, name
        )
        if len(rows)
        else None
        for label, rows in asked.items()
    }


def _right(teach: Teach, taught: Mapping[str, Seen], asked: Mapping[str, Seen]) -> dict[str, int]:
    """Right answers per class asked about; classes without rows are never answered."""
    there = {label: rows for label, rows in taught.items() if len(rows)}
    if len(there) < 2:  # nothing to tell apart: always the same answer
        return {label: len(rows) * (label in there) for label, rows in asked.items()}
    told = np.concatenate([np.full(len(rows), n) for n, rows in enumerate(there.values())])
    answers = teach(np.concatenate([*there.values()]), told)
    numbers = {label: n for n, label in enumerate(there)}
    return {
        label: int((answers(rows) == numbers.get(label, -1)).sum()) if len(rows) else 0
        for label, rows in asked.items()
    }


def regression(seen: Seen, told: NDArray[np.int64]) -> Answers:
    """Logistic regression on features; it has no seed and takes a second."""
    with logistic_regression(class_weight="balanced", max_iter=TURNS) as model:
        answers: Answers = model.fit(seen.astype(np.float64), told).predict
    return answers


def network(seen: Seen, told: NDArray[np.int64], progress: Progress) -> Answers:
    """A small residual network (He et al., CVPR 2016), taught from nothing on pixels.

    All classes are shown equally often. The same seed each time; torch's generators stay as they
    were.
    """
    import torch
    from torch.nn.functional import cross_entropy

    images, classes = torch.from_numpy(np.ascontiguousarray(seen)), torch.from_numpy(told)
    odds = 1 / torch.bincount(classes)[classes].double()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with torch.random.fork_rng(), progress.task("Teaching a network by them", STEPS) as advance:
        torch.manual_seed(0)
        module = _untaught(int(told.max()) + 1).to(device)
        optimizer = torch.optim.AdamW(module.parameters(), PEAK_LR, weight_decay=WEIGHT_DECAY)
        pace = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_LR, total_steps=STEPS)
        for _ in range(STEPS):
            rows = torch.multinomial(odds, BATCH, replacement=True)
            shown = _changed(_scaled(images[rows].to(device)))
            loss = cross_entropy(module(shown), classes[rows].to(device))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            pace.step()
            advance()
    module.eval()

    def answers(seen: Seen) -> NDArray[np.int64]:
        with torch.no_grad():
            parts = torch.split(torch.from_numpy(seen), BATCH)
            found = [module(_scaled(part.to(device))).argmax(dim=1).cpu() for part in parts]
        numbers: NDArray[np.int64] = torch.cat(found).numpy()
        return numbers

    return answers


def _untaught(classes: int) -> nn.Module:
    """Four narrow stages; the stem as for small images, which lose too much in the usual one."""
    from leukreg.vision import import_torchvision

    import_torchvision()
    from timm.models.resnet import BasicBlock, ResNet
    from torch import nn

    block: Any = BasicBlock  # timm asks for an instance, and means the class
    module = ResNet(block, (1, 1, 1, 1), classes, channels=(32, 64, 96, 128))
    module.add_module("conv1", nn.Conv2d(3, 64, 3, stride=2, padding=1, bias=False))
    module.add_module("maxpool", nn.Identity())
    return module


def _scaled(pixels: Tensor) -> Tensor:
    """``(b, side, side, 3)`` to ``(b, 3, side, side)``, -1 to 1; channels-last in memory."""
    return pixels.permute(0, 3, 1, 2).float() * (2 / 255) - 1


def _changed(images: Tensor) -> Tensor:
    """Each image turned to one of the eight positions of a square, its light changed a little."""
    import torch

    draws = torch.rand(3, len(images), 1, 1, 1, device=images.device) < 0.5
    images = torch.where(draws[0], images.flip(3), images)
    images = torch.where(draws[1], images.flip(2), images)
    images = torch.where(draws[2], images.transpose(2, 3), images)
    light, contrast = (
        torch.rand(2, len(images), 1, 1, 1, device=images.device).sub(0.5).mul(2 * LIGHT)
    )
    changed: Tensor = images * (1 + contrast) + light
    return changed
