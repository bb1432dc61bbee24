"""Every kind of plugin has a check, and every check a fault that it names."""

from __future__ import annotations

from leukreg.registry.kinds import KINDS
from leukreg.testing import CHECKS
from tests.testing import (
    test_extractor_checks,
    test_image_checks,
    test_network_checks,
    test_result_checks,
    test_training_checks,
)


def test_every_kind_has_a_fault_that_its_check_names() -> None:
    rooms = (
        test_extractor_checks,
        test_image_checks,
        test_network_checks,
        test_result_checks,
        test_training_checks,
    )
    named = {kind for room in rooms for kind, _, _ in room.CASES}
    assert named | {"command"} == set(KINDS) == set(CHECKS)
