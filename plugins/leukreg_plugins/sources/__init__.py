"""Sources: where samples come from."""

from __future__ import annotations

from leukreg_plugins.sources.demo import Demo

SOURCES: list[type] = [Demo]
