"""From what is seen in images to scores: the projection that ends every discriminator."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

GROUP = 8
"""Images that are looked at together, at most."""


class Projection(nn.Module):
    """Scores ``(b,)`` of pooled features ``(b, width)`` under conditions ``(b, conditions)``.

    Miyato and Koyama, 2018: the score is a figure of the image alone plus the product of its
    features with the linearly embedded condition. Beside an image's own features stands how much
    they differ within its group, the ``group`` images that come one after the other (after Karras
    et al., 2018), so that a generator that makes the same picture again and again is found out.

    A batch has its classes one after the other. Its groups are each of one class where every class
    has a multiple of ``group`` images in it: with balance "class", a batch of 64 and 8 classes they
    are, with 3 classes those at two borders mix two classes. ``group`` is the largest power of two
    up to 8 that divides ``batch``: with an odd batch it is 1, nothing differs in a group of one,
    and repeats are not found out.
    """

    def __init__(self, width: int, conditions: int, batch: int = GROUP) -> None:
        super().__init__()
        self.group = math.gcd(batch, GROUP)
        self.score = spectral_norm(nn.Linear(2 * width, 1))
        self.embed = spectral_norm(nn.Linear(conditions, 2 * width, bias=False))

    def beside_spread(self, own: Tensor) -> Tensor:
        """Features ``(b, width)`` to ``(b, 2 * width)``: the deviations in each group follow."""
        groups = own.view(-1, math.gcd(len(own), self.group), own.shape[1])
        spread = groups.var(dim=1, correction=0, keepdim=True).add(1e-6).sqrt()
        return torch.cat([own, spread.expand_as(groups).reshape_as(own)], dim=1)

    def own(self, features: Tensor) -> Tensor:
        """The part of the score that asks for no condition, ``(b,)``."""
        score: Tensor = self.score(features)
        return score.squeeze(1)

    def match(self, features: Tensor, conditions: Tensor) -> Tensor:
        """How well images and conditions go together, ``(b,)``."""
        match: Tensor = (self.embed(conditions) * features).sum(dim=1)
        return match
