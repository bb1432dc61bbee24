"""Write the weights behind the extractor "cells" from a finished run of cells.toml.

    leukreg run experiments/cells.toml --set 'data.root="path/to/pbc"'
    python experiments/pack_cells.py runs/cells-...

Only the backbone is written (4 MB), with what a reader must know of it as metadata.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from safetensors.torch import save_file

from leukreg.engine.checkpoints import load
from leukreg.runs import read

TARGET = Path("plugins/leukreg_plugins/cells.safetensors")
PREFIX = "backbone."
ATTRIBUTION = (
    "Trained on images of Acevedo et al., A dataset of microscopic peripheral blood cell images, "
    "Data in Brief 2020, CC BY 4.0"
)


def main(run: Path) -> None:
    result = read(run)
    content = load(run / "fold-0" / "model.pt")
    weights = {
        name.removeprefix(PREFIX): value.contiguous()
        for name, value in content["weights"].items()
        if name.startswith(PREFIX)
    }
    figures = {score.name: score.value for score in result.scores if score.label is None}
    metadata = {
        "network": "cellnet",
        "recipe": "experiments/cells.toml",
        "size": str(result.recipe["image"]["size"]),
        "classes": json.dumps(content["classes"]),
        "trained_on": str(len(result.folds[0].train)),
        "tested_on": str(len(result.predictions)),
        "accuracy": f"{figures['accuracy']:.4f}",
        "balanced_accuracy": f"{figures['balanced_accuracy']:.4f}",
        "attribution": ATTRIBUTION,
    }
    TARGET.parent.mkdir(exist_ok=True)
    temporary = TARGET.with_suffix(".part")
    save_file(weights, temporary, metadata)
    temporary.replace(TARGET)
    print(f"{TARGET}: {len(weights)} tensors, {metadata}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
