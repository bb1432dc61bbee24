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

from leukreg.registry.kinds import KINDS
from leukreg.testing.examples import ExampleImages as ExampleImages
from leukreg.testing.examples import example_evidence as example_evidence
from leukreg.testing.examples import example_images as example_images
from leukreg.testing.examples import example_labels as example_labels
from leukreg.testing.examples import example_predictions as example_predictions
from leukreg.testing.examples import example_result as example_result
from leukreg.testing.examples import example_samples as example_samples
from leukreg.testing.examples import write_example_images as write_example_images
from leukreg.testing.image_checks import *  # noqa: F403
from leukreg.testing.network_checks import *  # noqa: F403
from leukreg.testing.option_checks import check_options as check_options
from leukreg.testing.result_checks import *  # noqa: F403
from leukreg.testing.training_checks import *  # noqa: F403

CHECKS: dict[str, Callable[..., None]] = {
    name: globals()[kind.check] for name, kind in KINDS.items() if kind.check in globals()
}
"""The contract check of each kind, found by its name."""


def check(kind: str, plugin: Any) -> None:
    """Check a plugin against the contract of its kind.

    Raises:
        AssertionError: With a sentence that says what to mend.
        KeyError: There is no such kind.
    """
    CHECKS[kind](plugin)
