"""A stranger publishes one plugin of each kind, and a run uses them all."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from leukreg.registry.kinds import KINDS
from leukreg.scaffold import write
from leukreg.testing import write_example_images

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("stranger")]

RECIPE = """
schema = 1
seed = 3

[data]
use = "my-source"
root = "{root}"
folds = {{ duplicates = "ignored" }}

[image]
size = 32

[model]
backbone = {{ use = "my-backbone", width = 4 }}
attention = "my-attention"
head = "my-head"

[augmentation]
use = "my-augmentation"

[loss]
use = "my-loss"
class_weights = "my-class-weights"

[sampler]
use = "my-sampler"

[synthesis]
use = "my-generator"
classes = ["early-pre-b"]
per_class = 4
gate = false

[[phase]]
name = "all"
unfreeze = "all"
epochs = 1
optimizer = "my-optimizer"
schedule = "my-schedule"

[evaluate]
metrics = ["my-metric"]
bootstrap = 50

[audit.rules.my-audit]
least = 1000
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An environment of its own beside this one, with a package of each kind installed."""
    folder = tmp_path_factory.mktemp("stranger")
    packages = [str(write(f"my-{kind}", kind, folder / "packages")) for kind in KINDS]
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    python = str(folder / "venv" / "bin" / "python")
    # Beside this environment, so that torch is not installed again.
    purelib = _call(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    here = sysconfig.get_path("purelib")
    (Path(purelib) / "beside.pth").write_text(f"import site; site.addsitedir({here!r})\n")
    _call(
        sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps",
        "--no-index", "--no-build-isolation", "--disable-pip-version-check", *packages,
    )  # fmt: skip
    return python


def _call(*words: str, cwd: Path | None = None) -> str:
    done = subprocess.run(words, capture_output=True, text=True, cwd=cwd)
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_leukreg_lists_them_all(python: str) -> None:
    lines = [line.split()[:4] for line in _call(python, "-m", "leukreg", "plugins").splitlines()]
    for kind in KINDS:
        assert [kind, f"my-{kind}", f"leukreg-my-{kind}", "0.1.0"] in lines


def test_their_command_runs(python: str, tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    assert "my-command" in _call(python, "-m", "leukreg", "--help")
    assert _call(python, "-m", "leukreg", "my-command", str(tmp_path)) == "1  .png\n"


def test_one_run_trains_with_them_all(python: str, tmp_path: Path) -> None:
    write_example_images(tmp_path / "images", classes=2, per_class=24)
    recipe = tmp_path / "all.toml"
    recipe.write_text(RECIPE.format(root=(tmp_path / "images").as_posix()))
    runs = str(tmp_path / "runs")
    shown = _call(python, "-m", "leukreg", "run", str(recipe), "--runs", runs, cwd=tmp_path)
    assert "my-metric" in shown
    assert "images were scored" in shown
    assert "Surest mistakes" in shown
    [run] = (tmp_path / "runs").iterdir()
    assert len(list(run.rglob("*.png"))) >= 4
