"""The check of extractors can fail, and says what to mend."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from leukreg.testing import check
from tests.testing.faults import Case, made, refused

# mypy: ignore-errors


CASES: list[Case] = []


class Extractor(nn.Module):
    """The mean colour; faults are overridden below."""

    dimensions = 3

    def __init__(self) -> None:
        super().__init__()
        self.eval()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.float().mean((2, 3))


for _sentence, _members in (
    ("needs 'dimensions'", {"dimensions": None}),
    ("(2, 5), not (2, 3)", {"dimensions": 5}),
    ("float32", {"forward": lambda self, x: x.double().mean((2, 3))}),
    ("not finite", {"forward": lambda self, x: x.float().mean((2, 3)) / 0}),
    ("in place", {"forward": lambda self, x: x.add_(1).float().mean((2, 3))}),
    ("among others", {"forward": lambda self, x: x.float().mean((2, 3)) - x.float().mean()}),
    ("same features", {"forward": lambda self, x: torch.ones(len(x), 3)}),
    ("in eval mode", {"__init__": lambda self: nn.Module.__init__(self)}),
):
    _cls = type("Faulty", (Extractor,), _members)
    _described = {"describe": lambda self: {"digest": "0" * 16}}
    CASES.append(("extractor", _sentence, made(lambda self, cls=_cls: cls(), **_described)))


def _changing(self) -> dict[str, str]:
    return {"digest": np.random.default_rng().bytes(8).hex()}


for _sentence, _describe in (
    ("hexadecimal", lambda self: {"digest": "new"}),
    ("the second time", _changing),
):
    CASES.append(("extractor", _sentence, made(lambda self: Extractor(), describe=_describe)))


@pytest.mark.parametrize(("kind", "sentence", "cls"), CASES)
def test_a_fault_is_named(kind: str, sentence: str, cls: type) -> None:
    refused(kind, sentence, cls)


def test_a_sound_extractor_passes() -> None:
    check("extractor", made(lambda self: Extractor(), describe=lambda self: {"digest": "0" * 16}))
