"""leukreg's built-in plugins, written exactly as a third party would write them.

Modules are imported inside the hooks, and torch inside ``build``, so that listing plugins is fast.
"""

from __future__ import annotations

from leukreg import hookimpl


@hookimpl
def leukreg_sources() -> list[type]:
    from leukreg_plugins.sources import SOURCES

    return SOURCES


@hookimpl
def leukreg_preprocessings() -> list[type]:
    from leukreg_plugins.preprocessings import PREPROCESSINGS

    return PREPROCESSINGS


@hookimpl
def leukreg_augmentations() -> list[type]:
    from leukreg_plugins.augmentations import AUGMENTATIONS

    return AUGMENTATIONS


@hookimpl
def leukreg_backbones() -> list[type]:
    from leukreg_plugins.backbones import BACKBONES

    return BACKBONES


@hookimpl
def leukreg_attentions() -> list[type]:
    from leukreg_plugins.attentions import ATTENTIONS

    return ATTENTIONS


@hookimpl
def leukreg_heads() -> list[type]:
    from leukreg_plugins.heads import HEADS

    return HEADS


@hookimpl
def leukreg_losses() -> list[type]:
    from leukreg_plugins.losses import LOSSES

    return LOSSES


@hookimpl
def leukreg_class_weights() -> list[type]:
    from leukreg_plugins.class_weights import CLASS_WEIGHTS

    return CLASS_WEIGHTS


@hookimpl
def leukreg_samplers() -> list[type]:
    from leukreg_plugins.samplers import SAMPLERS

    return SAMPLERS


@hookimpl
def leukreg_generators() -> list[type]:
    from leukreg_plugins.generators import GENERATORS

    return GENERATORS


@hookimpl
def leukreg_extractors() -> list[type]:
    from leukreg_plugins.extractors import EXTRACTORS

    return EXTRACTORS


@hookimpl
def leukreg_optimizers() -> list[type]:
    from leukreg_plugins.optimizers import OPTIMIZERS

    return OPTIMIZERS


@hookimpl
def leukreg_schedules() -> list[type]:
    from leukreg_plugins.schedules import SCHEDULES

    return SCHEDULES


@hookimpl
def leukreg_metrics() -> list[type]:
    from leukreg_plugins.metrics import METRICS

    return METRICS


@hookimpl
def leukreg_audits() -> list[type]:
    from leukreg_plugins.audits import AUDITS

    return AUDITS


@hookimpl
def leukreg_reports() -> list[type]:
    from leukreg_plugins.reports import REPORTS

    return REPORTS
