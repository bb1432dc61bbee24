"""What synthetic images teach: a classifier is taught with them and asked about real ones.

Ravuri and Vinyals, Classification accuracy score for conditional generative models, NeurIPS 2019.
There the classifier is a network. Here it may be one, or a logistic regression on the extractor's
features: that takes a second, but is taken in by traces which please every network that was taught
on such cells.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from leukreg.progress import SILENT, Progress
from leukreg.synthesis.extractor import known_features
from leukreg.synthesis.real_images import RealImages, spread

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from leukreg.synthesis.extractor import OpenExtractor

    Pixels = NDArray[np.uint8]
    Seen = NDArray[Any]

MOST = 400
"""Images of a class that are taught or asked about; more change the answer little."""


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

    def table(self) -> dict[str, Any]:
        """Shares, with the 95 % interval of Wilson (JASA 1927) of what the synthetic ones teach."""
        from scipy.stats import binomtest

        bounds = binomtest(self.right, self.of).proportion_ci(method="wilson")
        return {
            "score": self.right / self.of,
            "low": float(bounds.low),
            "high": float(bounds.high),
            "chance": self.chance,
            "real": None if self.real is None else self.real / self.of,
            "asked": self.of,
            "pupil": self.pupil,
        }


def downstream_scores(
    reference: RealImages,
    made: Mapping[str, Pixels],
    eye: OpenExtractor,
    who: str,
    progress: Progress = SILENT,
) -> dict[str, DownstreamScore | None]:
    """What the made classes teach; None for a class without real images to ask about.

    Classes that are not made are taught by their real training images. Nobody is asked about
    images that taught.

    Args:
        who: The pupil: "regression" or "network".
    """
    classes = reference.fitted.samples.classes
    pupil = classifier_of(who, eye, progress)
    real = {label: pupil.real(reference.taught(label, MOST, label in made)) for label in classes}
    fake = {label: pupil.made(_thinned(pixels)) for label, pixels in made.items()}
    asked = {label: pupil.real(reference.asked(label, MOST)) for label in made}
    by_fakes = _right(pupil, real | fake, asked)
    by_real = _right(pupil, real, asked)
    taught = sum(len(rows) > 0 for rows in (real | fake).values())
    return {
        label: DownstreamScore(
            right=by_fakes[label],
            real=by_real[label] if len(real[label]) else None,
            of=len(asked[label]),
            chance=1 / taught,
            pupil=who,
        )
        if len(asked[label])
        else None
        for label in made
    }


def _right(
    pupil: Classifier, taught: Mapping[str, Seen], asked: Mapping[str, Seen]
) -> dict[str, int]:
    """Right answers per class asked about; classes without rows are never answered."""
    there = {label: rows for label, rows in taught.items() if len(rows)}
    if len(there) < 2:  # nothing to tell apart: always the same answer
        return {label: len(rows) * (label in there) for label, rows in asked.items()}
    told = np.concatenate([np.full(len(rows), n) for n, rows in enumerate(there.values())])
    model = pupil.taught(np.concatenate([*there.values()]), told)
    names = [*there]
    right = {}
    for label, rows in asked.items():
        answers = model.predict(rows).tolist() if len(rows) else []
        right[label] = sum(names[answer] == label for answer in answers)
    return right


def _thinned(pixels: Pixels) -> Pixels:
    return pixels[spread(range(len(pixels)), MOST)]


TURNS = 300
NETWORK_SIDE = 32
"""Pixels a side that the network is shown; larger images are averaged over areas."""
STEPS = 300
NETWORK_BATCH = 64
PEAK_LR = 4e-3
WEIGHT_DECAY = 0.05
LIGHT = 0.2
"""Change of brightness and of contrast at most, while the network is taught."""


class Model(Protocol):
    """What has been taught."""

    def predict(self, seen: Seen) -> NDArray[np.int64]:
        """Class indices ``(n,)`` of what was seen."""


@dataclass(frozen=True, slots=True)
class Classifier:
    """How images are seen, real ones and made ones, and how their classes are learned."""

    real: Callable[[Pixels], Seen]
    made: Callable[[Pixels], Seen]
    taught: Callable[[Seen, NDArray[np.int64]], Model]


def classifier_of(name: str, eye: OpenExtractor, progress: Progress = SILENT) -> Classifier:
    """The pupil of that name: "regression" or "network"."""
    if name == "network":
        return Classifier(_small, _small, lambda seen, told: _network(seen, told, progress))
    return Classifier(lambda pixels: known_features(eye, pixels), eye.features, _regression)


def _regression(seen: Seen, told: NDArray[np.int64]) -> Model:
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
        fitted: Model = model.fit(seen.astype(np.float64), told)
    return fitted


def _small(pixels: Pixels) -> Seen:
    """Pixels ``(n, side, side, 3)`` to at most :data:`SIDE` a side."""
    import torch

    if not len(pixels) or pixels.shape[1] <= NETWORK_SIDE:
        return pixels
    images = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float()
    made = torch.nn.functional.adaptive_avg_pool2d(images, NETWORK_SIDE).round().byte()
    return np.ascontiguousarray(made.permute(0, 2, 3, 1).numpy())


@dataclass(frozen=True, slots=True)
class Network:
    """A network that was taught, in eval mode."""

    module: nn.Module

    def predict(self, seen: Seen) -> NDArray[np.int64]:
        """Class indices ``(n,)`` of pixels ``(n, side, side, 3)``."""
        import torch

        device = next(self.module.parameters()).device
        with torch.no_grad():
            parts = torch.split(torch.from_numpy(seen), NETWORK_BATCH)
            answers = [self.module(_scaled(part.to(device))).argmax(dim=1).cpu() for part in parts]
        found: NDArray[np.int64] = torch.cat(answers).numpy()
        return found


def _network(seen: Seen, told: NDArray[np.int64], progress: Progress) -> Network:
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
            rows = torch.multinomial(odds, NETWORK_BATCH, replacement=True)
            shown = _changed(_scaled(images[rows].to(device)))
            loss = cross_entropy(module(shown), classes[rows].to(device))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            pace.step()
            advance()
    return Network(module.eval())


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
