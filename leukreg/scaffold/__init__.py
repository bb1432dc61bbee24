"""Write a small package that holds one plugin, for ``leukreg plugins new``."""

from __future__ import annotations

import keyword
import re
import shutil
import tempfile
from importlib import resources
from pathlib import Path
from string import Template

from leukreg import __version__
from leukreg.errors import PluginError
from leukreg.kinds import KINDS
from leukreg.options import TABLES
from leukreg.registry import installed

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
            owner = f"{entry.owner.distribution} {entry.owner.version}"
            raise PluginError(
                f"there is a {kind} {name!r} already, from {owner}; choose another name"
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
    return _fill(f"{kind}.py", _words(name, kind, module))


def test_text(name: str, kind: str, module: str) -> str:
    """The test that runs the kind's check."""
    return _fill(_test(kind), _words(name, kind, module))


def _words(name: str, kind: str, module: str) -> dict[str, str]:
    return {
        "name": name,
        "kind": kind,
        "sentence": KINDS[kind].sentence,
        "hook": KINDS[kind].hook,
        "module": module,
        "cls": _class_name(name, kind),
        "version": __version__,
        "check": f"check_{kind.replace('-', '_')}",
        "usage": _usage(name, kind),
    }


def _class_name(name: str, kind: str) -> str:
    camel = "".join(part.capitalize() for part in name.split("-"))
    # "path" or "none" would hide what the module imports, or not be a name at all.
    if keyword.iskeyword(camel) or re.search(rf"\b{camel}\b", _text(f"{kind}.py")):
        return camel + "Plugin"
    return camel


def _test(kind: str) -> str:
    return f"test_{kind}.py" if kind in ("source", "command") else "test.py"


def _usage(name: str, kind: str) -> str:
    if kind == "command":
        return f"Then run it:\n\n    leukreg {name}"
    if kind == "report":
        return "Then `leukreg run` and `leukreg show` show its section with every run."
    if kind == "extractor":
        return f"Then compare images by it:\n\n    leukreg fidelity REAL FAKE --extractor {name}"
    beside = '\n    classes = ["pro-b"]\n    per_class = 100' if kind == "generator" else ""
    return f'Then name it in a recipe:\n\n    {TABLES[kind]}\n    use = "{name}"{beside}'


def _fill(template: str, words: dict[str, str]) -> str:
    return Template(_text(template)).substitute(words)


def _text(template: str) -> str:
    folder = resources.files("leukreg.scaffold") / "templates"
    return (folder / f"{template}.txt").read_text(encoding="utf-8")
