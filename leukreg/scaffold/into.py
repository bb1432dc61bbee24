"""Add a plugin to a package that is there, for ``leukreg plugins new --into``."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leukreg.errors import PluginError
from leukreg.files import write_file
from leukreg.registry import GROUP
from leukreg.scaffold import check_name, module_text, test_text

HEADER = f"[project.entry-points.{GROUP}]"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a new module of a package goes."""

    folder: Path
    module: str
    """As Python imports it."""
    file: str


def add(name: str, kind: str, package: Path) -> list[Path]:
    """Write the plugin's module and test into ``package`` and name it in its ``pyproject.toml``.

    Nothing that is there is written over; ``pyproject.toml`` gets one line, and one more where it
    lists the modules of its wheel.

    Returns:
        The files that are new, then ``pyproject.toml``.

    Raises:
        PluginError: The name will not do, something is there already, or the package is none that
            a line can be added to.
    """
    check_name(name, kind)
    project = package / "pyproject.toml"
    text = _read(project)
    place = _place(name, package, tomllib.loads(text))
    new = {
        place.folder / place.file: module_text(name, kind, place.module),
        package / "tests" / f"test_{place.file}": test_text(name, kind, place.module),
    }
    for path in new:
        if path.exists():
            raise PluginError(f"{path} exists already; choose another name")
    changed = _named(text, f"leukreg-{name}", place, project)
    for path, content in new.items():
        path.parent.mkdir(exist_ok=True)
        write_file(path, content.encode())
    write_file(project, changed.encode())
    return [*new, project]


def _read(project: Path) -> str:
    try:
        text = project.read_bytes().decode()
        tomllib.loads(text)
    except FileNotFoundError:
        message = f"{project.parent} is no package: it has no pyproject.toml; leave --into out"
        raise PluginError(message) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PluginError(f"{project} cannot be read: {error}") from None
    return text


def _place(name: str, package: Path, project: dict[str, Any]) -> Place:
    """Beside the plugins that are there; else in the one Python package."""
    own = f"{name.replace('-', '_')}.py"
    points = _points(project)
    if f"leukreg-{name}" in points:
        raise PluginError(f"{package} has an entry point leukreg-{name} already")
    modules = [value.partition(":")[0].partition(".")[0] for value in points.values()]
    for root in (package, package / "src"):
        for module in modules:
            if (root / module / "__init__.py").is_file():
                return Place(root / module, f"{module}.{own[:-3]}", own)
            if (root / f"{module}.py").is_file():
                return Place(root, f"leukreg_{own[:-3]}", f"leukreg_{own}")
    roots = (package, package / "src")
    found = [path.parent for root in roots for path in root.glob("*/__init__.py")]
    found = [folder for folder in found if folder.name != "tests"]
    if len(found) != 1:
        what = "no Python package" if not found else f"{len(found)} Python packages"
        raise PluginError(
            f"{package}: {what}, and no entry point of {HEADER} tells which to add to"
        )
    return Place(found[0], f"{found[0].name}.{own[:-3]}", own)


def _points(project: dict[str, Any]) -> dict[str, str]:
    points = project.get("project", {}).get("entry-points", {}).get(GROUP, {})
    return {str(name): str(value) for name, value in points.items()}


def _named(text: str, point: str, place: Place, project: Path) -> str:
    """``pyproject.toml`` with the entry point, and with the module where modules are listed."""
    line = f'{point} = "{place.module}"'
    header = re.search(rf"^\[project\.entry-points\.{GROUP}\][^\n]*\n?", text, re.M)
    if header is not None:
        end = header.end()
        changed = f"{text[:end].rstrip()}\n{line}\n{text[end:]}"
    else:
        changed = f"{text.rstrip()}\n\n{HEADER}\n{line}\n"
    if "." not in place.module:
        listed = r"(?m)^(only-include\s*=\s*\[)"
        changed = re.sub(listed, rf'\g<1>"{place.file}", ', changed, count=1)
    wanted = {**_points(tomllib.loads(text)), point: place.module}
    try:
        if _points(tomllib.loads(changed)) == wanted:
            return changed
    except tomllib.TOMLDecodeError:
        pass
    raise PluginError(f"{project} has entry points in a way of its own; add {line} under {HEADER}")
