"""Augmentations: random changes of uint8 batches, with an independent draw for each image.

All draws come from torch's global generator. Blood smears have no up or down, so flips and right
angles lose nothing; what makes colours must stay small, since stain is part of what is seen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Le, Lt

from leukreg import ImageSpec, plugin

if TYPE_CHECKING:
    from torch import Tensor

Share = Annotated[float, Ge(0), Lt(1)]
Probability = Annotated[float, Ge(0), Le(1)]
Degrees = Annotated[float, Ge(0), Le(180)]


@plugin("history")
class History:
    """Rotation, shift, zoom and flip, the way of V1 (empty corners repeat the border)."""

    rotation: Degrees = 20.0
    """Largest angle in degrees, either way."""
    shift: Share = 0.1
    """Largest shift along each axis, as a share of the side."""
    zoom: Share = 0.1
    """Largest change of the scale, either way, as a share."""
    flip: Literal["none", "horizontal", "both"] = "horizontal"
    """Mirror half of the images, left to right or also top to bottom."""

    def build(self, image: ImageSpec) -> Callable[[Tensor], Tensor]:
        """A function on uint8 batches ``(b, 3, size, size)``."""
        from leukreg_plugins.nn.transforms import Affine, Pipeline

        affine = Affine(
            rotation=self.rotation,
            shift=self.shift,
            zoom=self.zoom,
            flip_x=self.flip != "none",
            flip_y=self.flip == "both",
            padding="border",
        )
        return Pipeline(on_floats=(affine,))


@plugin("conservative")
class Conservative:
    """Flips, right angles and a little light: no pixel is resampled."""

    brightness: Share = 0.1
    """Largest change of brightness, either way, as a share."""
    contrast: Share = 0.1
    """Largest change of contrast about the image's mean grey, either way, as a share."""

    def build(self, image: ImageSpec) -> Callable[[Tensor], Tensor]:
        """A function on uint8 batches ``(b, 3, size, size)``."""
        from leukreg_plugins.nn.transforms import Light, Pipeline, right_angles

        light = Light(brightness=self.brightness, contrast=self.contrast)
        return Pipeline(on_bytes=(right_angles,), on_floats=(light,))


@plugin("advanced")
class Advanced:
    """Any angle, zoom, shear, light, colour, blur and erased patches; V2's and V5's pipeline."""

    rotation: Degrees = 180.0
    """Largest angle in degrees, either way."""
    shift: Share = 0.1
    """Largest shift along each axis, as a share of the side."""
    zoom: Share = 0.15
    """Largest change of the scale, either way, as a share."""
    shear: Annotated[float, Ge(0), Le(45)] = 5.0
    """Largest shear in degrees, either way."""
    brightness: Share = 0.2
    """Largest change of brightness, either way, as a share."""
    contrast: Share = 0.2
    """Largest change of contrast about the image's mean grey, either way, as a share."""
    saturation: Share = 0.2
    """Largest change of saturation, either way, as a share."""
    hue: Annotated[float, Ge(0), Le(180)] = 6.0
    """Largest turn of the hue in degrees, either way."""
    blur: Probability = 0.25
    """Probability of blurring an image over three pixels."""
    erase: Probability = 0.25
    """Probability of erasing a rectangle of 2 to 15 % of an image (Zhong et al., 2020)."""

    def build(self, image: ImageSpec) -> Callable[[Tensor], Tensor]:
        """A function on uint8 batches ``(b, 3, size, size)``."""
        from leukreg_plugins.nn.transforms import Affine, Blur, Erase, Light, Pipeline

        affine = Affine(
            rotation=self.rotation, shift=self.shift, zoom=self.zoom, shear=self.shear,
            flip_x=True, flip_y=True, padding="reflection",
        )  # fmt: skip
        light = Light(
            brightness=self.brightness,
            contrast=self.contrast,
            saturation=self.saturation,
            hue=self.hue,
        )
        return Pipeline(on_floats=(affine, light, Blur(self.blur), Erase(self.erase)))


@plugin("stain-jitter")
class StainJitter:
    """Flips, right angles, and stains made stronger or weaker (Tellez et al., 2018).

    The image is taken apart into the optical densities of its stains (Ruifrok and Johnston, 2001),
    each is multiplied and shifted at random, and the image put together again.
    """

    space: Literal["hed", "rgb"] = "hed"
    """"hed": haematoxylin, eosin and a third stain, close to the blue and pink of Romanowsky
    stains; "rgb": the optical density of each channel by itself."""
    strength: Annotated[float, Ge(0), Lt(1)] = 0.1
    """Largest change of a stain's density, either way, as a share."""
    bias: Annotated[float, Ge(0), Lt(1)] = 0.02
    """Largest amount added to a stain's density, either way, in units of optical density (base
    e); it colours the background too."""
    right_angles: bool = True
    """Also flip and turn by right angles."""

    def build(self, image: ImageSpec) -> Callable[[Tensor], Tensor]:
        """A function on uint8 batches ``(b, 3, size, size)``."""
        from leukreg_plugins.nn.transforms import Pipeline, Stain, right_angles

        stain = Stain(space=self.space, strength=self.strength, bias=self.bias)
        return Pipeline(on_bytes=(right_angles,) if self.right_angles else (), on_floats=(stain,))
