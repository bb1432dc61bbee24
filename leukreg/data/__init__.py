"""Samples, pixels and folds: everything between the files of a user and the rows of a run."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leukreg.data.folds import make_folds as make_folds
    from leukreg.data.image_store import ImageStore as ImageStore
    from leukreg.data.image_store import open_images as open_images
    from leukreg.data.image_store import subset as subset
    from leukreg.data.listing import list_folder as list_folder

_HOME = {
    "make_folds": "leukreg.data.folds",
    "open_images": "leukreg.data.image_store",
    "list_folder": "leukreg.data.listing",
    "ImageStore": "leukreg.data.image_store",
    "subset": "leukreg.data.image_store",
}
__all__ = ["ImageStore", "list_folder", "make_folds", "open_images", "subset"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'leukreg.data' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
