"""Texts of users, files and plugins are printed as text: one sweep over every command."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from leukreg import registry
from leukreg.cli import commands, main
from tests.strangers import install
from tests.trained import draw

Call = pytest.CaptureFixture[str]
MARKUP = "[/x] [red] [link=u]l :smile: <b>&amp; $x_{1}$"
ESCAPE = "\x1b[31mred\x1b]0;owned\x07 \x9b31m \u202ecod"
SHOWN = r"\x1b[31mred\x1b]0;owned\x07 \x9b31m \u202ecod"
HOSTILE = f"{MARKUP} {ESCAPE}"
A, B = "A [b]:x: [-x]", f"B {ESCAPE}"
"""Two classes; a folder's name has no slash in it."""
PLUGIN = f'''
    from leukreg import Finding, Score, Section, Table, hookimpl, plugin

    TEXT = {HOSTILE!r}

    @plugin("hostile-rule")
    class Rule:
        """A rule. {MARKUP}"""

        text: str = TEXT
        """An option. {MARKUP}"""

        def build(self, evidence):
            return [Finding(rule="hostile-rule", severity="warning", message=TEXT, advice=TEXT)]

    @plugin("hostile-report")
    class Report:
        """A report."""

        def build(self, result):
            table = Table(columns=("one", TEXT), rows=((TEXT, TEXT),), caption=TEXT)
            yield Section(title=TEXT, text=(TEXT, "! " + TEXT), tables=(table,))
            raise RuntimeError(TEXT)

    @hookimpl
    def leukreg_audits():
        return [Rule]

    @hookimpl
    def leukreg_reports():
        return [Report]
'''
RECIPE = """
schema = 1
name = "hostile"
title = "T [/x] [red] :smile: \\u001b[31m"
[data]
use = "folder"
root = {root}
patient_level = 1
folds = {{ test = 0.4, validation = 0.4 }}
[image]
size = 32
[model]
backbone = {{ use = "timm", model = "test_resnet", weights = "random" }}
head = "linear"
[loss]
use = "cross-entropy"
[training]
batch_size = 8
threads = 1
[[phase]]
name = "all"
unfreeze = "all"
epochs = 1
optimizer = {{ use = "adamw", lr = 1e-3 }}
[evaluate]
bootstrap = 0
"""


def _toml(text: str) -> str:
    from leukreg.recipe.reference import toml

    return toml(text)


def _printed(words: list[str], capsys: Call, code: int = 0) -> str:
    capsys.readouterr()
    ended = main.main(words)
    out, err = capsys.readouterr()
    odd = {c for c in out + err if c != "\n" and not c.isprintable()}
    assert not odd, f"{words[0]} prints {odd!r}"
    assert ended == code, f"{words}: {ended}\n{out}\n{err}"
    return out + err


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Cells, a recipe, a run and a stranger's plugins, all with hostile names."""
    top = tmp_path_factory.mktemp("hostile")
    rng = np.random.default_rng(0)
    root = top / f"cells [red] {ESCAPE}"
    for name, colour in ((A, (170, 60, 60)), (B, (60, 60, 170))):
        for number in range(10):
            folder = root / name / f"P{number} [{name[0]}] :smile: \x1b[1m"
            folder.mkdir(parents=True)
            draw(rng, colour).save(folder / f"[link=u]{number}\x1b[5m.png")
    (root / B / "P0 [B] :smile: \x1b[1m" / "broken \x1b[2J.png").write_bytes(b"no image")
    strangers = top / "strangers"
    strangers.mkdir()
    install(strangers, "hostile-plugins", PLUGIN)
    install(strangers, "broken-plugins", f"raise RuntimeError({HOSTILE!r})")
    recipe = top / "hostile [red] \x1b[1m.toml"
    recipe.write_text(RECIPE.format(root=_toml(str(root))))
    before = Path.cwd()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "110")
        patch.setenv("LEUKREG_CACHE", str(top / "cache \x1b[1m"))
        patch.syspath_prepend(strangers)
        registry.installed.cache_clear()
        os.chdir(top)
        yield top
        os.chdir(before)
        registry.installed.cache_clear()


@pytest.fixture(scope="module")
def run(place: Path) -> str:
    """The run of the hostile recipe."""
    [recipe] = place.glob("*.toml")
    assert main.main(["run", str(recipe), "--set", 'data.broken="skip"']) == 0
    return "last"


def test_data(place: Path, capsys: Call) -> None:
    [root] = place.glob("cells*")
    text = _printed(["data", str(root)], capsys, 1)
    for name in (A, "B " + SHOWN[:6], r"broken \x1b[2J.png"):
        assert name in text


def test_check(place: Path, capsys: Call) -> None:
    [recipe] = place.glob("*.toml")
    text = _printed(["check", str(recipe), "--set", 'data.broken="skip"'], capsys)
    assert r"T [/x] [red] :smile: \x1b[31m" in text
    assert A in text
    _printed(["check", str(recipe)], capsys, 2)


def test_run(place: Path, capsys: Call) -> None:
    [recipe] = place.glob("*.toml")
    words = ["run", str(recipe), "--set", 'data.broken="skip"', "--runs", "others"]
    text = _printed(words, capsys)
    assert r"T [/x] [red] :smile: \x1b[31m" in text
    assert "[/x] [red] [link=u]l :smile: <b>&amp;" in text
    assert _printed(["run", "--resume", "last", "--runs", "others"], capsys)


def test_run_with_fallbacks(place: Path, capsys: Call) -> None:
    [recipe] = place.glob("*.toml")
    hostile = 'data.fallback={ use = "demo", images = 8 }'
    words = ["run", str(recipe), "--runs", "fallen", "--set", "data.patient_level=0"]
    _printed([*words, "--set", f'data.root="{MARKUP}"', "--set", hostile], capsys, 2)
    words = ["run", str(recipe), "--runs", "fallen", "--set", f'data.root="{MARKUP}"']
    assert f'folder root="{MARKUP[:16]}' in " ".join(
        _printed([*words, "--set", hostile], capsys).split()
    )


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["show", "last"], 0),
        (["runs"], 0),
        (["audit", "last"], 0),
        (["audit", "last", "--json"], 0),
        (["compare", "last", "last"], 0),
        (["report", "last", "--out", "page \x1b[1m[red].html"], 0),
        (["report", "last", "last", "--out", "two.html"], 0),
        (["cache"], 0),
        (["plugins"], 1),
        (["plugins", "hostile-rule"], 0),
        (["plugins", "no such \x1b[31m[red]"], 2),
        (["--no-such\x1b[31m"], 2),
        (["no-such\x1b[31m"], 2),
        (["show", "no such \x1b[31m[/x]"], 2),
        (["export", "last", "--format", "safetensors", "--out", "model \x1b[1m[x]"], 0),
        (["demo", "demo \x1b[1m[/x]", "--images", "1", "--size", "32"], 0),
        (["cache", "clear", "no such \x1b[1m"], 2),
        (["fidelity", "no \x1b[1m[/x]", "no"], 2),
        (["published", "no \x1b[1m[/x]"], 2),
        (["datasets", "no \x1b[1m[/x]"], 2),
        (["sweep", "no \x1b[1m[/x].toml"], 2),
        (["lr", "no \x1b[1m[/x].toml"], 2),
        (["synthesize", "no \x1b[1m[/x].toml", "--out", "made"], 2),
    ],
)
def test_every_command(run: str, words: list[str], code: int, capsys: Call) -> None:
    _printed(words, capsys, code)


def test_images(place: Path, run: str, capsys: Call) -> None:
    [root] = place.glob("cells*")
    image = next((root / A).rglob("*.png"))
    for words in (["predict", run, str(root), "--csv", "t \x1b[1m.csv", "--json", "t.json"],
                  ["predict", run, str(image), str(root / B), "--csv", "-"],
                  ["predict", run, str(image), str(root / B), "--json", "-"],
                  ["explain", run, str(root), "--out", "looked \x1b[1m[/x]"]):  # fmt: skip
        text = _printed(words, capsys, 1)
        assert "[link=u]" in text or words[0] == "explain"
    few = ["--change", "grey", "--each", "2"]
    _printed(["stress", run, *few, "--out", "stressed \x1b[1m[/x]"], capsys)
    _printed(["stress", run, "--change", f"grey{MARKUP}"], capsys, 2)
    _printed(["evaluate", run, "--data", str(root), "--set", "patient_level=1"], capsys)
    _printed(["fidelity", str(root), str(root), "--size", "32"], capsys, 2)
    _printed(["evaluate", run, "--data", str(root), "--map", f"{MARKUP}=x"], capsys, 2)


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["run", "{recipe}", "--set", 'data.broken="skip"', "--runs", "cut"],
        ["check", "{recipe}", "--set", 'data.broken="skip"'],
        ["data", "{root}"],
        ["show", "last"],
        ["runs"],
        ["audit", "last"],
        ["audit", "last", "--json"],
        ["compare", "last", "last"],
        ["report", "last", "--out", "cut.html"],
        ["cache"],
        ["plugins"],
        ["plugins", "hostile-rule"],
        ["predict", "last", "{root}"],
        ["predict", "last", "{root}", "--csv", "-"],
        ["explain", "last", "{root}", "--out", "cut"],
        ["stress", "last", "--change", "grey", "--each", "2"],
        ["evaluate", "last", "--data", "{root}", "--runs", "runs"],
        ["export", "last", "--format", "safetensors", "--out", "cut-model"],
        ["demo", "cut-demo", "--images", "1", "--size", "32"],
    ],
)
def test_a_closed_pipe_ends_quietly(
    place: Path, run: str, words: list[str], capsys: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = {"recipe": next(place.glob("*.toml")), "root": next(place.glob("cells*"))}
    reading, writing = os.pipe()
    os.close(reading)  # as `head` does when it has enough
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", os.fdopen(writing, "w", encoding="utf-8"))
        code = main.main([str(named.get(word.strip("{}"), word)) for word in words])
        sys.stdout.close()
    assert code == main.PIPE_CLOSED
    err = capsys.readouterr().err
    assert "Traceback" not in err
    assert "roken" not in err.replace("broken \\x1b", "").replace("broken-plugins", "")


def test_written_files_hold_no_control_characters(place: Path, run: str, capsys: Call) -> None:
    _printed(["report", run, "--out", "whole.html"], capsys)
    shutil.rmtree("m", ignore_errors=True)
    words = ["--attribution", HOSTILE]
    _printed(["export", run, "--format", "safetensors", "--out", "m", *words], capsys)
    files = [Path("whole.html"), Path("m/MODEL_CARD.md"), *Path("whole_files").iterdir()]
    for path in files:
        text = path.read_text(encoding="utf-8")
        odd = {c for c in text if c not in "\n\t" and not c.isprintable()} - {"\xa0"}
        assert not odd, f"{path}: {odd!r}"
    card = Path("m/MODEL_CARD.md").read_text()
    assert re.search(r"(?<!\\)\[(?!red|/x|link|-x|31m)\w", card) is None
    assert r"A \[b\]\:x: \[-x\]" in card


def test_every_command_is_in_the_sweep() -> None:
    text = Path(__file__).read_text()
    assert [name for name in commands.OWN if f'"{name}"' not in text] == []
