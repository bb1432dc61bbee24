"""Where the training of a fold stands: everything that must survive a kill, besides weights."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from leukreg.engine.outcome import epoch_log, phase_log
from leukreg.types import EpochLog, PhaseLog


@dataclass(slots=True)
class PhaseState:
    """Where a phase stands at the end of an epoch."""

    start: dict[str, str]
    """Digest of each parameter when the phase began."""
    epoch: int = 0
    """Finished epochs."""
    best: float | None = None
    """The best monitored figure so far."""
    best_epoch: int = 0
    stale: int = 0
    """Epochs since the best one."""
    stopped: str = ""
    """Why the phase ended early, if it did."""
    lr_first: float = 0.0
    batches: int = 0
    """Batches per epoch."""


@dataclass(slots=True)
class FoldState:
    """Where a fold stands: finished phases, logs and the phase under way."""

    base: dict[str, str]
    """Digest of each parameter of the fresh model."""
    epochs: list[EpochLog] = field(default_factory=list)
    phases: list[PhaseLog] = field(default_factory=list)
    phase: PhaseState | None = None
    touched: set[str] = field(default_factory=set)
    """Names in the state dict that training has or may have changed; the rest are as built."""
    facts: dict[str, Any] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """As values that ``torch.load(weights_only=True)`` reads back."""
        return {
            "base": dict(self.base),
            "epochs": [asdict(log) for log in self.epochs],
            "phases": [asdict(log) for log in self.phases],
            "phase": None if self.phase is None else asdict(self.phase),
            "touched": sorted(self.touched),
            "facts": dict(self.facts),
        }


def fold_state(plain: Mapping[str, Any]) -> FoldState:
    """The state that :meth:`FoldState.plain` wrote."""
    return FoldState(
        base=dict(plain["base"]),
        epochs=[epoch_log(log) for log in plain["epochs"]],
        phases=[phase_log(log) for log in plain["phases"]],
        phase=None if plain["phase"] is None else PhaseState(**plain["phase"]),
        touched=set(plain["touched"]),
        facts=dict(plain["facts"]),
    )


def digests(model: nn.Module) -> dict[str, str]:
    """Digest of each parameter's values, by name."""
    return {name: _digest(parameter) for name, parameter in model.named_parameters()}


def _digest(tensor: Tensor) -> str:
    values = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    return hashlib.blake2b(values.data, digest_size=16).hexdigest()
