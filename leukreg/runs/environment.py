"""What a run ran on, and the digests that tell whether two runs saw the same data."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from leukreg.record import Environment, GitState
from leukreg.types import Sample, Samples

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


def environment(folder: Path | None = None) -> Environment:
    """Python, libraries, machine, threads, arguments, and git's state of ``folder`` (else cwd)."""
    return Environment(
        python=platform.python_version(),
        libraries=library_versions(),
        plugins=plugin_versions(),
        system=platform.platform(),
        cpu=_cpu(),
        cores=os.cpu_count(),
        threads=os.environ.get("OMP_NUM_THREADS"),
        git=git_state(folder or Path.cwd()),
        argv=tuple(sys.argv),
    )


def library_versions() -> dict[str, str | None]:
    """Of the libraries on which figures depend; None for one that is not installed."""
    return {name: _version(name) for name in LIBRARIES}


def plugin_versions() -> dict[str, str]:
    """Of the distributions that bring plugins."""
    points = metadata.entry_points(group="leukreg")
    return {one.dist.name: one.dist.version for one in points if one.dist is not None}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _cpu() -> str:
    with suppress(OSError):  # not Linux
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        if found := re.search(r"^model name[ \t]*:[ \t]*(\S.*)", text, re.MULTILINE):
            return found[1].strip()
    return platform.processor() or platform.machine()


def git_state(folder: Path) -> GitState | None:
    """Commit of the checkout around ``folder`` and whether files differ from it; None outside."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return GitState(commit=commit, dirty=None if changed is None else bool(changed))


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


def data_digest(samples: Samples, pixels: Mapping[str, str]) -> str:
    """Digest of what the samples show and are called, whatever their order and place on disk.

    What their patients are called counts too, where it is known.

    Synthetic images are left out: they are made, not given.

    Args:
        samples: The data of a run.
        pixels: Digest of the decoded image by file id; an id that lacks one counts by its name.
    """
    given = (row for row in samples.rows if row.lineage is None)

    def line(row: Sample) -> str:
        whose = samples.patient_labels.get(row.patient or "")
        text = f"{pixels.get(row.id, row.id)!r} {row.label!r}"
        return text if whose is None else f"{text} {whose!r}"

    return _digest(map(line, given))


def ids_digest(ids: Iterable[str]) -> str:
    """Digest of a set of file ids, such as those that were scored."""
    return _digest(map(repr, ids))


def _digest(lines: Iterable[str]) -> str:
    data = "\n".join(sorted(lines)).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(data, digest_size=16).hexdigest()
