"""Random blur and erased patches."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from leukreg_plugins.nn.augment import chance, uniform


@dataclass(frozen=True)
class Blur:
    """Blur some images with the binomial kernel 1-2-1 along both sides."""

    probability: float

    def __call__(self, batch: Tensor) -> Tensor:
        """Floats ``(b, 3, h, w)`` to the same shape; the outermost pixels keep their line."""
        chosen = chance(self.probability, batch).nonzero().flatten()
        if len(chosen):
            blurred = _smooth(_smooth(batch[chosen], 3), 2)
            batch = batch.index_copy(0, chosen, blurred)
        return batch


def _smooth(batch: Tensor, dim: int) -> Tensor:
    inner = batch.shape[dim] - 2
    if inner < 1:
        return batch
    out = batch.clone()
    middle = out.narrow(dim, 1, inner).mul_(0.5)
    middle.add_(batch.narrow(dim, 0, inner), alpha=0.25)
    middle.add_(batch.narrow(dim, 2, inner), alpha=0.25)
    return out


@dataclass(frozen=True)
class Erase:
    """Fill a rectangle of some images with the image's mean colour (Zhong et al., 2020)."""

    probability: float
    area: tuple[float, float] = (0.02, 0.15)
    """Smallest and largest share of the image."""

    def __call__(self, batch: Tensor) -> Tensor:
        """Floats ``(b, 3, h, w)``, changed in place."""
        height, width = batch.shape[2:]
        chosen = chance(self.probability, batch)
        side = uniform(*self.area, batch).sqrt()
        stretch = uniform(-math.log(2), math.log(2), batch).mul(0.5).exp()
        share_y, share_x = side * stretch, side / stretch
        top, left = uniform(0, 1, batch) * (1 - share_y), uniform(0, 1, batch) * (1 - share_x)
        boxes = torch.stack([top, top + share_y, left, left + share_x], dim=1)
        for index in chosen.nonzero().flatten().tolist():
            y0, y1, x0, x1 = boxes[index].tolist()
            image = batch[index]
            rows = slice(round(y0 * height), round(y1 * height))
            columns = slice(round(x0 * width), round(x1 * width))
            image[:, rows, columns] = image.mean(dim=(1, 2))[:, None, None]
        return batch
