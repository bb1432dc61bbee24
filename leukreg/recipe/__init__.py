"""Recipes: TOML to a checked :class:`Recipe`, every mistake at once, with file and line."""

from __future__ import annotations

from leukreg.recipe.load import load as load
from leukreg.recipe.load import parse as parse
from leukreg.recipe.load import rebuild as rebuild
from leukreg.recipe.model import Recipe as Recipe
from leukreg.recipe.settle import settle as settle
from leukreg.recipe.task import check_task as check_task
