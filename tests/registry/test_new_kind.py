"""A new kind of plugin is three edits; whatever else knows kinds follows from them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import leukreg

HERE = Path(leukreg.__file__).parent
EDITS = {
    # What it is called, found by, takes and returns.
    "registry/kinds.py": (
        "def hookspecs(",
        '''@_kind(
    "consensus",
    "leukreg_consensuses",
    "turns a patient's cells into one answer",
    example="return max(cells)",
)
class Consensus(Protocol):
    def build(self, cells: Sequence[float], labels: Labels) -> float:
        """The patient's probability, from those of the cells."""
        ...


''',
    ),
    # Where a recipe names it.
    "recipe/model.py": (
        "    bootstrap: ",
        '''    consensus: Annotated[Choice | None, Plugin("consensus")] = None
    """How a patient is answered for."""
''',
    ),
    # What its author's test asks for.
    "testing/result_checks.py": (
        "def check_metric(",
        '''def check_consensus(plugin: Any) -> None:
    """An answer between those of the cells."""
    assert 0 <= instance(plugin).build([0.0, 1.0], None) <= 1


''',
    ),
}
"""The file, what the new text goes before, and the text."""
USED = r"""
import importlib, json, sys, types
from pathlib import Path

tests = sys.modules["tests"] = types.ModuleType("tests")  # others install a package of this name
tests.__path__ = ["tests"]

from leukreg.cli.main import main
from leukreg.errors import Problems
from leukreg.recipe import parse, take_fallbacks
from leukreg.recipe.reference import described, example_table
from leukreg.registry import discover
from leukreg.registry.kinds import KINDS
from leukreg.scaffold import write
from leukreg.scaffold.contracts import page
from leukreg.testing import CHECKS, check
from tests.recipe.conftest import GOOD, CLASSES, registry_of
from tests.strangers import entry_points

folder = Path(sys.argv[1])
package = write("worst", "consensus", folder)
sys.path[:0] = [str(package), str(package / "tests")]
importlib.import_module("test_leukreg_worst").test_keeps_its_contract()
worst = importlib.import_module("leukreg_worst").Worst
check("consensus", worst)

info = package / "leukreg_worst-1.0.dist-info"
info.mkdir()
(info / "METADATA").write_text("Metadata-Version: 2.1\nName: leukreg-worst\nVersion: 1.0\n")
(info / "entry_points.txt").write_text("[leukreg]\nleukreg-worst = leukreg_worst\n")
assert discover(entry_points(package)).get("consensus", "worst").cls is worst

registry = registry_of({**CLASSES, "consensus": [worst]})
text = GOOD.replace("[evaluate]\n", '[evaluate]\nconsensus = "worst"\n')
recipe, _ = take_fallbacks(parse(text, registry=registry))
try:
    parse(text.replace('"worst"', '"wurst"'), registry=registry)
except Problems as error:
    mistake = str(error)
assert main(["plugins", "--kind", "consensus"]) == 0
print(json.dumps({
    "resolved": recipe.resolved["evaluate"]["consensus"],
    "mistake": mistake,
    "reference": described("evaluate.consensus").keys[0].type,
    "example": example_table("consensus", worst),
    "readme": (package / "README.md").read_text(),
    "contract": "build(self, cells: Sequence[float], labels: Labels) -> float" in page(),
    "checked": set(KINDS) == set(CHECKS),
}))
"""


def edited(folder: Path, *edits: str) -> Path:
    """A copy of the core with these edits of the three."""
    shutil.copytree(HERE, folder / "leukreg", ignore=shutil.ignore_patterns("__pycache__"))
    for name in edits:
        path = folder / "leukreg" / name
        before, text = EDITS[name]
        source = path.read_text()
        assert source.count(before) == 1, name
        path.write_text(source.replace(before, text + before))
    if "testing/result_checks.py" in edits:
        listed = path.read_text().replace('["check_audit"', '["check_consensus", "check_audit"')
        path.write_text(listed)
    return folder


def call(core: Path, code: str, *words: str) -> subprocess.CompletedProcess[str]:
    root = HERE.parent
    places = (core, root, root / "plugins", root / "gan")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places))}
    env["LEUKREG_CACHE"] = str(core / "cache")
    command = [sys.executable, "-P", "-c", code, *words]
    return subprocess.run(command, capture_output=True, text=True, env=env, cwd=root)


def test_three_edits_make_a_kind_that_everything_knows(tmp_path: Path) -> None:
    assert len(EDITS) <= 3
    done = call(edited(tmp_path, *EDITS), USED, str(tmp_path))
    assert done.returncode == 0, done.stderr
    known = json.loads(done.stdout.splitlines()[-1])
    assert known["resolved"] == {"use": "worst"}
    assert "there is no consensus 'wurst'; did you mean 'worst'?" in known["mistake"]
    assert known["reference"].startswith("a consensus plugin: its name, or a table")
    assert known["example"] == '[evaluate.consensus]\nuse = "worst"'
    assert '[evaluate.consensus]\n    use = "worst"' in known["readme"]
    assert known["contract"]
    assert known["checked"]


@pytest.mark.parametrize("left_out", EDITS)
def test_an_edit_that_is_forgotten_is_found_by_a_test(left_out: str, tmp_path: Path) -> None:
    core = edited(tmp_path, *(name for name in EDITS if name != left_out))
    words = ["-qx", "-p", "no:cacheprovider", "tests/test_docs.py", "-k", "kind"]
    done = call(core, f"import pytest, sys; sys.exit(pytest.main({words}))")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "consensus" in done.stdout
