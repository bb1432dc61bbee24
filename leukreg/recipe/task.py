"""What a recipe asks of its classes, checked once the data have named them."""

from __future__ import annotations

from leukreg.recipe.contradictions import check_classes, check_positive
from leukreg.recipe.mark import undotted
from leukreg.recipe.mistakes import Mistakes
from leukreg.recipe.model import Recipe
from leukreg.recipe.words import show
from leukreg.types import Samples


def check_task(recipe: Recipe, samples: Samples) -> None:
    """Refuse what these samples make impossible: a class of which there is nothing, a threshold
    among three classes, or of a class that nobody named, a synthetic class the task has not.

    Raises:
        Problems: All of it, each with file and line.
    """
    marks = {tuple(map(_part, undotted(key))): mark for key, mark in recipe.where.items()}
    mistakes = Mistakes(marks, str(recipe.path or recipe.name))
    check_classes(samples.classes, recipe.evaluate, recipe.synthesis, mistakes)
    check_positive(samples.classes, recipe.evaluate, recipe.loss, mistakes)
    made = recipe.synthesis.classes if recipe.synthesis else ()
    for name, count in samples.counts().items():
        if count == 0 and name not in made:
            place: tuple[str | int, ...] = ("data", "classes", name)
            at = place if place in marks else ("data",)
            message = f"class {show(name)} has no images, and [synthesis] does not make it"
            mistakes.add(at, message)
    mistakes.stop()


def _part(part: str) -> str | int:
    return int(part) if part.isascii() and part.isdecimal() else part
