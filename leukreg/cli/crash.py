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
from leukreg.errors import PluginFault
from leukreg.paths import cache_root


def keep(error: BaseException, words: Sequence[str]) -> str:
    """What to tell the user of an error that is not theirs; its traceback lies in a file."""
    notes = getattr(error, "__notes__", [])  # where a run folder has kept it
    path = notes[0] if notes else _write("".join(_log(error, words)))
    if isinstance(error, PluginFault):
        owner = error.owner or _culprit(error)[0]
        return f"leukreg: {error}\n{_to_tell(owner)}\n  {path}"
    owner, place = _culprit(error)
    first = next(iter(str(error).strip().splitlines()), "")
    what = f"{type(error).__name__}: {first}" if first else type(error).__name__
    if owner:
        head = f"leukreg: a plugin of {owner} failed: {what}\n  {place}"
        return f"{head}\n{_to_tell(owner)}\n  {path}"
    return (
        f"leukreg: unexpected {what}\n"
        "This is a bug, not your mistake. The details are in\n"
        f"  {path}\n"
        "Please report it with that file; it holds the command line, versions and the traceback."
    )


def _to_tell(owner: str) -> str:
    whom = f"the authors of {owner}" if owner else "its authors"
    return f"The fault lies in the plugin, not in your recipe: tell {whom}. The traceback is in"


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


def _culprit(error: BaseException) -> tuple[str, str]:
    """Owner and ``file:line`` where the innermost frame, libraries apart, is a plugin's."""
    registry = sys.modules.get("leukreg.registry")
    if registry is None or not registry.installed.cache_info().currsize:
        return "", ""
    from leukreg.registry.plugin_call import package_of

    owners = {package_of(name): owner for name, owner in registry.installed().modules().items()}
    for frame, line in reversed(list(traceback.walk_tb(_first(error).__traceback__))):
        package = package_of(frame.f_globals.get("__name__", ""))
        if package in owners:
            return str(owners[package]), f"{frame.f_code.co_filename}:{line}"
        if package == "leukreg":
            break
    return "", ""


def _first(error: BaseException) -> BaseException:
    """The error that was raised first, before others were raised from it."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error
