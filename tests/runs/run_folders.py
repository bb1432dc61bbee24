"""Run folders without a training: a recipe, a finished run, one of version 0.1."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from leukreg.recipe.model import DataSpec, LossSpec, ModelSpec, PhaseSpec, Recipe
from leukreg.record import RunRecord
from leukreg.registry.plugin_call import Choice
from leukreg.runs import RunFolder
from leukreg.runs.status import read_status, write_status
from leukreg.types import ImageSpec


def recipe(name: str = "v4", path: Path | None = None) -> Recipe:
    any_choice = Choice(kind="loss", name="x", plugin=None, owner="leukreg 0")
    made = Recipe(
        name=name,
        data=DataSpec(source=any_choice),
        image=ImageSpec(size=64),
        model=ModelSpec(backbone=any_choice, head=any_choice),
        loss=LossSpec(loss=any_choice),
        sampler=any_choice,
        phases=(PhaseSpec(name="all", optimizer=any_choice),),
        path=path,
    )
    kept = {"name": name, "seed": 4, "phase": [{"epochs": 1}], "betas": (0.9, 0.999)}
    vars(made)["resolved"] = kept  # as if it said so
    return made


def of_version_1(folder: Path, lines: dict[str, int]) -> None:
    """Make a finished run one of version 0.1: without checksums, its lines counted."""
    (folder / "checksums.txt").unlink()
    write_status(folder, replace(read_status(folder), checksums=None, lines=lines))


def finished(root: Path, result: RunRecord, name: str = "v4") -> RunRecord:
    with RunFolder.create(root, recipe(name)) as folder:
        return folder.keep(result)
