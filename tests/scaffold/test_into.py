"""Plugins are added to packages that are there, and nothing of these is lost."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from leukreg.cli.main import main
from leukreg.errors import PluginError
from leukreg.registry import discover
from leukreg.registry.kinds import KINDS
from leukreg.scaffold import add, write
from tests.strangers import entry_points


def package(folder: Path, text: str) -> Path:
    (folder / "src" / "mine").mkdir(parents=True)
    (folder / "src" / "mine" / "__init__.py").write_text('"""Mine."""\n')
    (folder / "pyproject.toml").write_text(text)
    return folder


def points(folder: Path) -> dict[str, str]:
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    found: dict[str, str] = project["entry-points"]["leukreg"]
    return found


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "command"])
def test_what_was_added_is_found_beside_what_was_there(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = f"one-{kind}", f"other-{kind}"  # a module is imported once
    modules = [f"leukreg_{name.replace('-', '_')}" for name in (one, other)]
    folder = write(one, "loss", tmp_path)
    before = (folder / f"{modules[0]}.py").read_text()
    new = add(other, kind, folder)
    written = [f"{modules[1]}.py", f"tests/test_{modules[1]}.py", "pyproject.toml"]
    assert [path.relative_to(folder).as_posix() for path in new] == written
    assert (folder / f"{modules[0]}.py").read_text() == before
    names = [f"leukreg-{one}", f"leukreg-{other}"]
    assert points(folder) == dict(zip(names, modules, strict=True))
    wheel = tomllib.loads((folder / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    listed = wheel["targets"]["wheel"]["only-include"]
    assert sorted(listed) == [f"{module}.py" for module in modules]
    info = folder / "mine-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    lines = [f"{name} = {value}" for name, value in points(folder).items()]
    (info / "entry_points.txt").write_text("\n".join(["[leukreg]", *lines]))
    monkeypatch.syspath_prepend(folder)
    registry = discover(entry_points(folder))
    assert registry.broken == ()
    assert registry.get("loss", one)
    assert registry.get(kind, other)


NAMED = '[project]\nname = "mine"\n'


@pytest.mark.parametrize(
    "text",
    [
        NAMED,
        f'{NAMED}[project.entry-points.leukreg]  # ours\nold = "mine"\n[tool.x]\na = 1\n',
        f"{NAMED}\n[project.entry-points.leukreg]",
    ],
)
def test_a_package_gets_a_module_of_its_own(text: str, tmp_path: Path) -> None:
    folder = package(tmp_path / "mine", text)
    module, test, _ = add("my-head", "head", folder)
    assert module == folder / "src" / "mine" / "my_head.py"
    assert "from mine.my_head import MyHead" in test.read_text()
    assert points(folder)["leukreg-my-head"] == "mine.my_head"
    old = tomllib.loads(text)
    changed = tomllib.loads((folder / "pyproject.toml").read_text())
    assert changed.get("tool") == old.get("tool")
    assert changed["project"]["name"] == "mine"


def test_nothing_is_written_over(tmp_path: Path) -> None:
    folder = package(tmp_path / "mine", NAMED)
    (folder / "src" / "mine" / "my_head.py").write_text("mine")
    with pytest.raises(PluginError, match=r"my_head\.py exists already"):
        add("my-head", "head", folder)
    assert (folder / "pyproject.toml").read_text() == NAMED
    add("my-loss", "loss", folder)
    with pytest.raises(PluginError, match="has an entry point leukreg-my-loss already"):
        add("my-loss", "head", folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[project", "cannot be read"),
        (
            'project = { name = "m", entry-points = { leukreg = { a = "mine" } } }\n',
            "add leukreg-x",
        ),
    ],
)
def test_what_cannot_be_added_to_is_left_alone(text: str, message: str, tmp_path: Path) -> None:
    folder = package(tmp_path / "mine", text)
    with pytest.raises(PluginError, match=message):
        add("x", "head", folder)
    assert (folder / "pyproject.toml").read_text() == text
    assert not list(folder.rglob("*x.py"))


def test_a_folder_that_is_no_package_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["plugins", "new", "x", "--kind", "head", "--into", str(tmp_path)]
    assert main(words) == 2
    assert "has no pyproject.toml" in capsys.readouterr().err
    package(tmp_path / "mine", NAMED)
    assert main([*words[:-1], str(tmp_path / "mine")]) == 0
    assert "one entry point more" in capsys.readouterr().out
