"""A trained classifier without its head: one feature vector an image."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from leukreg.engine.classifier import Classifier


class PooledBackbone(nn.Module):
    """From uint8 images ``(b, 3, h, w)`` to features ``(b, dimensions)``, in eval mode."""

    def __init__(self, model: Classifier, size: int) -> None:
        super().__init__()
        self.normaliser = model.normaliser
        self.stages = model.stages
        self.size = size
        self.dimensions = int(model.backbone.channels)  # type: ignore[arg-type]
        self.eval().requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        pixels = images.float()
        if images.shape[-2:] != (self.size, self.size):
            pixels = nn.functional.interpolate(
                pixels, (self.size, self.size), mode="bilinear", antialias=True, align_corners=False
            )
        return cast(Tensor, self.stages(self.normaliser(pixels)).mean((2, 3)))
