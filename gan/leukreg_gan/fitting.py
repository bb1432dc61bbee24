"""Fit once: a training of the same content is looked up, one that was killed goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from leukreg import DataError, Progress, cache_area, write_file
from leukreg_gan.archive import Card, digest_of, read_archive, write_archive
from leukreg_gan.checkpoint import Checkpoint

if TYPE_CHECKING:
    from torch import Tensor

    from leukreg_gan.training import Job, Trained

FILE = "generator.safetensors"
AREA = "generators"

Fitted = tuple[dict[str, "Tensor"], Card]


def fitted(
    key: str, folder: Path | None, job: Callable[[Path], Job], card: Card, progress: Progress
) -> Fitted:
    """The weights and card of the generator of this content: from the cache, or trained now.

    What belongs to a training lies in the cache below its key, so that any run can go on with it;
    file, log and sample grids are copied to ``folder``.

    Args:
        key: Digest of everything that decides the training; size and steps are put before it, so
            that a listing of the cache says what it holds.
        job: From the folder that the training lies in to the training.
        card: What is known of the generator before it is trained.

    Raises:
        TrainingError: A loss is no number.
        DataError: The cache or the folder cannot be written.
    """
    name = f"cgan-{card.size}px-{card.settings['steps']}-steps-{key}"
    home = cache_area(AREA, costly=True) / name
    found = _known(home / FILE, progress)
    if found is None:
        found = _trained(home, job(home), card, progress)
    else:
        weights, known = found
        # In no key: what this recipe says of the same images in other words.
        found = (
            weights,
            replace(known, classes=card.classes, plan=card.plan, attribution=card.attribution),
        )
        progress.say(
            f"cgan: these very images were trained on before with these options ({name[:-20]}); "
            "the generator is used again, nothing is trained"
        )
    if folder is not None:
        _publish(home, folder)
        write_archive(folder / FILE, *found)
    return found


def _known(path: Path, progress: Progress) -> Fitted | None:
    if not path.exists():
        return None
    try:
        return read_archive(path)
    except DataError as error:
        progress.say(f"cgan: {error}; the generator is trained anew")
        return None


def _trained(home: Path, job: Job, card: Card, progress: Progress) -> Fitted:
    from leukreg_gan.training import train

    trained = train(job, progress)
    complete = _complete(card, trained)
    write_archive(home / FILE, trained.weights, complete)
    Checkpoint(home / "last.pt").remove()
    return trained.weights, complete


def _complete(card: Card, trained: Trained) -> Card:
    state = trained.state
    line = next((each for each in state.lines if each.step == state.best_step), None)
    return replace(
        card,
        steps=state.best_step,
        kid=state.best,
        class_kid={} if line is None else dict(line.classes),
        stopped=state.stopped,
        snapshot=digest_of(trained.weights),
    )


def _publish(home: Path, folder: Path) -> None:
    """Copy what a reader wants to see; each file is whole or absent."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Somebody may have cleared the cache meanwhile: the generator itself is in memory.
        for path in sorted(home.iterdir() if home.is_dir() else ()):
            if path.suffix in (".csv", ".png") and not path.name.startswith("."):
                write_file(folder / path.name, path.read_bytes())
    except OSError as error:
        raise DataError(f"{home} cannot be read: {error.strerror or error}") from error
