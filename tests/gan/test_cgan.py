"""The plugin: fits once, is kept as a file, is used again only where that is honest."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import discs
import numpy as np
import pytest
import torch
from leukreg_gan import class_generator, training
from leukreg_gan.cgan import Cgan
from leukreg_gan.generator_file import Card, read_archive, write_archive
from pydantic import TypeAdapter, ValidationError
from safetensors.torch import load_file, save_file

from leukreg import SILENT, DataError, ImageSpec, Labels, NotAvailable
from leukreg.errors import WriteError
from leukreg.testing import check

IMAGE = ImageSpec(size=32)
SMALL: dict[str, Any] = {
    "steps": 4,
    "batch": 4,
    "channels": 4,
    "latent": 8,
    "snapshot_every": 2,
    "threads": 1,
    "device": "cpu",
}


class Said:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def task(self, title: str, total: int | None = None) -> Any:
        from contextlib import nullcontext

        return nullcontext(lambda steps=1, note="": None)

    def say(self, text: str) -> None:
        self.lines.append(text)


def few() -> discs.Discs:
    """So few images that none is held out, and no extractor is needed."""
    return discs.discs(red=12, blue=12)


def fitted(images: discs.Discs, folder: Path | None = None, said: Any = SILENT, **keys: Any) -> Any:
    made = Cgan(**{**SMALL, **keys}).build(IMAGE, discs.labels_of(images))
    made.fit(images, 5, folder, said)
    return made


def test_keeps_the_contract_of_a_generator() -> None:
    check("generator", Cgan(**SMALL))


def test_a_second_fit_of_the_same_content_trains_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = fitted(few(), tmp_path / "a")
    monkeypatch.setattr(training, "train", lambda *args: pytest.fail("trained again"))
    said = Said()
    second = fitted(few(), tmp_path / "b", said)
    assert any("nothing is trained" in line for line in said.lines)
    one, two = first.sample("red", 3, 1), second.sample("red", 3, 1)
    assert np.array_equal(one.pixels, two.pixels)
    assert one.lineage == two.lineage
    names = {path.name for path in (tmp_path / "a").iterdir()}
    assert names == {p.name for p in (tmp_path / "b").iterdir()}
    assert names == {
        "generator.safetensors",
        "log.csv",
        "step-0000002.png",
        "step-0000004.png",
    }


def test_a_file_says_what_its_own_recipe_says(tmp_path: Path) -> None:
    fitted(few(), tmp_path / "a", attribution="theirs")
    fitted(few(), tmp_path / "b", attribution="ours")
    weights, card = read_archive(tmp_path / "b" / "generator.safetensors", "cgan")
    assert card.attribution == "ours"
    before, first = read_archive(tmp_path / "a" / "generator.safetensors", "cgan")
    assert first.attribution == "theirs"
    assert replace(first, attribution="ours") == card
    assert all(torch.equal(weights[name], before[name]) for name in before)


def test_the_last_step_is_logged_whatever_the_number(tmp_path: Path) -> None:
    fitted(few(), tmp_path, steps=3)
    steps = [line.split(",")[0] for line in (tmp_path / "log.csv").read_text().splitlines()]
    assert steps == ["step", "2", "3"]


def test_a_patient_and_copies_of_a_picture_are_held_out_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images = discs.discs()
    rows = [
        replace(row, patient=f"p{number // 3}") for number, row in enumerate(images.samples.rows)
    ]
    rows[60:] = images.samples.rows[60:]  # of unknown patients: pairs of one picture
    images.array[60::2] = images.array[61::2]
    held: list[int] = []

    def stop(job: Any, progress: Any) -> None:
        held.extend(job.held.tolist())
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "train", stop)
    with pytest.raises(KeyboardInterrupt):
        fitted(replace(images, samples=replace(images.samples, rows=tuple(rows))))
    red, blue = held[:6], held[6:]
    assert [row // 3 for row in red[::3]] == [row // 3 for row in red[2::3]]
    assert [row // 2 for row in blue[::2]] == [row // 2 for row in blue[1::2]]
    assert len(blue) == 6


@pytest.mark.parametrize(
    "keys", [{"steps": 5}, {"colour": 0.4}, {"balance": "data"}, {"way": "few", "ema": 0.5}]
)
def test_other_options_train_anew(monkeypatch: pytest.MonkeyPatch, keys: dict[str, Any]) -> None:
    count = counted(monkeypatch)
    fitted(few())
    fitted(few(), **keys)
    assert count == [2]


def test_other_pixels_labels_or_seeds_train_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    count = counted(monkeypatch)
    images = few()
    fitted(images)
    pixels = images.array.copy()
    pixels[0, 0, 0, 0] ^= 1
    fitted(replace(images, array=pixels))
    rows = list(images.samples.rows)
    rows[0] = replace(rows[0], label="blue")
    fitted(replace(images, samples=replace(images.samples, rows=tuple(rows))))
    made = Cgan(**SMALL).build(IMAGE, discs.labels_of(images))
    made.fit(images, 6, None)
    assert count == [4]


@pytest.mark.parametrize("keys", [{"threads": 2}, {"attribution": "ours"}, {"truncation": 0.7}])
def test_what_does_not_decide_the_training_trains_nothing_anew(
    monkeypatch: pytest.MonkeyPatch, keys: dict[str, Any]
) -> None:
    count = counted(monkeypatch)
    fitted(few())
    fitted(few(), **keys)
    assert count == [1]


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    count = [0]
    train = training.train

    def counting(*args: Any) -> Any:
        count[0] += 1
        return train(*args)

    monkeypatch.setattr(training, "train", counting)
    return count


def test_a_damaged_file_in_the_cache_is_trained_anew(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted(few())
    [path] = own_cache.glob("generators/*/generator.safetensors")
    path.write_bytes(path.read_bytes()[:-40])
    count = counted(monkeypatch)
    fitted(few())
    assert count == [1]
    assert read_archive(path, "cgan")[1].classes == ("red", "blue")


def test_of_two_runs_that_need_the_same_generator_one_waits(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from filelock import FileLock, Timeout

    fitted(few())
    [path] = own_cache.glob("generators/*/generator.safetensors")
    path.unlink()
    train = training.train

    def held(*args: Any) -> Any:
        with pytest.raises(Timeout):
            FileLock(path.parent / ".lock", timeout=0, is_singleton=False).acquire()
        return train(*args)

    monkeypatch.setattr(training, "train", held)
    fitted(few())
    FileLock(path.parent / ".lock", timeout=0).acquire().lock.release()


def test_a_full_disk_is_said_and_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_cache: Path
) -> None:
    def full(self: Path, target: Path) -> None:
        if Path(target).name == class_generator.FILE:
            raise OSError(28, "No space left on device")
        Path.rename(self, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(WriteError, match=r"cannot be written: No space left"):
        fitted(few(), tmp_path / "fit")
    assert not [*own_cache.rglob("*.part"), *own_cache.rglob(class_generator.FILE)]


@pytest.mark.parametrize("name", [class_generator.FILE, "log.csv", "step-0000004.png"])
def test_a_fit_folder_on_a_full_disk_holds_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    fitted(few())  # the cache has it; what is left is to copy it
    folder = tmp_path / "fit"

    def full(self: Path, target: Path) -> None:
        if Path(target) == folder / name:
            raise OSError(28, "No space left on device")
        Path.rename(self, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(WriteError, match=rf"fit/{name} cannot be written: No space left"):
        fitted(few(), folder)
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
    assert not (folder / name).exists()


def test_every_image_tells_where_it_comes_from() -> None:
    made = fitted(few()).sample("blue", 300, 9)
    assert made.pixels.shape == (300, 32, 32, 3)
    assert len({line.seed for line in made.lineage}) == 300
    assert {line.generator for line in made.lineage} == {"cgan"}
    assert {line.condition["class"] for line in made.lineage} == {"blue"}
    assert {len(line.snapshot or "") for line in made.lineage} == {32}


def test_more_images_begin_with_the_same_ones() -> None:
    """But for rounding: a processor adds up another number of images in another order."""
    generator = fitted(few())
    many, some = (generator.sample("red", n, 4) for n in (9, 3))
    assert np.abs(many.pixels[:3].astype(int) - some.pixels).max() <= 1
    assert [line.seed for line in many.lineage[:3]] == [line.seed for line in some.lineage]


def test_less_noise_makes_images_more_alike() -> None:
    plain = fitted(few()).sample("red", 40, 1).pixels
    typical = fitted(few(), truncation=0.2).sample("red", 40, 1).pixels
    assert typical.std(axis=0).mean() < plain.std(axis=0).mean()


def test_sampling_before_fitting_is_refused() -> None:
    images = few()
    with pytest.raises(DataError, match="fit comes before sample"):
        Cgan(**SMALL).build(IMAGE, discs.labels_of(images)).sample("red", 1, 0)


def test_a_class_without_images_is_refused_before_any_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(training, "train", lambda *args: pytest.fail("trained"))
    with pytest.raises(DataError, match="'blue'"):
        fitted(discs.discs(red=10, blue=0))


def test_sizes_that_cannot_be_made_are_refused() -> None:
    with pytest.raises(DataError, match="48 pixels"):
        Cgan().build(ImageSpec(size=48), discs.labels_of(few()))


@pytest.mark.parametrize(
    "options",
    [{"way": "donor"}, {"way": "attributes"}, {"way": "few", "donor": {"root": "other"}}],
)
def test_ways_that_do_not_go_together_are_refused_with_the_options(options: Any) -> None:
    with pytest.raises(ValidationError, match="way ="):
        TypeAdapter(Cgan).validate_json(json.dumps(options), strict=True)


def test_only_classes_that_are_asked_for_must_be_learned() -> None:
    images = discs.discs(red=10, blue=0)
    made = Cgan(**SMALL).build(IMAGE, discs.labels_of(images), ("red",))
    made.fit(images, 5, None)
    assert made.sample("red", 1, 0).pixels.shape == (1, 32, 32, 3)
    with pytest.raises(DataError, match="blue"):
        made.sample("blue", 1, 0)


@pytest.mark.parametrize(
    "options", [{"steps": 0}, {"ema": 1}, {"cutout": 2}, {"balance": "all"}, {"chanels": 3}]
)
def test_options_have_ranges(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Cgan).validate_json(json.dumps(options), strict=True)


def test_what_is_missing_is_said_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(NotAvailable, match="no file"):
        Cgan(weights=str(tmp_path / "none.safetensors")).ready()


def test_it_learns_what_each_class_looks_like() -> None:
    images = discs.discs(red=40, blue=40)
    options = {"steps": 150, "batch": 16, "channels": 8, "snapshot_every": 150, "ema": 0.95}
    made = fitted(images, **options, generator_lr=2e-3, discriminator_lr=2e-3)
    for name, colour in discs.COLOURS.items():
        pixels = made.sample(name, 60, 1).pixels
        middle = pixels[:, 12:20, 12:20].mean(axis=(0, 1, 2))
        corner = pixels[:, :3, :3].mean(axis=(0, 1, 2))
        assert np.abs(middle - colour).max() < 50
        assert np.abs(corner - (225, 215, 215)).max() < 50
        assert pixels.std(axis=0).mean() > 8  # real ones: about 24


# The file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    fitted(few(), tmp_path / "fit", attribution="Made up, CC0")
    return tmp_path / "fit" / "generator.safetensors"


def test_a_file_makes_the_very_images_that_the_fit_made(file: Path, tmp_path: Path) -> None:
    here = fitted(few(), attribution="Made up, CC0").sample("red", 5, 3)
    there = fitted(few(), tmp_path / "again", weights=str(file)).sample("red", 5, 3)
    assert np.array_equal(here.pixels, there.pixels)
    assert [line.snapshot for line in here.lineage] == [line.snapshot for line in there.lineage]
    assert there.lineage[0].condition["weights"] == "generator.safetensors"
    assert there.lineage[0].condition["trained on"] == "24 images of this training fold"
    assert (tmp_path / "again" / "generator.safetensors").is_file()


def test_a_file_says_what_must_be_known_of_it(file: Path) -> None:
    _, card = read_archive(file, "cgan")
    assert card.classes == ("red", "blue")
    assert (card.size, card.channels, card.latent, card.seed) == (32, 4, 8, 5)
    assert card.images == {"red": 12, "blue": 12}
    assert len(card.pixels) == 24
    assert card.attribution == "Made up, CC0"
    assert card.settings["steps"] == 4
    assert len(card.snapshot) == 32


def test_a_file_trained_on_other_images_is_refused_unless_allowed(file: Path) -> None:
    fold = discs.discs(red=12, blue=6)  # the last six discs are not in it
    with pytest.raises(DataError, match=r"6 of its 24 training images are outside this fold"):
        fitted(fold, weights=str(file))
    allowed = fitted(fold, weights=str(file), outside="allow").sample("red", 1, 0)
    assert "outside this fold" in allowed.lineage[0].condition["trained on"]


def test_a_file_of_another_size_or_task_is_refused_with_all_reasons(file: Path) -> None:
    images = few()
    labels = Labels(names=("a", "b"), counts=(1, 1))
    made = Cgan(weights=str(file)).build(ImageSpec(size=64), labels)
    with pytest.raises(DataError, match=r"(?s)32 pixels.*64.*none of which is a class"):
        made.fit(images, 0, None)


def changed(file: Path, **metadata: str) -> None:
    from safetensors import safe_open

    with safe_open(file, "pt") as opened:
        head: dict[str, str] = opened.metadata()
    save_file(load_file(file), file, {**head, **metadata})


def test_files_that_are_none_of_ours_are_told_apart(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(2)}, other)
    with pytest.raises(DataError, match="no trained generator"):
        read_archive(other, "cgan")
    other.write_bytes(b"nothing of the kind")
    with pytest.raises(DataError, match="cannot be read"):
        read_archive(other, "cgan")
    changed(file, card="{}")
    with pytest.raises(DataError, match="its head is not as it was written"):
        read_archive(file, "cgan")
    changed(file, card="{}", digest=hashlib.blake2b(b"{}", digest_size=16).hexdigest())
    with pytest.raises(DataError, match="head cannot be read"):
        read_archive(file, "cgan")


def test_changed_weights_are_found_out(file: Path) -> None:
    weights, card = read_archive(file, "cgan")
    name = next(iter(weights))
    weights[name] = weights[name] + 1
    write_archive(file, "cgan", weights, card)
    with pytest.raises(DataError, match="damaged"):
        read_archive(file, "cgan")


def test_weights_that_do_not_fit_their_description_are_refused(file: Path) -> None:
    weights, card = read_archive(file, "cgan")
    wrong: Card = replace(card, channels=8)
    write_archive(file, "cgan", weights, wrong)
    with pytest.raises(DataError, match="do not fit"):
        fitted(few(), weights=str(file))
