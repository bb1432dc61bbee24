"""A run folder with a trained model in it, made without training."""

from __future__ import annotations

import json
from pathlib import Path

from leukreg.types import Labels

RECIPE = """
schema = 1
name = "small"
data = { use = "demo" }
image = { size = 32 }
loss = "cross-entropy"
[model]
backbone = { use = "cellnet" }
head = { use = "mlp", widths = [4] }
[[phase]]
name = "all"
epochs = 1
unfreeze = "all"
optimizer = { use = "adam", lr = 1e-3 }
"""


def write_run(folder: Path, classes: tuple[str, ...] = ("a", "b")) -> Path:
    """The recipe, the classes and the model of the first fold, as a finished run leaves them."""
    from leukreg.engine.assembly import assemble
    from leukreg.engine.checkpoints import save
    from leukreg.recipe import parse

    recipe = parse(RECIPE)
    model = assemble(recipe, Labels(names=classes, counts=(1,) * len(classes)))
    (folder / "fold-0").mkdir(parents=True)
    (folder / "recipe.json").write_text(json.dumps(recipe.resolved))
    (folder / "classes.json").write_text(json.dumps({"classes": list(classes), "broken": []}))
    content = {"classes": list(classes), "weights": dict(model.state_dict())}
    save(folder / "fold-0" / "model.pt", content)
    return folder
