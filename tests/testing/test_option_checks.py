"""What every check asks of a plugin's options."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from typing import Annotated

import pytest
from annotated_types import Ge

from leukreg import plugin
from leukreg.testing import check, check_options
from tests.testing.faults import made

# mypy: ignore-errors


def test_an_undocumented_option_is_named() -> None:
    @plugin("mine")
    class Mine:
        """A loss without words."""

        gamma: float = 1.0

        def build(self, labels: object) -> None: ...

    with pytest.raises(AssertionError, match="option 'gamma' is not documented"):
        check_options(Mine)


def test_a_default_outside_its_own_range_is_named() -> None:
    @plugin("mine")
    class Mine:
        """A loss with a wrong default."""

        gamma: Annotated[float, Ge(0)] = -1.0
        """How far."""

        def build(self, labels: object) -> None: ...

    with pytest.raises(AssertionError, match="its own defaults"):
        check_options(Mine)


def test_a_class_that_is_no_plugin_is_named() -> None:
    @dataclasses.dataclass
    class Mine:
        """Not marked."""

    with pytest.raises(AssertionError, match="not marked with @plugin"):
        check_options(Mine)
    with pytest.raises(AssertionError, match="lower-case words"):
        check_options(made(lambda self: None, name="Bad Name"))


def test_a_required_option_asks_for_an_instance() -> None:
    @plugin("mine")
    class Mine:
        """A source with a root."""

        root: str
        """Folder."""

        def build(self) -> None: ...

    with pytest.raises(AssertionError, match="cannot be built without root"):
        check("source", Mine)


def test_checks_that_python_leaves_out_are_no_checks() -> None:
    code = "from leukreg.testing import check_options; check_options(int)"
    done = subprocess.run([sys.executable, "-O", "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert "LeukregError: python -O (or PYTHONOPTIMIZE) leaves out assert" in done.stderr
