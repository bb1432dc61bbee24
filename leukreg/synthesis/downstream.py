"""What synthetic images teach: a classifier is taught with them and asked about real ones.

Ravuri and Vinyals, Classification accuracy score for conditional generative models, NeurIPS 2019.
There the classifier is a network. Here it may be one, or a logistic regression on the extractor's
features: that takes a second, but is taken in by traces which please every network that was taught
on such cells.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from leukreg.gate_figures import FakesOnly
from leukreg.progress import SILENT, Progress
from leukreg.synthesis.extractor import shrunk
from leukreg.synthesis.real_images import RealImages, spread

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from leukreg.synthesis.extractor import OpenExtractor

    Pixels = NDArray[np.uint8]
    Seen = NDArray[Any]
    Answers = Callable[[Seen], NDArray[np.int64]]

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


@dataclass(frozen=True, slots=True)
class DownstreamScore:
    """Right answers about real images of some classes."""

    right: int
    """Right answers when the made classes were taught by synthetic images."""
    real: int | None
    """Right answers when they were taught by real training images; None where there are none."""
    of: int
    """Real images asked about."""
    chance: float
    """Share of right answers without looking."""
    pupil: str
    """Who was taught."""

    @classmethod
    def together(cls, parts: Sequence[DownstreamScore]) -> DownstreamScore | None:
        """Several classes as one; chance is to answer the largest of them always."""
        if not parts:
            return None
        real = [part.real for part in parts if part.real is not None]
        of = sum(part.of for part in parts)
        return cls(
            right=sum(part.right for part in parts),
            real=sum(real) if len(real) == len(parts) else None,
            of=of,
            chance=max(parts[0].chance, max(part.of for part in parts) / of),
            pupil=parts[0].pupil,
        )

    def figures(self) -> FakesOnly:
        """Shares, with the 95 % interval of Wilson (JASA 1927) of what the synthetic ones teach."""
        from scipy.stats import binomtest

        bounds = binomtest(self.right, self.of).proportion_ci(method="wilson")
        return FakesOnly(
            score=self.right / self.of,
            low=float(bounds.low),
            high=float(bounds.high),
            chance=self.chance,
            real=None if self.real is None else self.real / self.of,
            asked=self.of,
            pupil=self.pupil,
        )


@dataclass(frozen=True, slots=True)
class DownstreamClassifier:
    """How images are seen, real ones and made ones, and how their classes are learned."""

    real: Callable[[Pixels], Seen]
    made: Callable[[Pixels], Seen]
    taught: Callable[[Seen, NDArray[np.int64]], Answers]


def classifier_of(
    name: str, extractor: OpenExtractor, progress: Progress = SILENT
) -> DownstreamClassifier:
    """The classifier of that name: "regression" or "network"."""
    if name == "network":
        small = functools.partial(shrunk, side=SIDE)
        return DownstreamClassifier(small, small, functools.partial(_network, progress=progress))
    return DownstreamClassifier(extractor.known_features, extractor.features, _regression)


def downstream_scores(
    reference: RealImages,
    made: Mapping[str, Pixels],
    extractor: OpenExtractor,
    name: str,
    progress: Progress = SILENT,
) -> dict[str, DownstreamScore | None]:
    """What the made classes teach; None for a class without real images to ask about.

    Classes that are not made are taught by their real training images. Nobody is asked about
    images that taught.

    Args:
        name: Who is taught: "regression" or "network".
    """
    classes = reference.fitted.samples.classes
    own = classifier_of(name, extractor, progress)
    real = {label: own.real(reference.taught(label, MOST, label in made)) for label in classes}
    fake = {
        label: own.made(pixels[spread(range(len(pixels)), MOST)]) for label, pixels in made.items()
    }
    asked = {label: own.real(reference.asked(label, MOST)) for label in made}
    by_fakes = _right(own, real | fake, asked)
    by_real = _right(own, real, asked)
    taught = sum(len(rows) > 0 for rows in (real | fake).values())
    return {
        label: DownstreamScore(
            right=by_fakes[label],
            real=by_real[label] if len(real[label]) else None,
            of=len(rows),
            chance=1 / taught,
            pupil=name,
        )
        if len(rows)
        else None
        for label, rows in asked.items()
    }


def _right(
    own: DownstreamClassifier, taught: Mapping[str, Seen], asked: Mapping[str, Seen]
) -> dict[str, int]:
    """Right answers per class asked about; classes without rows are never answered."""
    there = {label: rows for label, rows in taught.items() if len(rows)}
    if len(there) < 2:  # nothing to tell apart: always the same answer
        return {label: len(rows) * (label in there) for label, rows in asked.items()}
    told = np.concatenate([np.full(len(rows), n) for n, rows in enumerate(there.values())])
    answers = own.taught(np.concatenate([*there.values()]), told)
    numbers = {label: n for n, label in enumerate(there)}
    return {
        label: int((answers(rows) == numbers.get(label, -1)).sum()) if len(rows) else 0
        for label, rows in asked.items()
    }


def _regression(seen: Seen, told: NDArray[np.int64]) -> Answers:
    """Logistic regression on features; it has no seed and takes a second."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(
        StandardScaler(), LogisticRegression(C=0.1, class_weight="balanced", max_iter=TURNS)
    )
    with warnings.catch_warnings():
        # Classes that fall apart are told apart ever better; the answers have long been settled.
        warnings.simplefilter("ignore", ConvergenceWarning)
        answers: Answers = model.fit(seen.astype(np.float64), told).predict
    return answers


def _network(seen: Seen, told: NDArray[np.int64], progress: Progress) -> Answers:
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
