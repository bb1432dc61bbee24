"""The audit: what is wrong with a run, or with a published result."""

from __future__ import annotations

from leukreg.audit.evidence import evidence_of
from leukreg.audit.judge import audit, has_errors
from leukreg.audit.reported import Reported, read_reported

__all__ = ["Reported", "audit", "evidence_of", "has_errors", "read_reported"]
