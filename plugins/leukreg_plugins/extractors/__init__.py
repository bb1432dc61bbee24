"""Extractors: networks in whose features real and synthetic images are compared."""

from __future__ import annotations

from leukreg_plugins.extractors.cells import Cells
from leukreg_plugins.extractors.inception import Inception
from leukreg_plugins.extractors.trained import Trained

EXTRACTORS: list[type] = [Cells, Inception, Trained]
