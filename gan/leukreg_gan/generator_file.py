"""A trained generator as a file: what it says of itself, and whether it may be used here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from leukreg import DataError, Images, __version__, write_file

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

FORMAT = "leukreg {} 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a generator's file says of itself."""

    classes: tuple[str, ...]
    """Classes it can make."""
    plan: Mapping[str, Any]
    """What images of each class are made under (:class:`.conditions.Plan`), plain."""
    size: int
    channels: int
    latent: int
    settings: Mapping[str, Any]
    seed: int
    steps: int = 0
    """Step of the snapshot."""
    kid: float | None = None
    """Mean over the classes, to held-out images, in the features of ``extractor``."""
    class_kid: Mapping[str, float] = field(default_factory=dict)
    extractor: str
    """Name and digest, or nothing where no image was held out."""
    images: Mapping[str, int]
    """Training images by class, held-out ones and donors among them."""
    donors: int
    """How many of them come from another source."""
    pixels: tuple[str, ...]
    """Short digest of the pixels of each of the others, sorted."""
    donor_pixels: tuple[str, ...] = ()
    """The same of each donor, as it was trained on: one whose stain was matched is not found by its
    file. Older files have none."""
    attribution: str
    version: str = __version__
    stopped: str = ""
    """Why the training ended early, if it did."""
    snapshot: str = ""
    """Digest of the weights."""


def write_archive(path: Path, family: str, weights: Mapping[str, Tensor], card: Card) -> None:
    """Write weights and card as safetensors, whole or not at all.

    Raises:
        WriteError: The disk is full, or the folder cannot be written.
    """
    from safetensors.torch import save

    plain = {name: value.detach().cpu().contiguous() for name, value in weights.items()}
    text = json.dumps(asdict(card), ensure_ascii=False)
    head = {"format": FORMAT.format(family), "card": text, "digest": _digest(text)}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, save(plain, head))


def read_archive(path: Path, family: str) -> tuple[dict[str, Tensor], Card]:
    """Weights and card of a file, never running code from it.

    Raises:
        DataError: There is no such file, it is damaged, or no generator of this family.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file") from error
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path} cannot be read as safetensors: {error}") from error
    if metadata.get("format") != FORMAT.format(family):
        said = FORMAT.format(family)
        raise DataError(
            f"{path} is no trained generator of {family} (it says no {said!r} in its head)"
        )
    if metadata.get("digest") not in (None, _digest(metadata.get("card", ""))):
        raise DataError(f"{path} is damaged: its head is not as it was written")
    try:
        plain = json.loads(metadata["card"])
        lists = {name: tuple(plain[name]) for name in ("classes", "pixels")}
        lists["donor_pixels"] = tuple(plain.get("donor_pixels", ()))
        card = Card(**{**plain, **lists})
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} is damaged: its head cannot be read ({error})") from error
    if digest_of(weights) != card.snapshot:
        raise DataError(f"{path} is damaged: its weights are not those its head tells of")
    return weights, card


def digest_of(weights: Mapping[str, Tensor]) -> str:
    """Digest of the weights' values, 32 hexadecimal figures."""
    state = hashlib.blake2b(digest_size=16)
    for name in sorted(weights):
        state.update(f"{name} {tuple(weights[name].shape)}\n".encode())
        state.update(weights[name].detach().cpu().contiguous().numpy().tobytes())
    return state.hexdigest()


def image_digests(pixels: NDArray[np.uint8]) -> tuple[str, ...]:
    """Digest of each image ``(n, size, size, 3)``, 16 hexadecimal figures."""
    whole = np.ascontiguousarray(pixels)
    return tuple(hashlib.blake2b(image.data, digest_size=8).hexdigest() for image in whole)


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def check_fit(
    file: str,
    card: Card,
    size: int,
    classes: tuple[str, ...],
    targets: tuple[str, ...] | None,
) -> None:
    """Raises DataError, all mistakes at once, where a file cannot serve this recipe.

    Args:
        file: How the message calls it.
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
        raise DataError("\n".join(f"{file}: {fault}" for fault in faults))


def check_origin(file: str, card: Card, images: Images, allowed: bool) -> dict[str, str]:
    """What the lineage of every image must say of where the generator was trained.

    A donor counts as any other image: it may be what is tested here. One that cannot be told, its
    stain matched or its digest not in the file, is taken to be outside.

    Raises:
        DataError: It was trained on images outside these rows, and that is not allowed.
    """
    here = set(image_digests(images.pixels(range(len(images)))))
    outside = card.donors - len(card.donor_pixels)
    outside += sum(digest not in here for digest in (*card.pixels, *card.donor_pixels))
    every = len(card.pixels) + card.donors
    donors = f" ({card.donors:,} of them donors from another source)" if card.donors else ""
    if not outside:
        return {"trained on": f"{every:,} images of this training fold{donors}"}
    what = f"{outside:,} of its {every:,} training images{donors} are outside this fold"
    if not allowed:
        raise DataError(
            f"{file}: {what}; they may be the very images that are tested on. Train it anew "
            'inside the fold (leave out weights), or set outside = "allow" where you know that no '
            "tested image is among them"
        )
    return {"trained on": what}
