"""Rendered smears: deterministic, honest about what they are, and not solved by colour."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from leukreg_plugins.rendering import photograph
from leukreg_plugins.rendering.photograph import render
from leukreg_plugins.rendering.smear import FOLDERS, Shot, plan
from leukreg_plugins.sources.demo import Demo
from numpy.typing import NDArray
from PIL import Image

from leukreg import DataError

PRE_B = "[Malignant] Pre-B"


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEUKREG_CACHE", str(tmp_path / "cache"))


def pixels(path: str | Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image)


def test_samples_are_rendered_ones_in_the_public_folders() -> None:
    samples = Demo(images=3, size=48).build()
    assert samples.counts() == dict.fromkeys(sorted(FOLDERS), 3)
    assert {row.origin for row in samples.rows} == {"rendered"}
    assert all(row.patient and row.patient in row.id for row in samples.rows)
    assert pixels(samples.rows[0].path).shape == (48, 48, 3)
    assert Demo.notice_label == "rendered cells, not real"


def test_patients_are_told_only_where_known() -> None:
    known = Demo(images=3, size=48).build()
    hidden = Demo(images=3, size=48, patients_known=False).build()
    assert {row.patient for row in hidden.rows} == {None}
    assert [row.path for row in hidden.rows] == [row.path for row in known.rows]


def test_the_file_itself_says_that_it_is_rendered() -> None:
    with Image.open(Demo(images=1, size=48).build().rows[0].path) as image:
        assert b"not real cells" in image.info["comment"]


def test_imbalance_merging_and_the_cap() -> None:
    demo = Demo(
        images={"Benign": 6, PRE_B: 2, "[Malignant] Pro-B": 3},
        size=48,
        classes={"Benign": ("Benign",), "ALL": (PRE_B, "[Malignant] Pro-B")},
        max_per_class=4,
    )
    assert demo.build().counts() == {"Benign": 4, "ALL": 4}


def test_the_historic_listing_doubles_benign_and_loses_the_rest() -> None:
    samples = Demo(images=2, size=48, listing="glob-twice").build()
    assert samples.counts()["Benign"] == 4
    assert sum(samples.counts().values()) == 4


def test_the_cache_is_reused_and_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    demo = Demo(images=2, size=48)
    paths = [Path(row.path) for row in demo.build().rows]
    before = [path.read_bytes() for path in paths]
    paths[3].unlink()
    paths[5].write_bytes(before[5].replace(b"\xff\xda", b"\xff\xdb"))
    drawn: list[str] = []
    original = photograph.write_picture

    def count(picture: Shot, *more: Any) -> None:
        drawn.append(picture.file)
        original(picture, *more)

    monkeypatch.setattr(photograph, "write_picture", count)
    demo.build()
    assert drawn == [paths[3].name, paths[5].name]
    assert [path.read_bytes() for path in paths] == before
    demo.build()
    assert len(drawn) == 2


def test_other_options_never_use_the_same_files() -> None:
    roots = {
        Path(demo.build().rows[0].path).parent.parent
        for demo in (
            Demo(images=2, size=48),
            Demo(images=3, size=48),
            Demo(images=2, size=64),
            Demo(images=2, size=48, seed=1),
            Demo(images=2, size=48, patients=4),
        )
    }
    assert len(roots) == 5


def test_the_same_seed_gives_the_same_pixels_also_in_other_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo = Demo(images=3, size=48, duplicates=0.3)
    demo.write(tmp_path / "here")
    monkeypatch.setattr(photograph, "ALONE", 4)
    monkeypatch.setattr(photograph, "_cores", lambda: 2)
    demo.write(tmp_path / "there")
    here = {p.name: p.read_bytes() for p in (tmp_path / "here").rglob("*.jpg")}
    assert len(here) == 12
    assert here == {p.name: p.read_bytes() for p in (tmp_path / "there").rglob("*.jpg")}


def test_a_failing_worker_is_an_error_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photograph, "ALONE", 1)
    monkeypatch.setattr(photograph, "_cores", lambda: 2)
    pictures = plan({"Benign": 4}, patients=None, duplicates=0, seed=0)
    with pytest.raises(DataError, match=r"rendering stopped: .*Error"):
        photograph.write_pictures(pictures, ["Benign"], tmp_path, -1, 0)


def test_a_picture_depends_on_nothing_but_itself() -> None:
    one = Shot(folder=PRE_B, file="", patient="P007", number=5, scene=5)
    first = render(one, 96, 3)
    render(Shot(folder="Benign", file="", patient="P001", number=1, scene=1), 96, 3)
    assert np.array_equal(render(one, 96, 3), first)
    assert not np.array_equal(render(one, 96, 4), first)


@pytest.mark.parametrize("size", [32, 97, 512])
def test_any_size(size: int) -> None:
    picture = render(Shot(folder=PRE_B, file="", patient="P1", number=1, scene=1), size, 0)
    assert picture.shape == (size, size, 3)
    assert picture.dtype == np.uint8
    assert 20 < picture.std() < 90


def test_near_copies_are_near_and_others_are_not() -> None:
    pictures = plan({"Benign": 40}, patients=None, duplicates=0.25, seed=0)
    copies = [p for p in pictures if p.scene != p.number]
    assert len(copies) == 10
    assert all(p.patient == pictures[p.scene - 1].patient for p in copies)

    def grey(picture: Shot) -> NDArray[np.float64]:
        image = Image.fromarray(render(picture, 128, 0)).convert("L").resize((32, 32))
        values = np.asarray(image, dtype=float).ravel()
        return (values - values.mean()) / values.std()

    for copy in copies[:5]:
        twin, other = pictures[copy.scene - 1], pictures[copy.scene % 40]
        assert not np.array_equal(render(copy, 128, 0), render(twin, 128, 0))
        assert np.mean(grey(copy) * grey(twin)) > 0.95
        if other.scene != copy.scene:
            assert np.mean(grey(copy) * grey(other)) < 0.9


def test_patients() -> None:
    images = {"Benign": 30, PRE_B: 60}
    found = plan(images, patients=9, duplicates=0, seed=0)
    owners = {p.patient: p.folder for p in found}
    assert Counter(owners.values()) == {"Benign": 3, PRE_B: 6}
    assert all(owners[p.patient] == p.folder for p in found)
    assert len({p.file for p in found}) == 90
    assert re.fullmatch(r"P\d{3}_Pre-B_0060\.jpg", found[-1].file)
    for impossible in (1, 91):
        with pytest.raises(DataError, match="from 2 to 90"):
            plan(images, patients=impossible, duplicates=0, seed=0)


def test_unknown_folders_are_refused_with_a_suggestion() -> None:
    with pytest.raises(DataError, match=re.escape("did you mean '[Malignant] Pro-B'")):
        Demo(images={"[Malignant] ProB": 3}).build()
    with pytest.raises(DataError, match="nothing to draw"):
        Demo(images={"Benign": 0}).build()


def test_writing_out(tmp_path: Path) -> None:
    assert Demo(images=2, size=48).write(tmp_path / "out") == 8
    assert {p.name for p in (tmp_path / "out").iterdir() if p.is_dir()} == set(FOLDERS)
    assert "not real cells" in (tmp_path / "out" / "NOT-REAL-CELLS.txt").read_text()
    with pytest.raises(DataError, match="not an empty folder"):
        Demo(images=2, size=48).write(tmp_path / "out")


def colour(picture: NDArray[np.uint8]) -> list[float]:
    flat = picture.reshape(-1, 3)
    return [*flat.mean(axis=0), *flat.std(axis=0)]


def morphology(picture: NDArray[np.uint8]) -> list[float]:
    """Size, texture, outline and cytoplasm of the violet nuclei."""
    from scipy import ndimage

    values = picture.astype(np.float32)
    scale = len(picture) / 224
    density = -np.log(np.maximum(values, 1) / np.quantile(values, 0.93, axis=(0, 1)))
    smooth = ndimage.gaussian_filter(density, (0.5 * scale, 0.5 * scale, 0))
    nuclei = ndimage.binary_opening(smooth[..., 1] > 0.9, iterations=max(1, round(2 * scale)))
    labels, count = ndimage.label(nuclei)
    if not count:
        return [0.0] * 5
    each = np.arange(1, count + 1)
    area = ndimage.sum(nuclei, labels, each) / scale**2
    grain = density[..., 1] - ndimage.gaussian_filter(density[..., 1], 4 * scale)
    core = labels * ndimage.binary_erosion(nuclei, iterations=max(1, round(3 * scale)))
    with np.errstate(invalid="ignore"):  # nuclei too small to have a core
        grain = np.nan_to_num(ndimage.standard_deviation(grain, core, each))
    edge = ndimage.sum(nuclei & ~ndimage.binary_erosion(nuclei), labels, each)
    pale = (smooth[..., 0] > 0.25) & (smooth[..., 0] < 0.8) & ~nuclei
    cytoplasm = (pale & (smooth[..., 0] > 0.75 * smooth[..., 1])).sum() / nuclei.sum()
    return [np.median(area), area.max(), np.median(grain), np.median(edge**2 / area), cytoplasm]


def test_colour_does_not_solve_the_classes_and_morphology_does_better() -> None:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.neighbors import KNeighborsClassifier

    pictures = plan(dict.fromkeys(FOLDERS, 40), patients=60, duplicates=0, seed=0)
    drawn = [render(picture, 96, 0) for picture in pictures]
    target = [picture.folder for picture in pictures]
    groups = [picture.patient for picture in pictures]

    def balanced_accuracy(features: list[list[float]], model: Any) -> float:
        table = np.array(features)
        table = (table - table.mean(axis=0)) / table.std(axis=0)
        folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
        found = cross_val_predict(model, table, target, groups=groups, cv=folds)
        return float(balanced_accuracy_score(target, found))

    forest = RandomForestClassifier(50, random_state=0)
    by_colour = [colour(picture) for picture in drawn]
    chance = 1 / len(FOLDERS)
    assert balanced_accuracy(by_colour, KNeighborsClassifier(7)) < chance + 0.15
    assert balanced_accuracy(by_colour, forest) < chance + 0.15
    assert balanced_accuracy([morphology(picture) for picture in drawn], forest) > 0.55


def test_patients_alone_may_have_labels() -> None:
    samples = Demo(images=4, size=32, weak=True, classes={"benign": ("Benign",), "ALL": (PRE_B,)})
    made = samples.build()
    assert (made.weak, made.patient_classes) == (True, ("benign", "ALL"))
    assert list(made.patient_faults()) == []
    with pytest.raises(ValueError, match="weak = true needs patients"):
        Demo(weak=True, patients_known=False)
