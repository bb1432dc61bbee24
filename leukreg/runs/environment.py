"""What a run ran on, without importing anything heavy."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

LIBRARIES = (
    "leukreg",
    "numpy",
    "torch",
    "torchvision",
    "timm",
    "pytorch-ignite",
    "torch-fidelity",
    "scikit-learn",
    "scipy",
    "pandas",
    "pillow",
    "simplejpeg",
    "safetensors",
    "pydantic",
    "pluggy",
)
_GIT_SECONDS = 5.0


def environment(folder: Path | None = None) -> dict[str, Any]:
    """Python, libraries, machine, threads, arguments, and git's state of ``folder`` (else cwd)."""
    return {
        "python": platform.python_version(),
        "libraries": {name: _version(name) for name in LIBRARIES},
        "plugins": _plugin_versions(),
        "system": platform.platform(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "git": git_state(folder or Path.cwd()),
        "argv": list(sys.argv),
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _plugin_versions() -> dict[str, str]:
    points = metadata.entry_points(group="leukreg")
    return {point.dist.name: point.dist.version for point in points if point.dist is not None}


def _cpu() -> str:
    try:
        for line in (
            Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        ):
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()


def git_state(folder: Path) -> dict[str, Any] | None:
    """Commit of the checkout around ``folder`` and whether files differ from it; None outside."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "dirty": None if changed is None else bool(changed)}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            capture_output=True,
            check=True,
            timeout=_GIT_SECONDS,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace").strip()
