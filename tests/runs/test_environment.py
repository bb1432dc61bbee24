"""What a run says of the machine that it ran on."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from leukreg.runs.environment import _cpu


def test_a_processor_without_a_name_has_not_that_of_the_next_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = "model name\t:\nstepping\t: 3\n"
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: text)
    assert _cpu() == (platform.processor() or platform.machine())
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: "model name\t: A B \n" + text)
    assert _cpu() == "A B"
