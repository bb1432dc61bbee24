"""Imports run one way, the core knows no plugin, and starting costs no torch."""

from __future__ import annotations

import ast
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import leukreg

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "leukreg": ROOT / "leukreg",
    "leukreg_plugins": ROOT / "plugins" / "leukreg_plugins",
    "leukreg_gan": ROOT / "gan" / "leukreg_gan",
}
ORDER = (
    (
        "errors",
        "files",
        "types",
        "kinds",
        "declare",
        "seeds",
        "progress",
        "places",
        "vacant",
        "visible",
        "vision",
    ),
    ("contracts",),
    ("hookspecs",),
    ("registry",),
    ("recipe",),
    ("data",),
    ("synthesis", "engine"),
    ("evaluate",),
    ("audit",),
    ("runs",),
    ("run", "prepare", "facts"),
    ("predict",),
    ("report",),
    ("options", "testing", "scaffold"),
    ("cli",),
    ("__main__",),
)
"""Rooms from left to right; a room may import those to its left. ``leukreg/__init__.py`` stands
outside: it only names where the public API lies."""
RANK = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}
SAME_NOUN = ({"run", "prepare", "facts"}, {"options", "testing", "scaffold"})
"""Neighbours of one rank that may import each other."""
SLOW = {
    "ignite", "matplotlib", "numpy", "pandas", "PIL", "pyarrow", "scipy", "sklearn", "timm",
    "torch", "torch_fidelity", "torchvision",
}  # fmt: skip


def _modules(package: str) -> dict[str, Path]:
    folder = PACKAGES[package]
    found = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        found[".".join((package, *parts))] = path
    return found


MODULES = {name: path for package in PACKAGES for name, path in _modules(package).items()}


def _imports(path: Path) -> Iterator[tuple[int, str, str | None]]:
    """Line, module and imported name (None for ``import module``)."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            for alias in node.names:
                yield node.lineno, str(node.module), alias.name


def _room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def _may(importer: str, imported: str) -> bool:
    if importer == imported or any({importer, imported} <= rooms for rooms in SAME_NOUN):
        return True
    return RANK[imported] < RANK[importer] or RANK[imported] == RANK[importer] == 0


@pytest.mark.parametrize("name", [name for name in MODULES if name.split(".")[0] == "leukreg"])
def test_the_core_imports_leftwards_only(name: str) -> None:
    wrong = []
    for line, module, imported in _imports(MODULES[name]):
        assert module.split(".")[0] not in ("leukreg_plugins", "leukreg_gan"), f"{name}:{line}"
        target = f"{module}.{imported}" if f"{module}.{imported}" in MODULES else module
        if target.split(".")[0] != "leukreg" or not _room(target) or not _room(name):
            continue
        if not _may(_room(name), _room(target)):
            wrong.append(f"{MODULES[name].relative_to(ROOT)}:{line} imports {target}")
    assert wrong == []


def test_every_room_has_its_place() -> None:
    rooms = {_room(name) for name in MODULES if name.startswith("leukreg.")}
    assert rooms <= set(RANK)


@pytest.mark.parametrize("name", [name for name in MODULES if name.split(".")[0] != "leukreg"])
def test_plugins_import_the_public_api_only(name: str) -> None:
    package = name.split(".")[0]
    wrong = []
    for line, module, imported in _imports(MODULES[name]):
        top = module.split(".")[0]
        if top in PACKAGES and top != package:
            public = module == "leukreg" and (imported is None or imported in leukreg.__all__)
            if not public:
                wrong.append(f"{MODULES[name].relative_to(ROOT)}:{line} {module} {imported or ''}")
    assert wrong == []


@pytest.mark.parametrize("folder", ["plugins", "gan"])
def test_folders_of_packages_are_no_packages(folder: str) -> None:
    assert not (ROOT / folder / "__init__.py").exists()


def _loaded(code: str, cache: Path) -> set[str]:
    """Top-level modules that an interpreter has loaded after running ``code``."""
    program = f"{code}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"LEUKREG_CACHE": str(cache), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return {name.split(".")[0] for name in done.stdout.splitlines()[-1].split()}


def test_finding_plugins_imports_nothing_slow(tmp_path: Path) -> None:
    code = "import leukreg.cli.main; from leukreg.registry import installed; installed()"
    assert _loaded(code, tmp_path) & SLOW == set()


def test_help_imports_nothing_it_can_do_without(tmp_path: Path) -> None:
    code = "from leukreg.cli.main import main; main(['--help'])"
    _loaded(code, tmp_path)  # the first time plugins are asked for their commands
    slow = SLOW | {"pydantic", "pluggy", "json", "pathlib", "shutil", "rich", "leukreg_plugins"}
    assert _loaded(code, tmp_path) & slow == set()


@pytest.mark.parametrize("command", ["run", "check", "data", "demo", "cache", "plugins", "runs",
                                     "show", "report", "compare", "audit", "predict", "explain",
                                     "evaluate", "export", "fidelity"])  # fmt: skip
def test_a_commands_help_imports_nothing_slow(command: str, tmp_path: Path) -> None:
    code = f"from leukreg.cli.main import main; assert main(['{command}', '--help']) == 0"
    assert _loaded(code, tmp_path) & SLOW == set()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder],
        check=True,
        capture_output=True,
        cwd=ROOT,
    )
    [path] = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_holds_the_three_packages_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)


def test_the_wheel_holds_types_templates_and_the_licence(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(names)
    assert "leukreg/scaffold/templates/loss.py.txt" in names
    assert "leukreg/report/html/templates/page.html.j2" in names
    assert "leukreg_plugins/extractors/cells.safetensors" in names
    assert any(name.endswith("/licenses/LICENSE") for name in names)


def test_the_wheels_version_is_the_packages(wheel: zipfile.ZipFile) -> None:
    metadata = next(name for name in wheel.namelist() if name.endswith("/METADATA"))
    assert f"\nVersion: {leukreg.__version__}\n" in wheel.read(metadata).decode()


def test_text_reaches_the_terminal_in_two_places_only() -> None:
    """Elsewhere a user's text could be taken for markup, or steer the terminal."""
    allowed = {"cli/output.py", "cli/crash.py", "report/console.py"}
    wrong = []
    for path in PACKAGES["leukreg"].rglob("*.py"):
        name = path.relative_to(PACKAGES["leukreg"]).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            raw = called in ("print", "Console", "click.echo", "click.secho", "sys.stdout.write")
            if raw and name not in allowed:
                wrong.append(f"{name}:{node.lineno} {called}")
    assert wrong == []
