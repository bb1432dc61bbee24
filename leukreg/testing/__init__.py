"""Contract checks that a plugin's author runs on their own plugin, and the data they run on.

Each check takes the plugin's class, or an instance where options must be set, and raises
``AssertionError`` with a sentence that says what to mend::

    from leukreg.testing import check_loss

    def test_keeps_its_contract() -> None:
        check_loss(MyLoss)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from leukreg.testing.examples import (
    ExampleImages,
    example_evidence,
    example_images,
    example_labels,
    example_predictions,
    example_result,
    example_samples,
    write_example_images,
)
from leukreg.testing.image_checks import check_extractor, check_generator, check_source
from leukreg.testing.network_checks import (
    check_attention,
    check_augmentation,
    check_backbone,
    check_head,
    check_loss,
)
from leukreg.testing.option_checks import check_options
from leukreg.testing.result_checks import check_audit, check_command, check_metric, check_report
from leukreg.testing.training_checks import (
    check_class_weights,
    check_optimizer,
    check_sampler,
    check_schedule,
)

CHECKS: dict[str, Callable[..., None]] = {
    "source": check_source,
    "augmentation": check_augmentation,
    "backbone": check_backbone,
    "attention": check_attention,
    "head": check_head,
    "loss": check_loss,
    "class-weights": check_class_weights,
    "sampler": check_sampler,
    "generator": check_generator,
    "extractor": check_extractor,
    "optimizer": check_optimizer,
    "schedule": check_schedule,
    "metric": check_metric,
    "audit": check_audit,
    "report": check_report,
    "command": check_command,
}
"""The contract check of each kind."""


def check(kind: str, plugin: Any) -> None:
    """Check a plugin against the contract of its kind.

    Raises:
        AssertionError: With a sentence that says what to mend.
        KeyError: There is no such kind.
    """
    CHECKS[kind](plugin)


__all__ = [
    "CHECKS",
    "ExampleImages",
    "check",
    "check_attention",
    "check_audit",
    "check_augmentation",
    "check_backbone",
    "check_class_weights",
    "check_command",
    "check_extractor",
    "check_generator",
    "check_head",
    "check_loss",
    "check_metric",
    "check_optimizer",
    "check_options",
    "check_report",
    "check_sampler",
    "check_schedule",
    "check_source",
    "example_evidence",
    "example_images",
    "example_labels",
    "example_predictions",
    "example_result",
    "example_samples",
    "write_example_images",
]
