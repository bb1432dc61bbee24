"""A trained generator as a file: safetensors, and beside the weights what must be known of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leukreg import DataError, __version__, write_file

if TYPE_CHECKING:
    from torch import Tensor

KIND = "leukreg cgan 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a generator's file says of itself."""

    classes: tuple[str, ...]
    """Classes it can make."""
    plan: Mapping[str, Any]
    """What images of each class are made under (:class:`leukreg_gan.plan.Plan`), plain."""
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


def digest_of(weights: Mapping[str, Tensor]) -> str:
    """Digest of the weights' values, 32 hexadecimal figures."""
    state = hashlib.blake2b(digest_size=16)
    for name in sorted(weights):
        state.update(f"{name} {tuple(weights[name].shape)}\n".encode())
        state.update(weights[name].detach().cpu().contiguous().numpy().tobytes())
    return state.hexdigest()


def write_archive(path: Path, weights: Mapping[str, Tensor], card: Card) -> None:
    """Write weights and card, whole or not at all.

    Raises:
        WriteError: The disk is full, or the folder cannot be written.
    """
    from safetensors.torch import save

    plain = {name: value.detach().cpu().contiguous() for name, value in weights.items()}
    text = json.dumps(asdict(card), ensure_ascii=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, save(plain, {"format": KIND, "card": text, "digest": _digest(text)}))


def read_archive(path: Path) -> tuple[dict[str, Tensor], Card]:
    """Weights and card of a file, never running code from it.

    Raises:
        DataError: There is no such file, it is damaged, or no generator of ours.
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
    if metadata.get("format") != KIND:
        raise DataError(f"{path} is no trained generator of cgan (it says no {KIND!r} in its head)")
    if metadata.get("digest") not in (None, _digest(metadata.get("card", ""))):
        raise DataError(f"{path} is damaged: its head is not as it was written")
    card = _card(path, metadata)
    if digest_of(weights) != card.snapshot:
        raise DataError(f"{path} is damaged: its weights are not those its head tells of")
    return weights, card


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _card(path: Path, metadata: Mapping[str, str]) -> Card:
    try:
        plain = json.loads(metadata["card"])
        lists = {name: tuple(plain[name]) for name in ("classes", "pixels")}
        lists["donor_pixels"] = tuple(plain.get("donor_pixels", ()))
        return Card(**{**plain, **lists})
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} is damaged: its head cannot be read ({error})") from error
