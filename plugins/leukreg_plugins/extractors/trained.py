"""The extractor "run": the trained backbone of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leukreg import plugin, trained_backbone
from leukreg_plugins.weights import sha256

if TYPE_CHECKING:
    from torch import nn


@plugin("run")
class Trained:
    """The trained backbone of a run's first fold: its last feature map, averaged over the image."""

    path: str
    """The run folder, such as runs/v6-20261123-101500-ab12."""

    def ready(self) -> None:
        """Look whether the run and its model are there.

        Raises:
            NotAvailable: They are not.
        """
        trained_backbone(self.path)

    def build(self) -> nn.Module:
        """From uint8 images of any size to features; images are brought to the run's size.

        Raises:
            NotAvailable: The run folder or its model is not there.
            LeukregError: The model does not fit the run's recipe.
        """
        return trained_backbone(self.path).build()

    def describe(self) -> dict[str, str]:
        """The model file's SHA-256, the run and the recipe."""
        found = trained_backbone(self.path)
        return {**found.describe(), "digest": sha256(found.model_path)}
