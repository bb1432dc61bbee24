"""The audit: what is wrong with a run, or with a published result."""

from __future__ import annotations

from leukreg.audit.published_table import Reported, read_reported
from leukreg.audit.rules import audit, has_errors

__all__ = ["Reported", "audit", "has_errors", "read_reported"]
