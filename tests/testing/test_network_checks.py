"""The checks of augmentations and networks can fail, and say what to mend."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from leukreg.testing import check
from tests.testing.faults import Case, faulty, made, refused

# mypy: ignore-errors


CASES: list[Case] = []
bad = partial(faulty, CASES)


@bad("augmentation", "uint8")
def _float(self, image):
    return lambda batch: batch.float()


@bad("augmentation", "keep the shape")
def _cropped(self, image):
    return lambda batch: batch[:, :, 2:]


@bad("augmentation", "in place")
def _in_place(self, image):
    return lambda batch: batch.add_(1)


@bad("augmentation", "same draw")
def _one_draw(self, image):
    return lambda batch: batch.flip(3) if torch.rand(()) < 0.5 else batch.clone()


@bad("augmentation", "same torch seed")
def _own_draw(self, image):
    rng = np.random.default_rng(0)
    return lambda batch: (batch + int(rng.integers(100))).to(torch.uint8)


class Backbone(nn.Module):
    """A small backbone whose faults are set from outside."""

    def __init__(self, **faults: object) -> None:
        super().__init__()
        self.stages = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2))
        self.channels = 8
        self.contract = SimpleNamespace(mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2))
        for name, value in faults.items():
            setattr(self, name, value)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = self.stages(images)
        return self.extra(features) if hasattr(self, "extra") else features


for _sentence, _faults in (
    ("(2, 9, h, w)", {"channels": 9}),
    ("nn.Sequential", {"stages": nn.Conv2d(3, 8, 3)}),
    ("three floats", {"contract": SimpleNamespace(mean=(0.5,), std=(1.0, 1.0, 1.0))}),
    ("0 to 255", {"contract": SimpleNamespace(mean=(124.0,) * 3, std=(58.0,) * 3)}),
    ("not the forward pass", {"extra": nn.ReLU()}),
    ("outside the stages", {"unused": nn.Linear(2, 2)}),
):
    CASES.append(("backbone", _sentence, made(lambda self, faults=_faults: Backbone(**faults))))


@bad("backbone", "frozen")
def _frozen(self):
    return Backbone().requires_grad_(False)


@bad("backbone", "two builds from the same torch seed differ")
def _unseeded(self):
    model = Backbone()
    nn.init.constant_(model.stages[0].bias, float(np.random.default_rng().random()))
    return model


@bad("backbone", "no attribute 'contract'")
def _without(self):
    model = Backbone()
    del model.contract
    return model


@bad("attention", "keep the shape")
def _pooled(self, channels):
    return nn.AdaptiveAvgPool2d(1) if channels != 24 else nn.Identity()


class Detached(nn.Linear):
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features * self.weight.detach().mean().sigmoid()


@bad("attention", "no gradient reaches weight")
def _detached(self, channels):
    return Detached(channels, channels, bias=False)


class Pool(nn.Module):
    """Sums in place of means, the first cell alone, or weights that sum to the number of cells."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way

    def forward(self, cells: torch.Tensor) -> torch.Tensor:
        return cells if self.way == "each" else cells[0].log()

    def weights(self, cells: torch.Tensor) -> torch.Tensor:
        return torch.ones(len(cells)) / (1 if self.way == "heavy" else len(cells))


@bad("aggregator", 'reads must be "probabilities" or "features"')
def _reads_nothing(self, width, labels):
    return Pool("first")


for _way, _sentence in (
    ("each", "it must be (2,)"),
    ("heavy", "of sum 1"),
    ("first", "the order of the cells changes the answer"),
):
    _pool = made(lambda self, width, labels, way=_way: Pool(way), reads="probabilities")
    CASES.append(("aggregator", _sentence, _pool))


@bad("head", "need logits (5, 2)")
def _fixed_head(self, channels, labels):
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 3))


@bad("head", "return logits")
def _softmax_head(self, channels, labels):
    linear = nn.Linear(channels, len(labels))
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear, nn.Softmax(1))


class Hidden(nn.Module):
    """A head that computes with something its state_dict does not hold."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, classes)
        self.seen = 0.0

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.seen += 1.0
        return self.linear(features.mean((2, 3))) + self.seen


@bad("head", "after state_dict and load_state_dict")
def _hidden(self, channels, labels):
    return Hidden(channels, len(labels))


@bad("head", "two passes in eval mode differ")
def _always_random(self, channels, labels):
    class Random(nn.Linear):
        def forward(self, features):
            return super().forward(features.mean((2, 3))) + torch.rand(())

    return Random(channels, len(labels))


class Loss(nn.Module):
    def __init__(self, compute: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.compute = compute

    def forward(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return self.compute(logits, targets)


for _sentence, _compute in (
    ("one finite number", lambda x, t: nn.functional.cross_entropy(x, t, reduction="none")),
    ("mean over the batch", lambda x, t: nn.functional.cross_entropy(x, t, reduction="sum")),
    ("cost no less", lambda x, t: -nn.functional.cross_entropy(x, t)),
    ("log_softmax", lambda x, t: nn.functional.nll_loss(x.softmax(1).log(), t)),
    ("gradient of the logits", lambda x, t: (x * 0).sum()),
):
    CASES.append(("loss", _sentence, made(lambda self, labels, compute=_compute: Loss(compute))))


@bad("loss", "in eval mode the order must not matter")
def _by_place(self, labels):
    def first_counts_more(logits, targets):
        each = nn.functional.cross_entropy(logits, targets, reduction="none")
        return (each * torch.linspace(1, 2, len(each))).mean()

    return Loss(first_counts_more)


@bad("loss", "must not depend on earlier batches")
def _remembering(self, labels):
    class Moving(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("hardness", torch.zeros(()))

        def forward(self, logits, targets):
            loss = nn.functional.cross_entropy(logits, targets)
            self.hardness = 0.9 * self.hardness + 0.1 * loss.detach()
            return loss + self.hardness

    return Moving()


@pytest.mark.parametrize(("kind", "sentence", "cls"), CASES)
def test_a_fault_is_named(kind: str, sentence: str, cls: type) -> None:
    refused(kind, sentence, cls)


def test_a_sound_backbone_passes() -> None:
    check("backbone", made(lambda self: Backbone()))
