"""Finished runs that answer about patients, trained once a session, and patients to ask them of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.trained import RECIPE, draw

WEAK = """patient_level = 1
weak = true
patients = {{ path = "{root}.csv" }}
"""
EVALUATE = 'positive = "ill"\nthreshold = { rule = "youden" }\ncalibration = {}\n'
COLOURS = {"ill": (170, 60, 60), "well": (60, 60, 170)}


def write_smears(root: Path, patients: int, seed: int, by_class: bool = False) -> Path:
    """Folders of patients with 1 to 4 cells each, every second one ill, and a table of labels.

    Args:
        by_class: The patients' folders stand in folders of their labels.
    """
    rng, lines = np.random.default_rng(seed), ["patient,label"]
    for number in range(patients):
        label, name = ("ill", "well")[number % 2], f"p{number:02d}"
        lines.append(f"{name},{label}")
        place = root / label / name if by_class else root / name
        place.mkdir(parents=True)
        for cell in range(1 + number % 4):
            draw(rng, COLOURS[label]).save(place / f"{cell}.png")
    root.with_suffix(".csv").write_text("\n".join(lines) + "\n")
    return root


def train_on_smears(folder: Path, aggregator: str, by_class: bool) -> Path:
    """The folder of a run of two folds over 24 patients."""
    from leukreg.experiment import run

    root = write_smears(folder / "smears", 24, seed=1, by_class=by_class)
    options = "patient_level = 1\n" if by_class else WEAK.format(root=root)
    text = RECIPE.format(root=root, folds="{ k = 2, validation = 0.4 }", evaluate=EVALUATE)
    text = text.replace("[image]", f"{options}\n[image]")
    path = folder / "smears.toml"
    path.write_text(f'{text}\n[patients]\naggregator = "{aggregator}"\nepochs = 3\n')
    return run(path, runs=folder / "runs").folder


@pytest.fixture(scope="session")
def _smears(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("smears")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEUKREG_CACHE", str(root / "cache"))
        return {
            "cache": root / "cache",
            "weak": train_on_smears(root / "weak", "attention", by_class=False),
            "labelled": train_on_smears(root / "labelled", "top-share", by_class=True),
        }


@pytest.fixture
def weak_run(_smears: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run about patients alone, by attention: threshold and temperatures."""
    monkeypatch.setenv("LEUKREG_CACHE", str(_smears["cache"]))
    return _smears["weak"]


@pytest.fixture
def labelled_run(_smears: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run about cells and about patients, by the highest of their cells."""
    monkeypatch.setenv("LEUKREG_CACHE", str(_smears["cache"]))
    return _smears["labelled"]
