"""Audit rules: what finds that a result is wrong or does not mean what it seems to."""

from __future__ import annotations

from leukreg_plugins.audits import (
    baseline,
    confidence,
    confounding,
    convergence,
    fidelity,
    file_listing,
    leakage,
    lineage,
    published_table,
    sample_size,
    training_setup,
)

AUDITS: list[type] = [
    *baseline.RULES,
    *confidence.RULES,
    *confounding.RULES,
    *convergence.RULES,
    *fidelity.RULES,
    *file_listing.RULES,
    *leakage.RULES,
    *lineage.RULES,
    *published_table.RULES,
    *sample_size.RULES,
    *training_setup.RULES,
]
