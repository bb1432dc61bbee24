"""What the two networks are taught by: the hinge loss, and R1 where it is asked for.

Scores have shape ``(b, looks)``; each look of the discriminator is taught by itself.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Hinge loss (Lim and Ye, 2017) of scores: real ones above 1, made ones below -1."""
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def generator_loss(fake: Tensor) -> Tensor:
    """The made images' scores, turned round."""
    return -fake.mean()


def mismatch_loss(scores: Tensor, wrong: Tensor) -> Tensor:
    """Hinge loss of scores of real images under conditions of others: below -1.

    Where ``wrong``, ``(b, 1)``, is False the condition happens to be right, and nothing is asked.
    """
    return (F.relu(1 + scores) * wrong).mean()


def gradient_penalty(scores: Tensor, images: Tensor) -> Tensor:
    """R1 (Mescheder et al., 2018): half the mean squared gradient of the scores of real images.

    The score of an image is the mean over its looks, as the hinge loss takes it: a discriminator
    with more looks is not held back more. ``images`` must require a gradient and be what
    ``scores`` were computed from.
    """
    each = scores.mean(dim=1)
    (gradient,) = torch.autograd.grad(each.sum(), images, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3)).mean() / 2
