"""A trained generator that comes as a file: does it fit this recipe, and may it be used here?"""

from __future__ import annotations

from pathlib import Path

from leukreg import DataError, Images
from leukreg_gan.archive import Card
from leukreg_gan.content import image_digests


def check_fit(
    path: Path,
    card: Card,
    size: int,
    classes: tuple[str, ...],
    targets: tuple[str, ...] | None,
) -> None:
    """Raises DataError, all mistakes at once, where a file cannot serve this recipe.

    Args:
        targets: The classes that will be asked for; None where that is not known.
    """
    faults = []
    if card.size != size:
        faults.append(
            f"it makes images of {card.size} pixels and image.size is {size}; set that to "
            f"{card.size}"
        )
    if not set(card.classes) & set(classes):
        faults.append(
            f"it makes {', '.join(card.classes)}, none of which is a class of this task "
            f"({', '.join(classes)})"
        )
    elif lacking := [name for name in targets or () if name not in card.classes]:
        faults.append(f"it makes {', '.join(card.classes)}, but not {', '.join(lacking)}")
    if faults:
        raise DataError("\n".join(f"cgan: {path}: {fault}" for fault in faults))


def outside(card: Card, images: Images) -> int:
    """How many of the images that the generator was trained on are not among these rows.

    A donor counts as any other image: it may be what is tested here. One that cannot be told, its
    stain matched or its digest not in the file, is taken to be outside.
    """
    here = set(image_digests(images.pixels(range(len(images)))))
    untold = card.donors - len(card.donor_pixels)
    return untold + sum(digest not in here for digest in (*card.pixels, *card.donor_pixels))


def check_origin(path: Path, card: Card, strangers: int, allowed: bool) -> dict[str, str]:
    """What the lineage of every image must say of where the generator was trained.

    Raises:
        DataError: It was trained on images outside this training fold, and that is not allowed.
    """
    said = {"weights": path.name}
    every = len(card.pixels) + card.donors
    donors = f" ({card.donors:,} of them donors from another source)" if card.donors else ""
    if not strangers:
        return said | {"trained on": f"{every:,} images of this training fold{donors}"}
    what = f"{strangers:,} of its {every:,} training images{donors} are outside this fold"
    if not allowed:
        raise DataError(
            f"cgan: {path}: {what}; they may be the very images that are tested on. Train it anew "
            'inside the fold (leave out weights), or set outside = "allow" where you know that no '
            "tested image is among them"
        )
    return said | {"trained on": what}
