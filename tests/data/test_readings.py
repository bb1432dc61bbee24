"""What was chosen in reading files is counted where a reader sees it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from leukreg.cli.main import main
from leukreg.data import list_folder
from leukreg.data.decoded import SIXTEEN
from leukreg.data.picture import Facts
from leukreg.data.readings import readings
from leukreg.data.survey import survey
from tests.data.conftest import picture


def facts(number: int, *notes: str, peak: int = 0) -> Facts:
    return Facts(str(number), str(number), "PNG", 9, 9, 9, (0.0,) * 9, notes, peak)


def test_choices_are_counted_by_content() -> None:
    found = readings([facts(1, "one"), facts(1, "one"), facts(2, "one", "two"), facts(3)])
    assert [str(each) for each in found] == ["2 files: one", "1 file: two"]
    assert readings([facts(1)]) == ()


@pytest.mark.parametrize(
    ("peaks", "bits"),
    [
        ((4095, 900), 12),
        ((1023, 700), 10),
        ((16_000, 16_383), 14),
        ((4095, 65_535), 0),
        ((900,), 0),
        ((0, 0), 0),  # pictures without any light
    ],
)
def test_a_set_whose_values_stay_low_is_pointed_out(peaks: tuple[int, ...], bits: int) -> None:
    [found] = readings([facts(at, SIXTEEN, peak=peak) for at, peak in enumerate(peaks)])
    assert found.doubtful == bool(bits)
    assert (f"they probably hold {bits} bits" in found.what) == bool(bits)


@pytest.fixture
def twelve_bits(tmp_path: Path) -> Path:
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for seed in range(3):
            values = np.asarray(picture(seed).convert("L")).astype(np.uint16) * 16
            Image.fromarray(values).save(tmp_path / label / f"{label}{seed}.png")
    return tmp_path


def test_data_says_it(twelve_bits: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [found] = survey(list_folder(twelve_bits)).readings
    assert (found.files, found.doubtful) == (3, True)
    main(["data", str(twelve_bits)])
    shown = " ".join(capsys.readouterr().out.split())
    assert "3 files: 16 bits, 65,535 taken for white, but no value is above 4,095" in shown
    assert "to 8 bits: value * 255 / 4,095" in shown
