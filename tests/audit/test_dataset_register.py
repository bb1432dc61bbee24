"""The register of public data sets: whole, sourced, and adding up."""

from __future__ import annotations

import pytest

from leukreg.audit.dataset_register import PublicDataset, dataset_register, find_dataset
from leukreg.cli.main import main

KNOWN = dataset_register()


@pytest.mark.parametrize("dataset", KNOWN.values(), ids=KNOWN)
def test_every_entry_adds_up_and_says_where_it_was_read(dataset: PublicDataset) -> None:
    assert dataset.title
    assert dataset.sources
    assert all(address.startswith(("http://", "https://")) for address in dataset.sources)
    if dataset.classes:
        assert sum(n for _, n in dataset.classes) == dataset.images
    if dataset.images and dataset.split:
        assert sum(images for _, images, _ in dataset.split) == dataset.images
    assert dataset.cropped_from in ("", *KNOWN)
    assert dataset.split_by in ("", "patient", "image")
    assert hash(dataset) == hash(dataset)


def test_names_are_found_as_people_write_them() -> None:
    assert find_dataset("C-NMC 2019") is KNOWN["c-nmc-2019"]
    assert find_dataset("ALL_IDB2") is KNOWN["all-idb2"]
    assert find_dataset("our own smears") is None


def test_the_command_lists_and_shows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["datasets"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in KNOWN)
    assert main(["datasets", "bloodmnist"]) == 0
    shown = capsys.readouterr().out
    assert "test: 3,421" in shown
    assert "source: https://github.com/MedMNIST/MedMNIST" in shown
    assert main(["datasets", "bloodmnis"]) == 2
    assert "did you mean 'bloodmnist'?" in capsys.readouterr().err
