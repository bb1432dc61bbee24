"""Generators: how images of a class are made."""

from __future__ import annotations

from typing import Literal

from leukreg import ClassGenerator, DataError, ImageSpec, Labels, did_you_mean, plugin


@plugin("warp")
class Warp:
    """Warped images of another class: the history's way, kept as a baseline.

    It cannot teach the class. Every picture it makes is a rotated, shifted, zoomed, bent and
    recoloured picture of the donor class under another name, so a classifier can only learn the
    warp. Recipes that reproduce the history need it; the audit names it wherever it is used.
    """

    donor: str = "Benign"
    """Class whose images are warped; the result is labelled as the class that is missing."""
    strength: Literal["conservative", "advanced"] = "conservative"
    """How far: "conservative" turns and shifts a little, "advanced" also bends and recolours."""

    def build(self, image: ImageSpec, labels: Labels) -> ClassGenerator:
        """A generator of images of ``image.size`` pixels.

        Raises:
            DataError: There is no class ``donor``.
        """
        if self.donor not in labels.names:
            raise DataError(
                f"warp: there is no class {self.donor!r} to take images from"
                f" (synthesis.donor); {did_you_mean(self.donor, labels.names)}"
            )
        from leukreg_plugins.warping import WarpGenerator

        return WarpGenerator(self.donor, self.strength)
