"""Changed test images: what each change does, and what a run's models make of it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leukreg.cli.main import main
from leukreg.errors import LeukregError, NotAvailable, RunError
from leukreg.predict.image_changes import CHANGES, Change, Known
from leukreg.predict.robustness import chosen_changes, stress
from leukreg.predict.trained_run import Trained, load
from leukreg.runs import read

SIZE = 24


def known(n: int) -> Known:
    own = np.tile([120.0, 110, 130, 30, 30, 30], (n, 1))
    return Known(
        ids=tuple(f"image-{i}" for i in range(n)),
        seed=3,
        fill=np.full((n, 3), 200.0),
        own=own,
        other=own + np.array([40, -20, 10, 15, 0, 5]),
    )


def images(seed: int, n: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (n, SIZE, SIZE, 3), np.uint8)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(CHANGES))
def test_a_change_keeps_the_shape_and_looks_at_each_image_alone(seed: int, change: Change) -> None:
    pixels, about = images(seed), known(3)
    before = pixels.copy()
    for level in change.levels:
        out = change.apply(pixels, level, about)
        assert out.dtype == np.uint8
        assert out.shape == pixels.shape
        assert np.array_equal(pixels, before)
        parts = {name: getattr(about, name)[1:2] for name in ("ids", "fill", "own", "other")}
        assert np.array_equal(out[1:2], change.apply(pixels[1:2], level, replace(about, **parts)))


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_later_steps_change_more(change: Change) -> None:
    y, x = np.mgrid[:96, :96] / 96
    smooth = np.stack([200 * y, 255 * x * (1 - y), 90 + 60 * np.sin(5 * x)], -1)
    rough = smooth + np.random.default_rng(0).normal(0, 8, smooth.shape)
    pixels = rough.round().clip(0, 255).astype(np.uint8)[None]
    far = [
        np.abs(change.apply(pixels, level, known(1)).astype(int) - pixels).mean()
        for level in change.levels
    ]
    assert far[0] > 0
    if change.name != "turned":
        assert far == sorted(far)


def test_masks_hide_what_they_say_and_nothing_else() -> None:
    by_name = {one.name: one for one in CHANGES}
    pixels = images(0, 1)
    centre = by_name["centre masked"].apply(pixels, 0.5, known(1))
    assert (centre[:, 6:18, 6:18] == 200).all()
    assert np.array_equal(centre[:, :6], pixels[:, :6])
    border = by_name["border masked"].apply(pixels, 0.25, known(1))
    assert np.array_equal(border[:, 6:18, 6:18], pixels[:, 6:18, 6:18])
    assert (border[:, :6] == 200).all()
    cropped = replace(known(1), seen=0.5)  # a preprocessing cuts the rest off
    centre = by_name["centre masked"].apply(pixels, 0.5, cropped)
    assert (centre[:, 9:15, 9:15] == 200).all()
    assert np.array_equal(centre[:, :9], pixels[:, :9])
    border = by_name["border masked"].apply(pixels, 0.25, cropped)
    assert np.array_equal(border[:, 9:15, 9:15], pixels[:, 9:15, 9:15])
    assert (border[:, :9] == 200).all()


def test_colours_arrive_at_those_of_the_other_group() -> None:
    about, rng = known(1), np.random.default_rng(0)
    drawn = rng.normal(about.own[0, :3], 20, (1, 96, 96, 3))
    pixels = drawn.round().clip(0, 255).astype(np.uint8)
    (moved,) = (one for one in CHANGES if one.towards == "class")
    out = moved.apply(pixels, 1.0, about)
    assert out.mean((0, 1, 2)) == pytest.approx(about.other[0, :3], abs=2)
    grey = next(one for one in CHANGES if one.name == "grey").apply(pixels, 1.0, about)
    assert (grey[..., 0] == grey[..., 1]).all()


@pytest.fixture
def run(folds_run: Path, tmp_path: Path) -> Path:
    """A copy of a run of three classes in two folds, with MC dropout, not stressed yet."""
    return shutil.copytree(folds_run, tmp_path / folds_run.name)


def test_untouched_images_get_the_runs_own_answers(run: Path) -> None:
    trained = load(run)
    found = stress(trained, ["grey"], each=0).stress
    assert found is not None
    own = trained.result.predictions
    assert found.images == found.of == len(own)
    assert found.difference == 0
    accuracy = next(one.value for one in found.scores if one.name == "accuracy")
    assert accuracy == pytest.approx((own.answers == own.label).mean())
    (change,) = found.changes
    assert [step.level for step in change.steps] == [0.25, 0.5, 0.75, 1.0]
    for step in change.steps:
        score = {(one.name, one.label): one for one in step.scores}
        before = next(one for one in found.scores if one.name == "balanced_accuracy")
        after = score["balanced_accuracy", None]
        assert step.loss.value == pytest.approx(before.value - after.value)
        assert after.low <= after.value <= after.high
        mean = np.mean([score["sensitivity", name].value for name in own.classes])
        assert after.value == pytest.approx(mean)


def test_thresholds_and_temperatures_are_the_runs(binary_run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(binary_run, tmp_path / "copy")
    trained = load(copy)
    found = stress(trained, ["noise"], each=0).stress
    assert found is not None
    own = trained.result.predictions
    accuracy = next(one.value for one in found.scores if one.name == "accuracy")
    assert own.decision is not None
    assert accuracy == pytest.approx((own.decision == own.label).mean())
    assert found.difference == 0


def test_later_calls_add_what_is_missing_and_overwrite_nothing(run: Path) -> None:
    first = stress(load(run), ["grey"], each=3).stress
    assert first is not None
    again = load(run)
    assert again.result.stress == first
    assert stress(again, ["grey"], each=3).stress == first
    both = stress(load(run), ["noise", "grey"], each=3).stress
    assert both is not None
    assert [one.name for one in both.changes] == ["grey", "noise"]
    assert both.changes[0] == first.changes[0]
    assert read(run).stress == both
    with pytest.raises(LeukregError, match="3 images of a class before"):
        stress(load(run), ["turned"], each=2)


def test_figures_of_other_images_are_not_put_beside_these(run: Path) -> None:
    first = stress(load(run), ["grey"], each=3).stress
    assert first is not None
    trained = load(run)
    own = trained.result.predictions
    chosen = own.path[0]  # spread evenly, the first of a class is always among them
    lost = replace(own, path=tuple("/nowhere" if one == chosen else one for one in own.path))
    fewer = Trained(replace(trained.result, predictions=lost), trained.recipe)
    with pytest.raises(LeukregError, match="images before, and now"):
        stress(fewer, ["noise"], each=3)


def test_a_group_without_colours_leaves_pictures_as_they_are() -> None:
    [change] = [one for one in CHANGES if one.name == "stain of another class"]
    pixels = np.full((1, 4, 4, 3), 180, np.uint8)
    nothing = np.zeros((1, 6))
    known = Known(ids=("a",), seed=0, fill=np.zeros((1, 3)), own=nothing, other=nothing)
    assert np.array_equal(change.apply(pixels, 1.0, known), pixels)


def test_figures_repeat_to_the_last_bit(run: Path) -> None:
    first = stress(load(run), ["noise", "stain of another class"], each=4).stress
    (run / "stress.json").unlink()
    assert stress(load(run), ["noise", "stain of another class"], each=4).stress == first


def test_damage_is_said(run: Path) -> None:
    stress(load(run), ["grey"], each=2)
    path = run / "stress.json"
    data = json.loads(path.read_text())
    data["images"] += 1
    path.write_text(json.dumps(data))
    with pytest.raises(RunError, match=r"stress.json is damaged.*delete it"):
        read(run)


def test_what_cannot_be_done_is_said_in_a_sentence(run: Path, binary_run: Path) -> None:
    trained = load(run)
    with pytest.raises(LeukregError, match=r"no change 'gray'.*did you mean 'grey'"):
        chosen_changes(["gray"], trained.result)
    with pytest.raises(LeukregError, match="one fold only"):
        chosen_changes(["stain of another fold"], load(binary_run).result)
    own = trained.result.predictions
    gone = replace(own, path=tuple(f"/nowhere/{one}" for one in own.id))
    bare = Trained(replace(trained.result, predictions=gone), trained.recipe)
    with pytest.raises(NotAvailable, match=r"0 of .* test images"):
        stress(bare, ["grey"])
    moved = dict.fromkeys(trained.result.pixels, "another digest")
    changed = Trained(replace(trained.result, pixels=moved), trained.recipe)
    with pytest.raises(NotAvailable, match="unchanged: too few"):
        stress(changed, ["grey"])


def test_the_command_prints_writes_and_shows(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["stress", str(run), "--change", "grey", "--change", "centre masked", "--each", "3"]
    out = tmp_path / "out"
    assert main([*words, "--out", str(out)]) == 0
    told = capsys.readouterr().out
    assert "Worst first" in told
    assert "centre masked" in told
    table = (out / "stress.csv").read_text().splitlines()
    assert table[0] == "change,level,meaning,figure,class,value,low,high"
    assert len(table) == 1 + 5 + 2 * 4 * 6
    assert (out / "pictures.png").stat().st_size > 1000
    assert main([*words, "--out", str(out)]) == 2
    assert "not an empty folder" in capsys.readouterr().err
    assert main(["show", str(run)]) == 0
    assert "Changed images" in capsys.readouterr().out
    page = tmp_path / "page.html"
    assert main(["report", str(run), "--out", str(page)]) == 0
    assert "Changed images, step by step" in page.read_text()
    assert main(["stress", str(run), "--change", "blured"]) == 2
    assert "did you mean 'blurred'" in capsys.readouterr().err
