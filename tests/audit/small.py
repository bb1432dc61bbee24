"""Shipped recipes made small: rendered cells of 32 pixels, a tiny network, one epoch a phase."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from leukreg.experiment import carry_out
from leukreg.recipe import load, take_fallbacks
from leukreg.record import RunRecord
from leukreg.registry import installed
from leukreg.runs import RunFolder

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
SMALL = (
    "image.size=32",
    'model.backbone={ use = "timm", model = "test_resnet", weights = "random" }',
    "training.threads=1",
    "training.device=cpu",
    "training.batch_size=16",
    "evaluate.bootstrap=0",
    "data.fallback.size=32",
)
MADE = 12
"""Synthetic images per class."""


def overrides(name: str) -> list[str]:
    """What makes a shipped recipe small and leaves its faults, or their repair, as they are."""
    recipe = load(EXPERIMENTS / f"{name}.toml")
    chosen = [*SMALL, *(f"phase.{n}.epochs=1" for n in range(len(recipe.phases)))]
    if recipe.synthesis is not None:
        chosen.append(f"synthesis.per_class={MADE}")
    if recipe.evaluate.mc_dropout is not None:
        chosen.append("evaluate.mc_dropout.passes=2")
    if name.endswith("repaired"):  # five folds of patients need more of them
        return [*chosen, "data.fallback.images=24", "data.fallback.patients=24"]
    return [*chosen, "data.fallback.images=16"]


def trained(name: str, root: Path, more: Sequence[str] = ()) -> RunRecord:
    """Run a shipped recipe small, below ``root``."""
    path = EXPERIMENTS / f"{name}.toml"
    recipe, notices = take_fallbacks(load(path, [*overrides(name), *more]))
    with RunFolder.create(root, recipe) as folder:
        return carry_out(recipe, installed(), folder, notices)
