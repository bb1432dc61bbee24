"""The hooks a plugin module may implement, one sentence each.

All but ``leukreg_commands`` take no argument and return a list of classes marked ``@plugin``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    import click

hookspec = pluggy.HookspecMarker("leukreg")


@hookspec
def leukreg_sources() -> list[type]:  # type: ignore[empty-body]
    """Sources: where samples come from."""


@hookspec
def leukreg_augmentations() -> list[type]:  # type: ignore[empty-body]
    """Augmentations: random changes of training images."""


@hookspec
def leukreg_backbones() -> list[type]:  # type: ignore[empty-body]
    """Backbones: networks from images to feature maps."""


@hookspec
def leukreg_attentions() -> list[type]:  # type: ignore[empty-body]
    """Attentions: modules that reweigh the last feature map."""


@hookspec
def leukreg_heads() -> list[type]:  # type: ignore[empty-body]
    """Heads: modules from feature maps to logits."""


@hookspec
def leukreg_losses() -> list[type]:  # type: ignore[empty-body]
    """Losses: what training minimises."""


@hookspec
def leukreg_class_weights() -> list[type]:  # type: ignore[empty-body]
    """Class weights: how much each class counts in the loss."""


@hookspec
def leukreg_samplers() -> list[type]:  # type: ignore[empty-body]
    """Samplers: the order in which training rows are seen."""


@hookspec
def leukreg_generators() -> list[type]:  # type: ignore[empty-body]
    """Generators: makers of synthetic images of a class."""


@hookspec
def leukreg_extractors() -> list[type]:  # type: ignore[empty-body]
    """Extractors: networks from images to the features that distances are measured in."""


@hookspec
def leukreg_optimizers() -> list[type]:  # type: ignore[empty-body]
    """Optimizers: what updates the parameters."""


@hookspec
def leukreg_schedules() -> list[type]:  # type: ignore[empty-body]
    """Schedules: how the learning rate moves."""


@hookspec
def leukreg_metrics() -> list[type]:  # type: ignore[empty-body]
    """Metrics: figures over predictions."""


@hookspec
def leukreg_audits() -> list[type]:  # type: ignore[empty-body]
    """Audit rules: what finds that a result is wrong or does not mean what it seems to."""


@hookspec
def leukreg_reports() -> list[type]:  # type: ignore[empty-body]
    """Reports: sections shown after a run."""


@hookspec
def leukreg_commands(cli: click.Group) -> None:
    """Commands: add click commands to the ``leukreg`` program."""
