"""The trained backbone of a run, as a network from images to features."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from leukreg.errors import NotAvailable, RunError
from leukreg.files import OF_RUN, read_file
from leukreg.paths import expanded

if TYPE_CHECKING:
    from torch import nn

    from leukreg.recipe.model import Recipe


@dataclass(frozen=True, slots=True)
class TrainedBackbone:
    """The model that a run trained on its first fold."""

    folder: Path
    """The run folder."""
    model_path: Path

    def build(self) -> nn.Module:
        """From uint8 images ``(b, 3, h, w)`` of any size to float32 ``(b, dimensions)``.

        Images are brought to the size of the run (bilinear, antialiased); features are the last
        feature map of the backbone, averaged over its places.

        Raises:
            Problems: A plugin of the run's recipe is gone or has other options now.
            RunError: The run's files are damaged, or the model does not fit the recipe.
        """
        from leukreg.engine.classifier import PooledBackbone
        from leukreg.engine.device import Compute
        from leukreg.engine.inference import load_model
        from leukreg.types import Labels

        recipe = self.recipe()
        classes = tuple(_read(self.folder / "classes.json").get("classes") or ())
        labels = Labels(names=classes, counts=(1,) * len(classes))
        model = load_model(recipe, labels, self.model_path, Compute(device="cpu"))
        return PooledBackbone(model, recipe.read_image.size)

    def recipe(self) -> Recipe:
        """The run's recipe, checked again."""
        from leukreg.recipe import rebuild

        path = self.folder / "recipe.json"
        return rebuild(_read(path), path)

    def describe(self) -> dict[str, str]:
        """Run and backbone by name, and the size of its images in pixels."""
        recipe = self.recipe()
        return {
            "run": self.folder.resolve().name,
            "backbone": recipe.model.backbone.name,
            "size": str(recipe.image.size),
        }


def trained_backbone(path: str | Path) -> TrainedBackbone:
    """The backbone that the run in this folder trained on its first fold.

    Raises:
        NotAvailable: There is no such run folder, or it holds no trained model.
    """
    folder = expanded(path)
    if not (folder / "recipe.json").is_file():
        raise NotAvailable(f"{folder} is no run folder (it has no recipe.json)")
    models = sorted(folder.glob("fold-*/model.pt"))
    if not models:
        raise NotAvailable(
            f"{folder} holds no trained model yet; leukreg run --resume {folder} goes on with it"
        )
    return TrainedBackbone(folder, models[0])


def _read(path: Path) -> dict[str, Any]:
    try:
        return cast("dict[str, Any]", json.loads(read_file(path, OF_RUN)))
    except ValueError as error:
        raise RunError(f"{path} is damaged: no JSON ({error}); {OF_RUN}") from error
