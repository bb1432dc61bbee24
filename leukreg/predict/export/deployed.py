"""Everything between a picture's pixels and its probabilities as one module."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from leukreg.engine.classifier import Classifier
from leukreg.engine.views import views
from leukreg.evaluate.calibration import temperatures_of
from leukreg.predict.trained import Trained

TINY = 1e-30
"""Smallest probability whose logarithm is taken in float32."""


class Deployed(nn.Module):
    """From uint8 images ``(n, size, size, 3)``, RGB, to probabilities ``(n, k)`` in float32.

    Normalising, turned views of test-time augmentation, calibration and the mean over folds are
    inside; MC dropout is not, since dropout is off.
    """

    def __init__(self, trained: Trained) -> None:
        super().__init__()
        heat = temperatures_of(trained.result.facts)
        tta = trained.recipe.evaluate.tta
        self.folds = nn.ModuleList(plain(one.model) for one in trained.models)
        self.temperatures = [heat.get(one.fold, 1.0) if heat else None for one in trained.models]
        self.views = tta.views if tta else 1

    def forward(self, images: Tensor) -> Tensor:
        pixels = images.permute(0, 3, 1, 2)
        found = []
        for model, temperature in zip(self.folds, self.temperatures, strict=True):
            seen = [model(view).float().softmax(-1) for view in views(pixels, self.views)]
            p = torch.stack(seen).mean(0)
            if temperature is not None:
                p = (p.clamp(min=TINY).log() / temperature).softmax(-1)
            found.append(p)
        return torch.stack(found).mean(0)


def plain(model: Classifier) -> Classifier:
    """A copy on the CPU, in eval mode and the usual memory layout."""
    own = copy.deepcopy(model).cpu().eval()
    own.set_channels_last(False)
    return own.requires_grad_(False)
