"""The table source: CSV and Parquet alike, every wrong row at once."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pandas as pd
import pytest
from leukreg_plugins.sources.table import TableFile

from leukreg import DataError, Lineage, NotAvailable, Problems

ROWS = {
    "path": ["a/1.png", "a/2.png", "b/ä.png"],
    "label": ["NA", "x", "x"],
    "patient": ["007", "", "8"],
    "split": ["Training", "val", "test"],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (*ROWS["path"][:2], unicodedata.normalize("NFD", ROWS["path"][2])):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path / "images"


def write(folder: Path, kind: str, **columns: list[object]) -> Path:
    frame = pd.DataFrame({**ROWS, **columns})
    path = folder / f"cells.{kind}"
    if kind == "parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="\t" if kind == "tsv" else ",")
    return path


@pytest.mark.parametrize("kind", ["csv", "tsv", "parquet"])
def test_all_kinds_of_table(folder: Path, kind: str) -> None:
    source = TableFile(path=str(write(folder, kind)))
    source.ready()
    samples = source.build()
    assert samples.classes == ("NA", "x")
    assert [row.id for row in samples.rows] == ROWS["path"]
    assert [row.label for row in samples.rows] == ["NA", "x", "x"]
    assert [row.patient for row in samples.rows] == ["007", None, "8"]
    assert [row.split for row in samples.rows] == ["train", "validation", "test"]
    assert all(Path(row.path).is_file() for row in samples.rows)


def test_columns_may_have_other_names_and_be_missing(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text(
        "\ufefffile;kind\n".replace(";", ",") + "a/1.png,x\n\n  a/2.png , y \n", "utf-8"
    )
    source = TableFile(path=str(table), images=str(folder), path_column="file", label_column="kind")
    samples = source.build()
    assert [(row.id, row.label, row.patient, row.split) for row in samples.rows] == [
        ("a/1.png", "x", None, None),
        ("a/2.png", "y", None, None),
    ]


def test_whole_numbers_with_gaps_stay_whole(folder: Path) -> None:
    table = write(folder, "parquet", patient=[7.0, None, 8.0])
    assert [row.patient for row in TableFile(path=str(table)).build().rows] == ["7", None, "8"]


def test_classes_merge_labels_and_leave_others_out(folder: Path) -> None:
    table = write(folder, "csv", label=["pre", "pro", "benign"])
    source = TableFile(path=str(table), classes={"ALL": ("pro", "pre")})
    samples = source.build()
    assert samples.classes == ("ALL",)
    assert samples.counts() == {"ALL": 2}
    with pytest.raises(Problems, match="no row has the label 'prae'"):
        TableFile(path=str(table), classes={"ALL": ("prae",)}).build()


def test_absolute_paths_get_ids_that_are_relative(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere.png"
    other.write_bytes(b"x")
    table = write(folder, "csv", path=[str(other), str(folder / "a/2.png"), "a\\1.png"])
    rows = TableFile(path=str(table)).build().rows
    assert [row.id for row in rows] == [str(other).lstrip("/"), "a/2.png", "a/1.png"]


def test_all_wrong_rows_at_once(folder: Path) -> None:
    table = write(
        folder,
        "csv",
        path=["a/none.png", "", "a/1.png"],
        label=["x", "x", ""],
        split=["train", "later", "test"],
    )
    with pytest.raises(Problems) as caught:
        TableFile(path=str(table)).build()
    text = str(caught.value)
    assert f"{table}:2  there is no file {folder / 'a/none.png'}" in text
    assert f"{table}:3  the path is empty" in text
    assert f"{table}:3  split 'later' is none of train, validation, test" in text
    assert f"{table}:4  the label is empty" in text
    assert len(caught.value.problems) == 4


def test_rows_without_a_file_are_broken_ones_that_a_recipe_may_skip(folder: Path) -> None:
    table = write(folder, "csv", path=["a/1.png", "a/none.png", "a/2.png"])
    samples = TableFile(path=str(table)).build()
    assert [row.id for row in samples.rows] == ["a/1.png", "a/2.png"]
    [broken] = samples.broken
    assert broken.path == f"{table}:3"
    assert broken.reason == f"there is no file {folder / 'a/none.png'}"
    nothing = folder / "nothing.csv"
    nothing.write_text("path,label\nb/1.png,x\n")
    with pytest.raises(Problems, match="there is no file"):
        TableFile(path=str(nothing)).build()


def test_one_file_cannot_be_two_things(folder: Path) -> None:
    table = write(folder, "csv", path=["a/1.png"] * 3, split=["train"] * 3, patient=[""] * 3)
    with pytest.raises(Problems, match=r"cells.csv:3  contradicts .*cells.csv:2 on 'a/1.png'"):
        TableFile(path=str(table)).build()


def test_many_wrong_rows_are_counted(folder: Path) -> None:
    table = folder / "long.csv"
    table.write_text("path,label\n" + "none.png,x\n" * 80)
    with pytest.raises(Problems, match="and 30 more such rows"):
        TableFile(path=str(table)).build()


def test_missing_columns_are_suggested(folder: Path) -> None:
    table = folder / "t.csv"
    table.write_text("paths,label\na/1.png,x\n")
    with pytest.raises(Problems) as caught:
        TableFile(path=str(table), patient_column="pat").build()
    assert "no column 'path' (path_column); did you mean 'paths'?" in str(caught.value)
    assert "no column 'pat' (patient_column)" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("t.csv", b""),
        ("t.csv", b'path,label\n"a'),
        ("t.csv", b"path,label\n\xff\xfe,x\n"),
        ("t.csv", b"path,label\na,b\n1,2,3,4\n"),
        ("t.parquet", b"path,label\n"),
    ],
)
def test_what_is_no_table_is_told(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises((DataError, Problems), match=name):
        TableFile(path=str(tmp_path / name)).build()


def test_without_its_file_it_is_not_available(tmp_path: Path) -> None:
    source = TableFile(path=str(tmp_path / "t.csv"))
    for ask in (source.ready, source.build):
        with pytest.raises(NotAvailable, match=r"t\.csv does not exist.*data\.path"):
            ask()


MADE: dict[str, list[object]] = {
    "origin": ["real", "synthetic", ""],
    "generator": ["", "cgan", ""],
    "seed": ["", "17", ""],
    "fold": ["", "0", ""],
    "parent": ["", "", ""],
    "snapshot": ["", "00ff", ""],
    "condition": ["", '{"class": "x"}', ""],
}


def test_synthetic_images_stay_synthetic_and_keep_their_lineage(folder: Path) -> None:
    first, second, third = TableFile(path=str(write(folder, "csv", **MADE))).build().rows
    assert (first.origin, first.lineage) == ("real", None)
    assert (third.origin, third.lineage) == ("real", None)
    assert second.origin == "synthetic"
    assert second.lineage == Lineage(
        generator="cgan", seed=17, fold=0, snapshot="00ff", condition={"class": "x"}
    )


def test_a_column_called_origin_may_be_a_hospital(folder: Path) -> None:
    table = write(folder, "csv", origin=["Berlin", "Paris", "Rome"], seed=["a", "b", "c"])
    assert {row.origin for row in TableFile(path=str(table)).build().rows} == {"real"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"origin": ["Berlin", "synthetic", ""]}, "cells.csv:2.*'Berlin' is none of real"),
        ({"generator": ["warp", "cgan", ""]}, "cells.csv:2.*names its generator"),
        ({"generator": ["", "", ""]}, "cells.csv:3.*names its generator"),
        ({"seed": ["", "x", ""]}, "cells.csv:3.*seed 'x' is no whole number"),
        ({"condition": ["", "{", ""]}, "cells.csv:3.*no table in JSON"),
    ],
)
def test_wrong_lineage_is_told(
    folder: Path, changes: dict[str, list[object]], message: str
) -> None:
    with pytest.raises(Problems, match=message):
        TableFile(path=str(write(folder, "csv", **{**MADE, **changes}))).build()
