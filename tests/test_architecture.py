"""Imports run one way, the core knows no plugin, and starting costs no torch."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import leukreg
from leukreg.registry.kinds import KINDS

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "leukreg": ROOT / "leukreg",
    "leukreg_plugins": ROOT / "plugins" / "leukreg_plugins",
    "leukreg_gan": ROOT / "gan" / "leukreg_gan",
}
PICTURE = re.compile(r"^    (\w+(?: \w+)*)(?: {2,}\S|\n {6})", re.MULTILINE)
"""A line of rooms in the picture of ``CONTRIBUTING.md``, and what they hold."""


def _order() -> list[list[str]]:
    """Rooms from the ground up; a room may import those before it and
    its own line. ``leukreg/__init__.py`` stands
    outside: it only names where the public API lies."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    picture = text.partition("The rooms of `leukreg/`")[2].partition("What comes after")[0]
    return [line.split() for line in PICTURE.findall(picture)]


ORDER = _order()
RANK = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}
SLOW = {
    "ignite", "matplotlib", "numpy", "ortools", "pandas", "PIL", "pyarrow", "scipy", "sklearn",
    "timm", "torch", "torch_fidelity", "torchvision",
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


@pytest.mark.parametrize("name", [name for name in MODULES if name.split(".")[0] == "leukreg"])
def test_the_core_imports_leftwards_only(name: str) -> None:
    wrong = []
    for line, module, imported in _imports(MODULES[name]):
        assert module.split(".")[0] not in ("leukreg_plugins", "leukreg_gan"), f"{name}:{line}"
        target = f"{module}.{imported}" if f"{module}.{imported}" in MODULES else module
        if target.split(".")[0] != "leukreg" or not _room(target) or not _room(name):
            continue
        if RANK[_room(target)] > RANK[_room(name)]:
            wrong.append(f"{MODULES[name].relative_to(ROOT)}:{line} imports {target}")
    assert wrong == []


def test_every_room_has_its_place() -> None:
    rooms = {_room(name) for name in MODULES if name.startswith("leukreg.")}
    assert rooms == set(RANK), "the picture in CONTRIBUTING.md"


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


_HERE = os.pathsep.join(str(path.parent) for path in PACKAGES.values())
"""The packages of this checkout, whichever is installed."""


def _loaded(code: str, cache: Path) -> set[str]:
    """Top-level modules that an interpreter has loaded after running ``code``."""
    program = f"{code}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"LEUKREG_CACHE": str(cache), "PATH": "", "PYTHONPATH": _HERE},
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return {name.split(".")[0] for name in done.stdout.splitlines()[-1].split()}


def test_finding_plugins_imports_nothing_slow(tmp_path: Path) -> None:
    code = "import leukreg.cli.main; from leukreg.registry import installed; installed()"
    assert _loaded(code, tmp_path) & SLOW == set()


def test_the_audit_is_there_without_what_only_its_search_needs(tmp_path: Path) -> None:
    code = "from leukreg import examine, Reported; examine, Reported"
    assert _loaded(code, tmp_path) & (SLOW | {"pydantic", "pluggy"}) == set()


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


@pytest.mark.parametrize("words", [["predict", "README.md"], ["explain", "README.md", "--out", "o"],
                                   ["evaluate", "--data", "d"], ["stress"],
                                   ["export", "--format", "onnx", "--out", "o"]])  # fmt: skip
def test_a_wrong_name_of_a_run_is_told_without_torch(words: list[str], tmp_path: Path) -> None:
    name, *others = words
    call = [name, "no-such-run", *others, "--runs", str(tmp_path)]
    code = f"from leukreg.cli.main import main; assert main({call!r}) == 2"
    assert "torch" not in _loaded(code, tmp_path)


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
    assert "leukreg/report/templates/page.html.j2" in names
    assert "leukreg/predict/templates/model_card.md.j2" in names
    assert "leukreg_plugins/cells.safetensors" in names
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


WORDS = {
    "reported": "the recipe's table of published figures",
    "training": "the recipe's table; also the side of the gate's figures",
    "confusion": "a matrix: of results and of published tables",
    "calibration": "the recipe's table [evaluate.calibration]",
    "uncertainty": "a field of predictions and a column of tables",
    "findings": "what an audit gives",
    "run": "leukreg's command, and what is audited",
    "folder": "an argument of the command line, a key of facts",
    "table": "a name of nothing that a recipe asks for",
    "elsewhere": "a part of the name of an evaluation",
    "accuracy": "published tables are checked by its arithmetic, without any plugin",
    "auc": "as accuracy",
    "mcc": "as accuracy",
    "whole": "a figure of all classes together",
    "ece": "as accuracy",
    "verdict": "what the audit says of a published table",
    "macro": "a kind of average over classes",
    "brier": "as accuracy",
    "timm": "a library, whose version is recorded",
    "balanced": "an option of scikit-learn",
    "inception": "a file of torch-fidelity",
    "demo": "leukreg's command",
    "grey": "a change of `leukreg stress`",
    "cells": "the input of an exported answer about a patient",
    "mean": "of an input contract, of a column",
    "attention": "a part of the model",
    "patients": "a table of the recipe, files of a run",
}
"""Names of plugins that are common words; what they mean where the core writes them."""
ASKED = {
    ("cli/data.py", "table"): "`leukreg data` reads a table as a recipe would",
    ("cli/demo.py", "demo"): "`leukreg demo` writes what the source of its name renders",
    ("cli/evaluate.py", "folder"): "the default of --source",
    ("cli/fidelity.py", "cells"): "the default of --extractor",
    ("recipe/model.py", "cells"): "the gate's default extractor",
    ("recipe/model.py", "shuffle"): "the sampler of a recipe that names none",
    ("recipe/model.py", "adamw"): "the optimizer of [patients] where the recipe names none",
    ("sweep/sweep_file.py", "processes"): "the executor of a sweep that names none",
    ("testing/examples.py", "accuracy"): "an example of a score",
}
"""Where the core asks for a plugin by name, and why."""


def test_the_core_knows_no_plugin_by_name() -> None:
    from leukreg.registry import installed

    names = {entry.name for entry in installed()}
    unknown, asked = [], set()
    for path in sorted(PACKAGES["leukreg"].rglob("*.py")):
        place = path.relative_to(PACKAGES["leukreg"]).as_posix()
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docs = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
        for node in ast.walk(tree):
            word = node.value if isinstance(node, ast.Constant) else None
            if id(node) in docs or not isinstance(word, str) or word not in names:
                continue
            if (place, word) in ASKED:
                asked.add((place, word))
            elif word not in WORDS:
                unknown.append(f"{place}:{node.lineno} {word!r}")
    assert unknown == []
    assert asked == set(ASKED), "no longer asked for"
    assert {word for word in WORDS if word not in names} == set()


def test_the_core_looks_up_no_plugin_by_name() -> None:
    """``registry.get("metric", "accuracy")`` and its like."""
    found = []
    for path in sorted(PACKAGES["leukreg"].rglob("*.py")):
        place = path.relative_to(PACKAGES["leukreg"]).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not ast.unparse(node.func).endswith(".get"):
                continue
            words = [one.value for one in node.args if isinstance(one, ast.Constant)]
            if len(words) == 2 and words[0] in KINDS:
                found.append((place, words[1]))
    assert [one for one in found if one not in ASKED] == []
