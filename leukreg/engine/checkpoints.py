"""Checkpoints of a fold: the last epoch's state and the best epoch's weights, nothing older."""

from __future__ import annotations

import functools
import hashlib
import json
import time
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn

from leukreg.engine.distributed import leads
from leukreg.errors import DataError, PluginFault, RunError
from leukreg.files import check_file, is_listed, load_tensors, read_file, write_stream, write_text
from leukreg.record import FoldTraining
from leukreg.types import EpochLog, PhaseLog

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")

OUTCOME, MODEL, LAST, BEST = "outcome.json", "model.pt", "last.pt", "best.pt"
EVERY = 0.5
"""Seconds that lie between two checkpoints at least. Training goes on from the last one bit for
bit, so that an epoch of milliseconds need not wait for a disk; less than this is lost."""
ANEW = "delete the folder it lies in, and resume the run: it trains this fold anew"


@dataclass(slots=True)
class PhaseState:
    """Where a phase stands at the end of an epoch."""

    start: dict[str, str]
    """Digest of each parameter that may change, when the phase began."""
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


@dataclass(slots=True)
class FoldState:
    """Where a fold stands: what must survive a kill, besides weights."""

    base: dict[str, str]
    """Digest of each parameter of the fresh model."""
    epochs: list[EpochLog] = field(default_factory=list)
    phases: list[PhaseLog] = field(default_factory=list)
    phase: PhaseState | None = None
    """The phase under way."""
    touched: set[str] = field(default_factory=set)
    """Names in the state dict that training has or may have changed; the rest are as built."""
    facts: FoldTraining = field(default_factory=FoldTraining)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldOutcome:
    """What training a fold came to."""

    epochs: tuple[EpochLog, ...]
    phases: tuple[PhaseLog, ...]
    facts: FoldTraining
    """What was measured meanwhile."""
    model_path: Path
    """The trained weights: a state dict, safe to load with ``weights_only``."""
    model: Any = field(default=None, compare=False, repr=False)
    """The :class:`Classifier` with these weights; None where they were read back."""


class Checkpoints:
    """A fold's state, as it is kept from epoch to epoch.

    Only what training changes is written; frozen weights come from the plugin again, and it is
    made sure that they are the same.
    """

    def __init__(self, folder: Path, fingerprint: str, model: nn.Module) -> None:
        """Put the last checkpoint, where there is one, into the freshly built ``model``.

        Raises:
            RunError: The checkpoint is unreadable, belongs to another recipe, or the frozen
                weights are not those the run began with.
        """
        self.folder, self.fingerprint, self.model = folder, fingerprint, model
        self.state = FoldState(base=digests(model))
        self.parts: Mapping[str, Any] = {}
        """States of optimizer, schedule and scaler, where a phase is under way."""
        self.best: dict[str, Tensor] = {}
        """Weights that the present phase would end with, where they are not the present ones."""
        self._best_written = True
        self._written = 0.0
        if (folder / LAST).exists():
            self._resume(folder / LAST)

    def _resume(self, path: Path) -> None:
        content = self._load(path)
        fresh = self.state.base
        self.state = _adapter(FoldState).validate_python(content["state"])
        frozen = fresh.keys() - self.state.touched
        changed = sorted(name for name in frozen if fresh[name] != self.state.base[name])
        if changed:
            raise RunError(
                f"{path}: the frozen weights are not those this run began with "
                f"({changed[0]} and {len(changed) - 1} more differ); use the same weights again, "
                "or delete this fold's folder to train it anew"
            )
        self.model.load_state_dict(content["weights"], strict=False)
        if self.state.phase is not None and self.state.phase.best_epoch:
            self.best = self._load(self.folder / BEST)["weights"]
        self.parts = content["parts"]

    def _load(self, path: Path) -> dict[str, Any]:
        content = load(path, ANEW)
        _check_fingerprint(path, content.get("fingerprint"), self.fingerprint)
        return content

    def keep_best(self, weights: Mapping[str, Tensor] | None = None) -> None:
        """Remember these weights, or the present ones, as those that the phase ends with; they are
        written with the next checkpoint."""
        chosen = self._touched() if weights is None else weights
        touched = self.state.touched
        self.best = {n: value.detach().clone() for n, value in chosen.items() if n in touched}
        self._best_written = False

    def write(self, parts: Mapping[str, Any], force: bool = False) -> None:
        """Write a checkpoint, unless one was written a moment ago.

        The best weights go first: a kill between the two files leaves an older ``last.pt``, from
        which the same best weights are reached again.
        """
        if not leads() or (not force and time.monotonic() - self._written < EVERY):
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self._best_written:
            save(self.folder / BEST, {"fingerprint": self.fingerprint, "weights": self.best})
            self._best_written = True
        content = {
            "fingerprint": self.fingerprint,
            "weights": self._touched(),
            "state": asdict(self.state) | {"touched": sorted(self.state.touched)},
            "parts": {name: part.state_dict() for name, part in parts.items()},
        }
        save(self.folder / LAST, content)
        if not self._written:
            try:  # the first one is read back: a plugin's own state may hold unsafe objects
                load(self.folder / LAST, ANEW)
            except RunError as error:
                raise PluginFault(
                    f"the state of {', '.join(sorted(parts))} holds objects that are not safe to "
                    "load from a file; its state_dict must hold plain values and tensors only"
                ) from error
        self._written = time.monotonic()

    def _touched(self) -> dict[str, Tensor]:
        state = self.model.state_dict()
        return {name: value for name, value in state.items() if name in self.state.touched}

    def conclude(self, classes: tuple[str, ...]) -> FoldOutcome:
        """Write the model, then the outcome, whose presence means that the fold is done."""
        outcome = FoldOutcome(
            epochs=tuple(self.state.epochs),
            phases=tuple(self.state.phases),
            facts=self.state.facts,
            model_path=self.folder / MODEL,
        )
        if leads():
            self._write_outcome(outcome, classes)
        self.model.zero_grad()
        return replace(outcome, model=self.model.eval())

    def _write_outcome(self, outcome: FoldOutcome, classes: tuple[str, ...]) -> None:
        weights = {name: value.cpu() for name, value in self.model.state_dict().items()}
        model = {"fingerprint": self.fingerprint, "classes": list(classes), "weights": weights}
        save(self.folder / MODEL, model)
        plain = {"fingerprint": self.fingerprint} | asdict(outcome)
        del plain["model_path"], plain["model"]
        text = json.dumps(plain, indent=1, allow_nan=False)
        write_text(self.folder / OUTCOME, text, listed=True)
        remove_checkpoints(self.folder)


def read_outcome(folder: Path, fingerprint: str) -> FoldOutcome | None:
    """The outcome of a finished fold, or None.

    Raises:
        RunError: The folder holds the outcome of another recipe, or a damaged file.
    """
    path = folder / OUTCOME
    if not (path.exists() and (folder / MODEL).exists()):
        return None
    try:
        plain = json.loads(read_file(path, ANEW))
        known = {**plain, "model_path": folder / MODEL}
        outcome: FoldOutcome = _adapter(FoldOutcome).validate_python(known)
        found = plain["fingerprint"]
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} is damaged ({error}); {ANEW}") from error
    _check_fingerprint(path, found, fingerprint)
    check_file(outcome.model_path, ANEW)
    return outcome


def remove_checkpoints(folder: Path) -> None:
    """Remove the checkpoints, and kept features, of a fold that is done."""
    for path in (*folder.glob("features-*.bin"), folder / BEST, folder / LAST):
        path.unlink(missing_ok=True)


def lost(folder: Path) -> str | None:
    """The file without which a fold that had begun is trained anew; None where nothing is lost."""
    there = {name for name in (OUTCOME, MODEL, LAST) if (folder / name).exists()}
    if LAST in there or {OUTCOME, MODEL} <= there:
        return None
    ways = (OUTCOME, MODEL) if is_listed(folder / OUTCOME) else (LAST,)
    return next((n for n in ways if n not in there and is_listed(folder / n)), None)


def digests(model: nn.Module, names: Collection[str] | None = None) -> dict[str, str]:
    """Digest of each parameter's values, by name; of these alone where they are given."""
    every = model.named_parameters()
    return {name: _digest(one) for name, one in every if names is None or name in names}


def _digest(tensor: Tensor) -> str:
    values = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    return hashlib.blake2b(values.data, digest_size=16).hexdigest()


def _check_fingerprint(path: Path, found: object, wanted: str) -> None:
    if found != wanted:
        raise RunError(
            f"{path} belongs to another recipe, data set or fold; "
            "use a new run folder, or delete this fold's folder to train it anew"
        )


@functools.cache
def _adapter(shape: type[T]) -> TypeAdapter[T]:
    from pydantic import TypeAdapter

    return TypeAdapter(shape)


def save(path: Path, content: dict[str, Any]) -> None:
    """``torch.save`` plain values and tensors, whole or not at all.

    Raises:
        WriteError: The disk is full, or the folder cannot be written.
    """
    write_stream(path, lambda file: torch.save(content, file), listed=True)


def load(path: Path, advice: str) -> dict[str, Any]:
    """Read what :func:`save` wrote, never running code from the file.

    Args:
        path: The file.
        advice: What to do where it is missing or damaged.

    Raises:
        RunError: It is missing, damaged, or holds more than tensors and plain values.
    """
    try:
        content: dict[str, Any] = load_tensors(path, advice=advice)
    except DataError as error:
        raise RunError(str(error)) from error
    return content
