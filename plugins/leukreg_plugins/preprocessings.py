"""Preprocessings: what is done to every image, alike in training, prediction and export.

The stain normalisers bring each image to the look of the training fold's. A normaliser changes what
the stain says of a cell, too: nuclei differ by how dark they are. Whether it helps is a question to
the figures, not to the eye.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Gt, Le, Lt

from leukreg import ImageSpec, plugin

if TYPE_CHECKING:
    from torch import nn


@plugin("reinhard")
class Reinhard:
    """Colour transfer: mean and deviation of each channel as in training (Reinhard et al., 2001).

    In the space l-alpha-beta of the paper (Ruderman et al., 1998), over the whole picture: where a
    cell fills more of it than the training fold's cells do, it comes out paler. Fitted on the means
    over the training images. A picture without contrast is left as it is.

    Reference: Reinhard, Ashikhmin, Gooch and Shirley, IEEE Computer Graphics and Applications 2001.
    """

    def build(self, image: ImageSpec) -> nn.Module:
        """A module on uint8 images ``(b, h, w, 3)``."""
        from leukreg_plugins.nn.stain_normalisation import ColourTransfer

        return ColourTransfer()


@plugin("macenko")
class Macenko:
    """The two stains' colours and strengths as in training (Macenko et al., 2009).

    Made for haematoxylin and eosin. Of a smear's two stains the first is here the one that lets
    more blue through (azure, in nuclei), the second the other (eosin, with haemoglobin). Each
    image's two are replaced by the medians over the training images. A picture with too few stained
    pixels, or with one stain alone, is left as it is. What is of neither stain is lost.

    Reference: Macenko et al., IEEE International Symposium on Biomedical Imaging 2009.
    """

    light: Annotated[float, Gt(0), Le(255)] = 240.0
    """What the empty slide shows, 0 to 255."""
    stained: Annotated[float, Gt(0), Lt(2)] = 0.15
    """Optical density (base e) of a stained pixel, the mean of its channels, at least."""
    outliers: Annotated[float, Ge(0), Lt(0.25)] = 0.01
    """Share of the stained pixels that is left out at either end in finding the stains, and at the
    upper end in finding how strong they are."""

    def build(self, image: ImageSpec) -> nn.Module:
        """A module on uint8 images ``(b, h, w, 3)``."""
        from leukreg_plugins.nn.stain_normalisation import StainTransfer

        return StainTransfer(light=self.light, stained=self.stained, outliers=self.outliers)


@plugin("grey")
class Grey:
    """Brightness alone, in three equal channels (ITU-R 601, as Pillow's "L")."""

    def build(self, image: ImageSpec) -> nn.Module:
        """A module on uint8 images ``(b, h, w, 3)``."""
        from leukreg_plugins.nn.stain_normalisation import Luma

        return Luma()


@plugin("centre-crop")
class CentreCrop:
    """The middle of the picture, at the image size.

    Images are read so much larger that the middle has ``image.size`` pixels by itself: nothing is
    enlarged afterwards, and of the original's resolution nothing is lost that a larger
    ``image.size`` would keep. Decoded pixels take ``1 / share`` squared the room. Synthetic images
    are made at the larger size too: with a generator that makes some sizes only, choose a share
    that leads to one of them.
    """

    share: Annotated[float, Ge(0.1), Le(1)] = 0.75
    """Of the side, what is kept."""

    def before(self, image: ImageSpec) -> ImageSpec:
        """The images it takes: larger by an even number of pixels."""
        return ImageSpec(size=image.size + 2 * round(image.size * (1 / self.share - 1) / 2))

    def build(self, image: ImageSpec) -> nn.Module:
        """A module from uint8 images ``(b, h, w, 3)`` to their middle."""
        from leukreg_plugins.nn.stain_normalisation import Middle

        return Middle(image.size)
