"""Create a timm model, with the weights of a file where one is named, and insist that they fit."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from torch import nn

from leukreg import LeukregError, import_torchvision

_LOADER = "timm.models._builder"
"""timm says only in this log which tensors a weights file lacked; it goes on without them."""


def import_timm() -> ModuleType:
    """timm, importable beside any build of torchvision."""
    import_torchvision()
    import timm

    return timm


def create(name: str, weights: Path | None) -> nn.Module:
    """timm's model ``name`` without its classifier.

    Raises:
        LeukregError: The weights file cannot be read, or is not of this model.
    """
    if weights is None:
        return _create(name)
    overlay = {"file": str(weights), "custom_load": False}
    with _load_log() as lines:
        try:
            model = _create(name, pretrained=True, pretrained_cfg_overlay=overlay)
        except Exception as error:  # torch, safetensors and pickle each raise their own
            raise LeukregError(
                f"the weights file {weights} does not fit the model {name}: {_short(error)}"
            ) from error
    for line in lines:
        if problem := _problem(line, model):
            raise LeukregError(f"the weights file {weights} is not of the model {name}: {problem}")
    return model


def _create(name: str, **options: Any) -> nn.Module:
    """Prefer any input size where an architecture knows a way to take more than one."""
    timm = import_timm()
    architecture = name.split(".")[0]
    ways: list[dict[str, Any]] = [{}]
    config = timm.get_pretrained_cfg(architecture)
    if config is not None and config.fixed_input_size:
        ways = [{"dynamic_img_size": True}, {"strict_img_size": False}, {}]
    for way in ways[:-1]:
        try:
            return cast(nn.Module, timm.create_model(name, num_classes=0, **way, **options))
        except TypeError:  # this architecture has no such option
            continue
    return cast(nn.Module, timm.create_model(name, num_classes=0, **options))


@contextmanager
def _load_log() -> Iterator[list[str]]:
    lines: list[str] = []
    handler = logging.Handler(logging.INFO)
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger(_LOADER)
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate


def _problem(line: str, model: nn.Module) -> str | None:
    """What a line of timm's log says against the file; extra tensors of a classifier are fine."""
    if not line.startswith(("Missing keys (", "Unexpected keys (")):
        return None
    names = line.split("(", 1)[1].split(")", 1)[0].split(", ")
    if line.startswith("Missing"):
        return f"it lacks {_some(names)}"
    children = {child for child, _ in model.named_children()} - _classifier(model)
    extra = [name for name in names if name.split(".")[0] in children]
    return f"it also has {_some(extra)}" if extra else None


def _classifier(model: nn.Module) -> set[str]:
    named = cast(Any, model).pretrained_cfg.get("classifier") or ()
    named = (named,) if isinstance(named, str) else named
    return {"head", *(name.split(".")[0] for name in named)}


def _some(names: list[str]) -> str:
    names = sorted(names)
    more = f" and {len(names) - 3} more tensors" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _short(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:3])[:400] or type(error).__name__
