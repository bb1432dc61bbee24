"""The folder source: options in, samples out."""

from __future__ import annotations

from pathlib import Path

import pytest
from leukreg_plugins.sources.folder import Folder

from leukreg import DataError, NotAvailable


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


def test_options_reach_the_listing(tmp_path: Path) -> None:
    touch(tmp_path, "[Malignant] Pre-B/p1/a.jpg", "Pro/p2/b.JPG", "Benign/p3/c.png", "Other/d.png")
    source = Folder(
        root=str(tmp_path),
        classes={"ALL": ("[Malignant] Pre-B", "Pro"), "Benign": ("Benign",)},
        patient_level=1,
        max_per_class=1,
    )
    source.ready()
    samples = source.build()
    assert samples.classes == ("ALL", "Benign")
    assert [(row.label, row.patient) for row in samples.rows] == [("ALL", "p1"), ("Benign", "p3")]
    assert source.build() == samples


def test_the_historys_listing(tmp_path: Path) -> None:
    touch(tmp_path, "[Malignant] Pre-B/a.jpg", "Benign/b.jpg")
    source = Folder(root=str(tmp_path), listing="glob-twice")
    assert source.build().counts() == {"Benign": 2, "[Malignant] Pre-B": 0}


def test_without_its_folder_it_is_not_available(tmp_path: Path) -> None:
    source = Folder(root=str(tmp_path / "all"))
    for ask in (source.ready, source.build):
        with pytest.raises(NotAvailable, match=r"all does not exist.*data\.root"):
            ask()


def test_a_misspelt_class_folder_is_an_error_not_a_reason_to_fall_back(tmp_path: Path) -> None:
    touch(tmp_path, "Benign/b.jpg")
    source = Folder(root=str(tmp_path), classes={"B": ("Bening",)})
    source.ready()
    with pytest.raises(DataError, match="did you mean 'Benign'") as caught:
        source.build()
    assert not isinstance(caught.value, NotAvailable)
