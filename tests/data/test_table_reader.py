"""Tables of other people: every cell is a text, and none stands under another's name."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leukreg import DataError, read_table

CELL = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\x00"), max_size=8)


def written(folder: Path, text: str, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@given(rows=st.lists(st.tuples(CELL, CELL, CELL), max_size=6), kind=st.sampled_from(["csv", "tsv"]))
@settings(max_examples=40, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
def test_texts_come_back_as_they_are(
    rows: list[tuple[str, ...]], kind: str, tmp_path: Path
) -> None:
    frame = pd.DataFrame(rows, columns=["a", "b", "c"], dtype=object)
    path = tmp_path / f"t.{kind}"
    frame.to_csv(path, index=False, sep="\t" if kind == "tsv" else ",", quoting=1)
    assert read_table(path).to_numpy().tolist() == frame.to_numpy().tolist()


def test_what_looks_like_a_number_or_nothing_stays_a_text(tmp_path: Path) -> None:
    frame = read_table(written(tmp_path, "\ufeffname,value\n007,NA\n1e3,nil\n"))
    assert frame.to_dict("list") == {"name": ["007", "1e3"], "value": ["NA", "nil"]}


def test_an_empty_line_counts_and_is_empty(tmp_path: Path) -> None:
    frame = read_table(written(tmp_path, "a,b\n1,2\n\n3,4\n"))
    assert frame.to_numpy().tolist() == [["1", "2"], ["", ""], ["3", "4"]]


def test_parquet_cells_are_texts_too(tmp_path: Path) -> None:
    frame = pd.DataFrame({"n": [1.0, None, 2.5], "t": ["x", None, "NA"]})
    frame.to_parquet(tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet").to_dict("list") == {
        "n": ["1", "", "2.5"],
        "t": ["x", "", "NA"],
    }


@pytest.mark.parametrize("kind", ["Int64", "string", "boolean", "datetime64[ns]", "category"])
def test_a_missing_cell_of_any_kind_is_empty(kind: str, tmp_path: Path) -> None:
    there = {"Int64": 7, "boolean": True, "datetime64[ns]": pd.Timestamp(2020, 1, 2)}.get(kind, "x")
    pd.DataFrame({"a": pd.Series([there, None], dtype=kind)}).to_parquet(tmp_path / "t.parquet")
    first, second = read_table(tmp_path / "t.parquet")["a"]
    assert (first, second) == (str(there), "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2,3\n", "its header has 2 cells, but line 2 has 3; put"),
        ("a,b\n1,2\n3\n", "its header has 2 cells, but line 3 has 1; put"),
        ("a,b\n" + "1\n" * 9, "line 6 has 1, and 4 lines more; put"),
        ('a,b\n"x\ny",2\n3\n', "but line 4 has 1; put"),
        ('a,b\n1,2\n3,"4\n5,6\n7,8\n', "row that begins in line 3 has quotes that do not fit"),
        ('a,b\n1,"2"x\n', "row that begins in line 2 has quotes that do not fit"),
        ("a,a,b\n1,2,3\n", "several columns are called 'a'"),
        ("", "it has no header"),
        ("\n1,2\n", "it has no header"),
    ],
)
def test_a_table_that_may_be_read_wrongly_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(DataError, match=rf"t\.csv cannot be read as a table: .*{message}"):
        read_table(written(tmp_path, text))


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"a,b\n\xff\xfe,2\n")
    with pytest.raises(
        DataError, match=r"t\.csv cannot be read as a table: line 2 is neither UTF-8"
    ):
        read_table(tmp_path / "t.csv")
    with pytest.raises(DataError, match=r"no\.csv cannot be read as a table: .*No such file"):
        read_table(tmp_path / "no.csv")
    with pytest.raises(DataError, match=r"t\.parquet cannot be read as a table"):
        read_table(written(tmp_path, "text", "t.parquet"))


TEXT = "path,label\na.png,Früh\nb.png,x"


@pytest.mark.parametrize(
    ("data", "assumed"),
    [
        (TEXT.encode("utf-8-sig"), []),
        (TEXT.replace(",", ";").encode(), ["cells are parted by a semicolon"]),
        (TEXT.replace(",", "\t").encode(), ["cells are parted by a tab"]),
        (TEXT.replace(",", "|").encode(), ["cells are parted by a bar"]),
        (TEXT.encode("utf-16"), ["it is UTF-16"]),
        (TEXT.encode("utf-16-le"), ["it is UTF-16"]),
        (TEXT.encode("utf-16-be"), ["it is UTF-16"]),
        (
            TEXT.replace(",", "\t").encode("utf-16"),
            ["it is UTF-16", "cells are parted by a tab"],
        ),
        (b"sep=,\r\n" + TEXT.encode(), ["its first line, 'sep=,', is no row"]),
        (
            b"sep=;\n" + TEXT.replace(",", ";").encode(),
            ["its first line, 'sep=;', is no row"],
        ),
    ],
)
def test_what_spreadsheets_write_is_read_and_said(
    tmp_path: Path, data: bytes, assumed: list[str]
) -> None:
    (tmp_path / "t.csv").write_bytes(data)
    frame = read_table(tmp_path / "t.csv")
    assert frame.to_dict("list") == {"path": ["a.png", "b.png"], "label": ["Früh", "x"]}
    assert frame.attrs["assumed"] == assumed


@pytest.mark.parametrize("start", [b"PK\x03\x04", b"\xd0\xcf\x11\xe0"])
def test_a_workbook_is_refused_with_what_to_do(tmp_path: Path, start: bytes) -> None:
    (tmp_path / "t.xlsx").write_bytes(start + b"\x00" * 20)
    with pytest.raises(DataError, match=r"Excel workbook: save it there as \"CSV UTF-8\""):
        read_table(tmp_path / "t.xlsx")


def test_lines_are_those_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 4 has 1"):
        read_table(written(tmp_path, "sep=;\na;b\n1;2\n3\n"))


def test_the_source_says_how_it_read_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    from leukreg.cli.main import main

    for name in ("a.png", "b.png"):
        Image.new("RGB", (8, 8), (9, 9, 9 * len(name))).save(tmp_path / name)
    (tmp_path / "t.csv").write_text("sep=;\npath;label\na.png;x\nb.png;y\nno.png;y\n")
    assert main(["data", str(tmp_path / "t.csv")]) == 1
    said = capsys.readouterr()
    assert "t.csv: its first line, 'sep=;', is no row" in " ".join(said.out.split())
    assert "t.csv:5 there is no file" in " ".join(said.out.split())
