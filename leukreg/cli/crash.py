"""An error that nobody foresaw: a log for the developer, a sentence for the user."""

from __future__ import annotations

import platform
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

from leukreg import __version__
from leukreg.places import cache_root


def keep(error: BaseException, words: Sequence[str]) -> str:
    """Write the traceback to a log file and return what to tell the user."""
    text = "".join(_log(error, words))
    first = str(error).strip().splitlines()
    what = f"{type(error).__name__}: {first[0]}" if first else type(error).__name__
    path = _write(text)
    return (
        f"leukreg: unexpected {what}\n"
        f"This is a bug, not your mistake{_culprit(error)}. The details are in\n"
        f"  {path}\n"
        "Please report it with that file; it holds the command line, versions and the traceback."
    )


def _log(error: BaseException, words: Sequence[str]) -> Iterator[str]:
    yield f"leukreg {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
    yield f"command: leukreg {' '.join(words)}\n"
    for name in ("torch", "torchvision", "timm", "numpy", "pandas"):
        version = getattr(sys.modules.get(name), "__version__", None)
        if version:
            yield f"{name} {version}\n"
    yield "\n"
    yield from traceback.format_exception(error)


def _write(text: str) -> Path:
    stem = time.strftime("leukreg-%Y%m%d-%H%M%S-")
    for folder in (cache_root() / "logs", Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                "w", encoding="utf-8", dir=folder, prefix=stem, suffix=".log", delete=False
            ) as file:
                file.write(text)
        except OSError:
            continue
        return Path(file.name)
    sys.stderr.write(text)  # no place to write to: rather a traceback than nothing to report
    return Path("(no folder for logs can be written; the details stand above)")


def _culprit(error: BaseException) -> str:
    """Name the plugin package whose code raised, where it was not leukreg's."""
    registry = sys.modules.get("leukreg.registry")
    if registry is None or not registry.installed.cache_info().currsize:
        return ""
    modules = {
        frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)
    }
    for module, owner in registry.installed().modules().items():
        if any(name == module or name.startswith(f"{module}.") for name in modules):
            where = f"{owner.distribution} {owner.version} ({owner.entry_point})"
            return f", and it arose in the plugin {where}"
    return ""
