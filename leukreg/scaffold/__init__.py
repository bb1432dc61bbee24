"""Write a small package that holds one plugin, for ``leukreg plugins new``."""

from __future__ import annotations

import inspect
import keyword
import re
import shutil
import tempfile
import textwrap
import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from leukreg import __version__
from leukreg.errors import PluginError
from leukreg.files import write_file
from leukreg.recipe.reference import example_head
from leukreg.registry import GROUP, installed
from leukreg.registry.kinds import KINDS, Kind

_TEMPLATES = resources.files("leukreg.scaffold") / "templates"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_TAKEN = {"plugins", "gan"}
"""Names whose module would be one of leukreg's own packages."""


def write(name: str, kind: str, out: Path) -> Path:
    """Write the package of a new plugin below ``out`` and return its folder.

    The distribution is ``leukreg-<name>``, its module ``leukreg_<name>``.

    Raises:
        PluginError: The name will not do, is taken, or the folder exists.
    """
    check_name(name, kind)
    folder = out / f"leukreg-{name}"
    if folder.exists():
        raise PluginError(f"{folder} exists already; choose another name or another --out")
    out.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=out, prefix=f".{folder.name}-"))
    try:
        for path, text in files(name, kind).items():
            (draft / path).parent.mkdir(exist_ok=True)
            (draft / path).write_text(text, encoding="utf-8")
        draft.chmod(0o755)  # mkdtemp's own mode would keep the package from everyone else
        draft.replace(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def check_name(name: str, kind: str) -> None:
    """Refuse a name that cannot become a plugin, a module and a distribution, with the reason."""
    if not _NAME.fullmatch(name) or len(name) > 60:
        plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60].strip("-")
        hint = f"; try {plain!r}" if _NAME.fullmatch(plain) else ""
        raise PluginError(
            f"{name!r} is no name for a plugin: at most 60 of a-z, 0-9 and single hyphens, "
            f"beginning with a letter{hint}"
        )
    if name in _TAKEN or name.startswith("leukreg"):
        raise PluginError(
            f"{name!r} would become the package leukreg-{name}, which is too close to leukreg's "
            "own; choose another name"
        )
    for entry in installed().find(name):
        if entry.kind == kind:
            raise PluginError(
                f"there is a {kind} {name!r} already, from {entry.owner}; choose another name"
            )


def files(name: str, kind: str) -> dict[str, str]:
    """The text of every file of the package, by its path within it."""
    module = f"leukreg_{name.replace('-', '_')}"
    words = _words(name, kind, module)
    return {
        f"{module}.py": module_text(name, kind, module),
        f"tests/test_{module}.py": test_text(name, kind, module),
        "pyproject.toml": _fill("pyproject.toml", words),
        "README.md": _fill("README.md", words),
    }


def module_text(name: str, kind: str, module: str) -> str:
    """The module that holds the plugin and its hook; ``module`` as Python imports it."""
    return _fill(_template(kind, "", "plugin.py"), _words(name, kind, module))


def test_text(name: str, kind: str, module: str) -> str:
    """The test that runs the kind's check."""
    return _fill(_template(kind, "test_", "test.py"), _words(name, kind, module))


def _words(name: str, kind: str, module: str) -> dict[str, str]:
    return {
        "name": name,
        "kind": kind,
        "sentence": KINDS[kind].sentence,
        "hook": KINDS[kind].hook,
        "module": module,
        "cls": _class_name(name, kind),
        "version": __version__,
        "check": KINDS[kind].check,
        "signature": _signature(KINDS[kind]),
        "example": textwrap.indent(KINDS[kind].example, " " * 8),
        "usage": _usage(name, kind),
    }


def _class_name(name: str, kind: str) -> str:
    camel = "".join(part.capitalize() for part in name.split("-"))
    # "path" or "none" would hide what the module imports, or not be a name at all.
    template = _text(_template(kind, "", "plugin.py"))
    if keyword.iskeyword(camel) or re.search(rf"\b{camel}\b", template):
        return camel + "Plugin"
    return camel


def _template(kind: str, prefix: str, otherwise: str) -> str:
    """The kind's own template where it has one."""
    own = f"{prefix}{kind}.py"
    return own if (_TEMPLATES / f"{own}.txt").is_file() else otherwise


def _signature(kind: Kind) -> str:
    """The arguments of ``build``, of any type: what they are stands in the kind's contract."""
    if not kind.builds:
        return ""
    first, *others = inspect.signature(vars(kind.contract)["build"]).parameters
    return ", ".join([first, *(f"{name}: Any" for name in others)])


def _usage(name: str, kind: str) -> str:
    if KINDS[kind].usage:
        return KINDS[kind].usage.format(name=name)
    lines = "".join(f"\n    {line}" for line in example_head(kind, name))
    return f"Then name it in a recipe:\n{lines}"


def _fill(template: str, words: dict[str, str]) -> str:
    return Template(_text(template)).substitute(words)


def _text(template: str) -> str:
    return (_TEMPLATES / f"{template}.txt").read_text(encoding="utf-8")


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
