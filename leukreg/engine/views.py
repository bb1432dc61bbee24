"""Views of a square image for test-time augmentation: mirrored and turned by right angles.

A cell has no up or down, so each view is as good as the others. The views form a group: a mirrored
or turned image has the same views in another order, hence the same mean.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor


def views(images: Tensor, count: int) -> Iterator[Tensor]:
    """Views of images ``(n, c, s, s)``, the images themselves first.

    Args:
        count: 1: no more; 2: mirrored left to right; 4: turned by 90, 180, 270 degrees; 8: the
            four and their mirror images.
    """
    turns = {1: 1, 2: 1, 4: 4, 8: 4}[count]
    for mirrored in (images, images.flip(-1)) if count in (2, 8) else (images,):
        for turn in range(turns):
            yield torch.rot90(mirrored, turn, (-2, -1)) if turn else mirrored
