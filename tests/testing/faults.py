"""Plugins with a fault, and whether the check of their kind names it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from leukreg import plugin
from leukreg.testing import check

Case = tuple[str, str, type]
"""A kind, the sentence that its check must say, and the faulty plugin."""


def made(build: Callable[..., object], name: str = "mine", **members: object) -> type:
    """A plugin with this build."""
    body = {"__doc__": "A plugin made for this test.", "build": build, **members}
    cls: type = plugin(name)(type("Mine", (), body))
    return cls


def faulty(
    cases: list[Case], kind: str, sentence: str
) -> Callable[[Callable[..., object]], Callable[..., object]]:
    """Add the plugin of a build to the cases: it must be refused with ``sentence``."""

    def add(build: Callable[..., object]) -> Callable[..., object]:
        cases.append((kind, sentence, made(build)))
        return build

    return add


def refused(kind: str, sentence: str, cls: type) -> None:
    """The check of this kind refuses the plugin with this sentence."""
    with pytest.raises(AssertionError) as caught:
        check(kind, cls)
    assert sentence in str(caught.value)
