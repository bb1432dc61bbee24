"""Classes that nothing can teach: what is said of them, each way with the way out."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from leukreg_gan.plan import Group
from leukreg_gan.ways import example


def without_images(names: Sequence[str]) -> list[str]:
    """No training image, with the way "few"."""
    if not names:
        return []
    it = "it" if len(names) == 1 else "them"
    return [
        f'no training image shows {_named(names)}, and way = "few" learns a class from images of '
        f'it. Keep some in training, or add to [synthesis] either way = "donor" and '
        f"{example('donor', names)}, for images of {it} from another source, or "
        f'way = "attributes" and {example("attributes", names)}, to describe what no image shows'
    ]


def without_donors(names: Sequence[str]) -> list[str]:
    """No training image and no donor, with the way "donor"."""
    if not names:
        return []
    return [
        f"neither a training image nor a donor shows {_named(names)}; name the donors' folders: "
        f"{example('donor', names)}, keep some images in training, or describe what no image "
        f'shows: way = "attributes" and {example("attributes", names)}'
    ]


def without_description(
    names: Sequence[str], empty: Collection[str], groups: Sequence[Group]
) -> list[str]:
    """No training image with attributes and no description, with the way "attributes".

    Args:
        empty: Classes without any training image.
    """
    there = ", ".join(group.name for group in groups)
    return [
        f"{'no training image' if name in empty else 'no training image with attributes'} shows "
        f"class {name!r}, and it is not described; say what it looks like in "
        f"attributes.describe.{name}; the attributes are {there}"
        for name in names
    ]


def _named(names: Sequence[str]) -> str:
    text = " and ".join(repr(name) for name in names)
    return f"{'class' if len(names) == 1 else 'classes'} {text}"
