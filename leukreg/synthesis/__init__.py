"""Synthetic images: made inside the training fold, kept with their lineage."""

from __future__ import annotations

from leukreg.synthesis.place import before_split, into_fold

__all__ = ["before_split", "into_fold"]
