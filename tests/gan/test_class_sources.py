"""Each way to a class that has no image here, from options to images."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import discs
import numpy as np
import pytest
from leukreg_gan.cgan import Cgan
from leukreg_gan.class_sources import Attributes, Donor
from leukreg_gan.generator_file import read_archive
from PIL import Image

from leukreg import DataError, ImageSpec
from tests.gan.test_cgan import SMALL, Said, changed

FILE = "generator.safetensors"


def home() -> discs.Discs:
    """Red discs alone: blue ones are to be made."""
    return discs.discs(red=12, blue=0)


def fitted(images: discs.Discs, folder: Path, said: Said | None = None, **keys: Any) -> Any:
    made = Cgan(**{**SMALL, **keys}).build(ImageSpec(size=32), discs.labels_of(images), ("blue",))
    made.fit(images, 5, folder, said or Said())
    return made


@pytest.fixture
def donors(tmp_path: Path) -> Path:
    """Seven blue discs of another source."""
    pixels = discs.discs(red=0, blue=7, seed=1).array
    (tmp_path / "donors" / "blue").mkdir(parents=True)
    for number, picture in enumerate(pixels):
        Image.fromarray(picture).save(tmp_path / "donors" / "blue" / f"{number}.png")
    return tmp_path / "donors"


def test_a_class_is_learned_from_donors(tmp_path: Path, donors: Path) -> None:
    made = fitted(home(), tmp_path / "fit", way="donor", donor=Donor(root=str(donors)))
    images = made.sample("blue", 3, 1)
    assert images.pixels.shape == (3, 32, 32, 3)
    assert np.ptp(images.pixels) > 0
    told = images.lineage[0].condition
    assert (told["source"], told["learned from"]) == ("home", "donor images")
    _, card = read_archive(tmp_path / "fit" / FILE, "cgan")
    assert card.classes == ("red", "blue")
    assert (len(card.pixels), card.donors, len(card.donor_pixels)) == (12, 7, 7)


def described(path: Path) -> Attributes:
    """The red discs' attributes, and blue as a combination that none of them has."""
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["img_name", "outline", "tint"])
        for number in range(12):
            outline, tint = ("round", "pale") if number % 2 else ("oval", "dark")
            table.writerow([f"{number}.png", outline, tint])
    return Attributes(
        table=str(path), describe={"blue": {"outline": "round", "tint": ("dark", "pale")}}
    )


def test_a_class_is_learned_from_its_description(tmp_path: Path) -> None:
    said = Said()
    options = described(tmp_path / "table.csv")
    made = fitted(home(), tmp_path / "fit", said, way="attributes", attributes=options)
    images = made.sample("blue", 40, 1)
    assert images.pixels.shape == (40, 32, 32, 3)
    told = [line.condition for line in images.lineage]
    assert {each["outline"] for each in told} == {"round"}
    assert {each["combination"] for each in told} == {"seen in training", "never seen in training"}
    assert any("tells each of 2 conditions rightly" in line for line in said.lines)
    with (tmp_path / "fit" / "log.csv").open(newline="") as file:
        last = [*csv.DictReader(file)][-1]
    assert float(last["spread red"]) > 0
    assert float(last["spread blue"]) > 0


# A file that donors taught


@pytest.fixture
def file(tmp_path: Path, donors: Path) -> Path:
    options = Donor(root=str(donors), stain="none")
    fitted(home(), tmp_path / "fit", way="donor", donor=options)
    return tmp_path / "fit" / FILE


def test_donors_of_a_file_count_as_outside(tmp_path: Path, file: Path) -> None:
    with pytest.raises(
        DataError, match=r"7 of its 19 training images \(7 of them donors .* outsid"
    ):
        fitted(home(), tmp_path / "again", weights=str(file))
    made = fitted(home(), tmp_path / "again", weights=str(file), outside="allow")
    told = made.sample("blue", 1, 0).lineage[0].condition["trained on"]
    assert told.startswith("7 of its 19 training images (7 of them donors")


def test_donors_that_an_older_file_does_not_tell_count_too(tmp_path: Path, file: Path) -> None:
    _, card = read_archive(file, "cgan")
    plain = asdict(card)
    del plain["donor_pixels"]
    text = json.dumps(plain)
    changed(file, card=text, digest=blake2b(text.encode(), digest_size=16).hexdigest())
    with pytest.raises(DataError, match=r"7 of its 19 training images"):
        fitted(home(), tmp_path / "again", weights=str(file))


def test_donors_that_are_training_images_here_are_not_outside(tmp_path: Path, file: Path) -> None:
    """Both sources train here: nothing that is tested can have taught the generator."""
    one, other = home(), discs.discs(red=0, blue=7, seed=1)
    both = discs.Discs(
        replace(one.samples, rows=one.samples.rows + other.samples.rows),
        np.concatenate([one.array, other.array]),
    )
    made = fitted(both, tmp_path / "again", weights=str(file))
    told = made.sample("blue", 1, 0).lineage[0].condition["trained on"]
    assert told == "19 images of this training fold (7 of them donors from another source)"
