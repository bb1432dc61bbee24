"""leukreg's built-in plugins, written exactly as a third party would write them.

Modules are imported inside the hooks, and torch inside ``build``, so that listing plugins is fast.
"""

from __future__ import annotations

from importlib import import_module

from leukreg import hookimpl

AUDITS = (
    "audits.baseline",
    "audits.confidence",
    "audits.confounding",
    "audits.contradictions",
    "audits.convergence",
    "audits.fidelity",
    "audits.file_listing",
    "audits.implied_test",
    "audits.leakage",
    "audits.lineage",
    "audits.patient_claims",
    "audits.public_datasets",
    "audits.published_table",
    "audits.sample_size",
    "audits.stress",
    "audits.training_setup",
)
"""Where rules stand, in the order in which they are asked."""
REPORTS = (
    "reporting.verdict",
    "reporting.patient_tables",
    "reporting.scores",
    "reporting.folds",
    "reporting.uncertainty",
    "reporting.reported",
    "reporting.external_validation",
    "reporting.stress_curves",
    "reporting.synthetic_images",
    "reporting.preprocessing",
    "reporting.learning_curves",
    "reporting.class_counts",
    "reporting.made_with",
)
"""Where sections stand."""


def plugins_in(*modules: str) -> list[type]:
    """The plugins that stand in these modules."""
    homes = [import_module(f"{__name__}.{name}") for name in modules]
    held = [(one, home.__name__) for home in homes for one in vars(home).values()]
    classes = [one for one, home in held if isinstance(one, type) and one.__module__ == home]
    return [one for one in classes if "leukreg_name" in vars(one)]


@hookimpl
def leukreg_sources() -> list[type]:
    return plugins_in("sources.folder", "sources.table", "sources.boxes", "sources.demo")


@hookimpl
def leukreg_preprocessings() -> list[type]:
    return plugins_in("preprocessings")


@hookimpl
def leukreg_augmentations() -> list[type]:
    return plugins_in("augmentations")


@hookimpl
def leukreg_backbones() -> list[type]:
    return plugins_in("backbones")


@hookimpl
def leukreg_attentions() -> list[type]:
    return plugins_in("attentions")


@hookimpl
def leukreg_heads() -> list[type]:
    return plugins_in("heads")


@hookimpl
def leukreg_losses() -> list[type]:
    return plugins_in("losses")


@hookimpl
def leukreg_class_weights() -> list[type]:
    return plugins_in("class_weights")


@hookimpl
def leukreg_samplers() -> list[type]:
    return plugins_in("samplers")


@hookimpl
def leukreg_generators() -> list[type]:
    return plugins_in("generators")


@hookimpl
def leukreg_extractors() -> list[type]:
    return plugins_in("extractors")


@hookimpl
def leukreg_optimizers() -> list[type]:
    return plugins_in("optimizers")


@hookimpl
def leukreg_schedules() -> list[type]:
    return plugins_in("schedules")


@hookimpl
def leukreg_aggregators() -> list[type]:
    return plugins_in("aggregators")


@hookimpl
def leukreg_executors() -> list[type]:
    return plugins_in("executors", "slurm", "ray_cluster")


@hookimpl
def leukreg_metrics() -> list[type]:
    return plugins_in("metrics")


@hookimpl
def leukreg_audits() -> list[type]:
    return plugins_in(*AUDITS)


@hookimpl
def leukreg_reports() -> list[type]:
    return plugins_in(*REPORTS)
