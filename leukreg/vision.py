"""Import torchvision beside any build of torch, and so whatever imports it (timm, torch-fidelity).

A torchvision built against CUDA beside a CPU torch cannot load its compiled operators, and then
fails at import because it describes two of them (``nms``, ``qnms``) to torch's tracer. Declaring
these two operators by their signature is enough for all that leukreg uses: models, transforms v2
and ``roi_align``. What needs the compiled operators themselves (``torchvision.io``, detection
models, ``ops.nms``) still fails, at the call and by name.
"""

from __future__ import annotations

import functools
import importlib
import sys
from types import ModuleType
from typing import Any

from leukreg.errors import LeukregError

_OPERATORS = ("nms", "qnms")
_SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_kept: list[Any] = []
"""The library with our declarations: torch forgets them when it is garbage-collected."""


@functools.cache
def import_torchvision() -> ModuleType:
    """The torchvision module; call it before ``import timm`` or ``import torch_fidelity``.

    Beside a matching torch this is an ordinary import.

    Raises:
        LeukregError: torchvision is missing or does not fit this torch in some other way.
    """
    try:
        return importlib.import_module("torchvision")
    except (ImportError, RuntimeError) as error:
        if _kept or "operator torchvision::" not in str(error):
            raise LeukregError(
                f"torchvision cannot be imported beside this torch: {error}\n"
                "install a torch and torchvision of the same release, for example those that "
                "leukreg's constraints.txt names"
            ) from error
    for name in [*sys.modules]:  # it is half imported
        if name == "torchvision" or name.startswith("torchvision."):
            del sys.modules[name]
    _declare_operators()
    return import_torchvision()


def _declare_operators() -> None:
    import torch

    library: Any = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    _kept.append(library)
    for name in _OPERATORS:
        if not hasattr(torch.ops.torchvision, name):
            library.define(name + _SIGNATURE)
