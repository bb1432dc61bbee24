"""What an exported model takes and gives, as plain data for whoever calls it."""

from __future__ import annotations

from typing import Any

from leukreg import __version__
from leukreg.evaluate.calibration import temperatures_of
from leukreg.predict.export.formats import INPUT, OUTPUT
from leukreg.predict.trained import Trained


def contract(
    trained: Trained, name: str, files: tuple[str, ...], images: int, difference: float
) -> dict[str, Any]:
    """Input, output, classes, threshold, and how the export was compared with leukreg."""
    result, recipe = trained.result, trained.recipe
    size = recipe.image.size
    spec = recipe.evaluate
    threshold = result.threshold
    return {
        "run": result.name,
        "format": name,
        "files": list(files),
        "leukreg": __version__,
        "input": {
            "name": INPUT,
            "type": "uint8",
            "shape": ["batch", size, size, 3],
            "colour": "RGB, 0 to 255",
            "resize": f"upright, squashed (not cropped) to {size} x {size} pixels with Pillow: "
            f"image.resize(({size}, {size}), Image.Resampling.BILINEAR, reducing_gap=3.0)",
            "inside": "normalising and everything after it",
        },
        "output": {
            "name": OUTPUT,
            "type": "float32",
            "shape": ["batch", len(result.samples.classes)],
            "meaning": "class probabilities in the order of classes; rows sum to 1",
        },
        "classes": list(result.samples.classes),
        "threshold": None
        if threshold is None
        else {"class": str(trained.classes_[trained.positive]), "at_least": threshold},
        "folds": len(trained.models),
        "views": spec.tta.views if spec.tta else 1,
        "temperatures": temperatures_of(result.facts) or None,
        "mc_dropout": "not in the export" if spec.mc_dropout else None,
        "compared": {"images": images, "largest_difference": difference},
    }
