"""What a fold's training state belongs to."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from leukreg.recipe.model import PhaseSpec, Recipe
from leukreg.registry.kinds import Images
from leukreg.registry.plugin_call import Choice
from leukreg.types import Fold, Labels

AT_ONCE = 64
"""Images whose pixels are read at once."""


def fingerprint_of(recipe: Recipe, labels: Labels, images: Images, fold: Fold) -> str:
    """Digest of everything that decides the trained weights, the machine apart."""
    model, training = recipe.model, recipe.training
    parts = [
        recipe.seed,
        recipe.image.size,
        labels.names,
        model.input,
        *(_told(choice) for choice in (model.backbone, model.attention, model.head)),
        *(_told(choice) for choice in (recipe.loss.loss, recipe.loss.class_weights)),
        *(_told(choice) for choice in (recipe.augmentation, recipe.sampler)),
        (training.batch_size, training.feature_views),
        *(_told_phase(phase) for phase in recipe.phases),
        *([images.samples.rows[row].id for row in side] for side in (fold.train, fold.validation)),
        *_made(images, (*fold.train, *fold.validation)),
    ]
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()


def _made(images: Images, rows: Sequence[int]) -> list[str]:
    """Digest of synthetic pixels: other images may have been made under the same ids."""
    made = [row for row in rows if images.samples.rows[row].origin == "synthetic"]
    digest = hashlib.blake2b(digest_size=16)
    for start in range(0, len(made), AT_ONCE):
        digest.update(images.pixels(made[start : start + AT_ONCE]).tobytes())
    return [digest.hexdigest()] if made else []


def _told(choice: Choice | None) -> object:
    return None if choice is None else (choice.name, sorted(choice.options.items()))


def _told_phase(phase: PhaseSpec) -> object:
    plain = {name: value for name, value in vars(phase).items() if not isinstance(value, Choice)}
    return sorted(plain.items()), _told(phase.optimizer), _told(phase.schedule)
