"""The record of a run: a field that is added is one edit, and old folders are read without it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from leukreg.errors import RunError
from leukreg.record import External, RunRecord
from leukreg.runs import read
from leukreg.runs.contents import read_as
from tests.runs.run_folders import finished

Make = Callable[..., RunRecord]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stain:
    """A part that a later version might add."""

    name: str = ""
    strength: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Later(RunRecord):
    """The record with one more part and one more fact: nothing else is edited."""

    stains: tuple[Stain, ...] = ()
    microscope: str = ""


def test_a_new_field_is_one_edit(tmp_path: Path, make_result: Make) -> None:
    made = make_result(bootstrap=0)
    known = {field.name: getattr(made, field.name) for field in dataclasses.fields(RunRecord)}
    later = Later(**known, stains=(Stain(name="Giemsa", strength=0.1 + 0.2),), microscope="x")
    kept = finished(tmp_path, later)
    back = read_as(kept.folder, Later)
    assert (back.stains, back.microscope) == (later.stains, "x")
    assert read(kept.folder).scores == kept.scores  # and this version reads what it knows


def test_a_folder_without_the_new_field_is_read(tmp_path: Path, make_result: Make) -> None:
    kept = finished(tmp_path, make_result(bootstrap=0))
    assert read_as(kept.folder, Later).stains == ()


def test_nothing_in_the_record_is_of_any_type() -> None:
    seen: set[Any] = set()

    def look(shape: type) -> None:
        for name, hint in get_type_hints(shape).items():
            assert "Any" not in repr(hint).replace("NDArray[Any", ""), f"{shape.__name__}.{name}"
            for inner in (hint, *getattr(hint, "__args__", ())):
                if dataclasses.is_dataclass(inner) and inner not in seen:
                    seen.add(inner)
                    look(inner)  # type: ignore[arg-type]

    look(External)
    for field in dataclasses.fields(RunRecord):
        part = getattr(RunRecord(), field.name)
        if dataclasses.is_dataclass(part) and field.name not in ("predictions", "samples"):
            look(type(part))


def test_facts_of_version_0_1_lie_side_by_side(tmp_path: Path, make_result: Make) -> None:
    """Their keys stand on one level, whatever part of the record has them."""
    folder = finished(tmp_path, make_result(bootstrap=0)).folder
    (folder / "checksums.txt").unlink()
    old = {
        "listed": {"Benign": 3},
        "test_looks": ["v3"],
        "folds": [{"device": "cpu", "input_range": [0, 1, 0, 1], "input": "unknown"}],
        "fidelity": [{"class": "ALL", "kid": 0.1, "passed": True}],
        "bn_changed_by_mc": False,
    }
    (folder / "facts.json").write_text(json.dumps(old))
    record = read(folder)
    assert record.listing.listed == {"Benign": 3}
    assert record.earlier.test_looks == ("v3",)
    assert record.training.folds[0].input_range == (0, 1, 0, 1)
    assert (record.synthesis.fidelity[0].label, record.synthesis.fidelity[0].kid) == ("ALL", 0.1)


def test_a_fact_of_another_shape_is_damage_and_named(tmp_path: Path, make_result: Make) -> None:
    folder = finished(tmp_path, make_result(bootstrap=0)).folder
    (folder / "checksums.txt").unlink()
    (folder / "facts.json").write_text('{"test_looks": 3}')
    with pytest.raises(RunError, match=r"facts\.json is damaged: test_looks"):
        read(folder)
