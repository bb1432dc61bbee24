"""Every executor keeps the contract, and a sweep comes to the same bits on each of them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from leukreg_plugins.executors import Here, Processes
from leukreg_plugins.ray_cluster import Ray
from leukreg_plugins.slurm import Slurm

from leukreg.registry import installed
from leukreg.registry.plugin_call import taken
from leukreg.sweep.driver import drive
from leukreg.sweep.sweep_file import read_sweep
from leukreg.sweep.sweep_folder import begin
from leukreg.sweep.sweep_plan import planned
from leukreg.testing import check

WITHOUT_SERVICES = {
    "here": Here(),
    "processes": Processes(workers=1),
    "ray": Ray(workers=1),
    "slurm": Slurm(cluster="local"),
}
"""Each kind of executor as it works on any machine."""
FILES = ("predictions.csv", "validation.csv", "scores.json")
NEEDS = {"ray": "ray", "slurm": "submitit"}


class Kept:
    """Workers that outlive whoever would stop them: what is slow to start starts once."""

    def __init__(self, workers: Any) -> None:
        self.count, self.submit = workers.count, workers.submit

    def stop(self) -> None:
        return None


def swept(recipe: Path, root: Path, workers: Any) -> list[bytes]:
    """The files of the one run of a sweep of a recipe."""
    asked = read_sweep(recipe)
    place, plans = begin(asked, planned(asked), root)
    assert drive(place, plans, workers) == ()
    (run,) = plans
    return [(root / run / name).read_bytes() for name in FILES]


@pytest.fixture
def one_fold(recipe: Path) -> Path:
    recipe.write_text(recipe.read_text().replace("k = 2, ", ""))
    return recipe


def test_every_executor_is_asked() -> None:
    assert {*installed().names("executor")} == {*WITHOUT_SERVICES}


@pytest.mark.filterwarnings("default")  # of the engines themselves
@pytest.mark.parametrize("name", [name for name in WITHOUT_SERVICES if name != "here"])
def test_the_same_bits_and_the_contract_on_every_executor(
    name: str, one_fold: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name in NEEDS and importlib.util.find_spec(NEEDS[name]) is None:
        pytest.skip(f"{NEEDS[name]} is not installed")
    executor: Any = WITHOUT_SERVICES[name]
    build = executor.build
    workers = build(3, 1, **taken(build, folder=tmp_path / name))
    try:
        kept = Kept(workers)
        with monkeypatch.context() as patched:
            patched.setattr(type(executor), "build", lambda self, units, threads: kept)
            check("executor", executor)
        expected = swept(one_fold, tmp_path / "here", Here().build(1, 1))
        assert swept(one_fold, tmp_path / name, kept) == expected
    finally:
        workers.stop()
