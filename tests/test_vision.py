"""torchvision beside whatever torch is installed."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
import torch

from leukreg import LeukregError, import_torchvision, vision


def test_what_leukreg_uses_of_torchvision_works() -> None:
    torchvision = import_torchvision()
    assert import_torchvision() is torchvision
    from torchvision.transforms import v2

    batch = torch.arange(48, dtype=torch.uint8).reshape(1, 3, 4, 4)
    assert torch.equal(v2.functional.horizontal_flip(batch), batch.flip(3))
    assert v2.functional.resize(batch, [2, 2]).shape == (1, 3, 2, 2)
    assert torchvision.models.resnet18(num_classes=2)(torch.zeros(2, 3, 32, 32)).shape == (2, 2)


@pytest.mark.parametrize("error", [RuntimeError("version mismatch"), ImportError("no torchvision")])
def test_another_misfit_is_an_error_that_says_what_to_do(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str) -> Any:
        raise error

    monkeypatch.setattr(importlib, "import_module", fail)
    with pytest.raises(LeukregError, match=r"constraints\.txt"):
        vision.import_torchvision.__wrapped__()
