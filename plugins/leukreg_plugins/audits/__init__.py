"""Audit rules: what finds that a result is wrong or does not mean what it seems to."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

FILES = (
    "baseline",
    "confidence",
    "confounding",
    "convergence",
    "fidelity",
    "file_listing",
    "leakage",
    "lineage",
    "published_table",
    "sample_size",
    "stress",
    "training_setup",
)
"""Where rules stand, in the order in which they are asked."""


def rules_in(*modules: ModuleType) -> list[type]:
    """The plugins that these files hold."""
    held = [value for module in modules for value in vars(module).values()]
    return [one for one in held if isinstance(one, type) and "leukreg_name" in vars(one)]


AUDITS = rules_in(*(import_module(f"{__name__}.{name}") for name in FILES))
