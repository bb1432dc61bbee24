"""Sources: where samples come from."""

from __future__ import annotations

from leukreg_plugins.sources.boxes import Boxes
from leukreg_plugins.sources.demo import Demo
from leukreg_plugins.sources.folder import Folder
from leukreg_plugins.sources.table import TableFile

SOURCES: list[type] = [Folder, TableFile, Boxes, Demo]
