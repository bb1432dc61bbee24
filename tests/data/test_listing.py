"""Class folders of any name are listed as they are."""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from pathlib import Path

import pytest

from leukreg.data.listing import alike, list_folder, require_folder
from leukreg.errors import DataError, NotAvailable

BENIGN, PRE = "Benign", "[Malignant] Pre-B"


def touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def ids(root: Path, **options: object) -> list[str]:
    return [row.id for row in list_folder(root, **options).rows]  # type: ignore[arg-type]


def test_brackets_nesting_case_and_hidden_files(tmp_path: Path) -> None:
    touch(tmp_path, f"{PRE}/a.JPG", f"{PRE}/deep/er/b.Tiff", f"{PRE}/.c.jpg", f"{PRE}/notes.txt")
    touch(tmp_path, f"{BENIGN}/d.png", ".git/e.png", "__MACOSX/f.png", "stray.png")
    samples = list_folder(tmp_path)
    assert samples.classes == (BENIGN, PRE)
    assert [row.id for row in samples.rows] == [
        f"{BENIGN}/d.png",
        f"{PRE}/a.JPG",
        f"{PRE}/deep/er/b.Tiff",
    ]
    assert {row.label for row in samples.rows} == {BENIGN, PRE}
    assert all(Path(row.path).is_file() and row.origin == "real" for row in samples.rows)


def test_glob_twice_repeats_the_historys_fault(tmp_path: Path) -> None:
    root = touch(tmp_path / "[x] data", f"{PRE}/a.jpg", f"{BENIGN}/b.jpg", f"{BENIGN}/c.jpg")
    samples = list_folder(root, listing="glob-twice")
    assert samples.classes == (BENIGN, PRE)
    assert samples.counts() == {BENIGN: 4, PRE: 0}
    assert [row.id for row in samples.rows] == [f"{BENIGN}/b.jpg", f"{BENIGN}/c.jpg"] * 2


def test_glob_twice_finds_nested_files_once(tmp_path: Path) -> None:
    touch(tmp_path, f"{BENIGN}/b.jpg", f"{BENIGN}/deep/c.jpg")
    found = ids(tmp_path, listing="glob-twice")
    assert sorted(found) == [f"{BENIGN}/b.jpg", f"{BENIGN}/b.jpg", f"{BENIGN}/deep/c.jpg"]


def test_classes_merge_leave_out_and_keep_their_order(tmp_path: Path) -> None:
    touch(tmp_path, "Pre/a.jpg", "Pro/b.jpg", "Benign/c.jpg", "Other/d.jpg", "Deep/er/e.jpg")
    samples = list_folder(tmp_path, classes={"ALL": ["Pro", "Pre", "Deep/er"], "B": ["Benign"]})
    assert samples.classes == ("ALL", "B")
    assert [(row.id, row.label) for row in samples.rows] == [
        ("Pro/b.jpg", "ALL"),
        ("Pre/a.jpg", "ALL"),
        ("Deep/er/e.jpg", "ALL"),
        ("Benign/c.jpg", "B"),
    ]


@pytest.mark.parametrize("on_disk", ["NFC", "NFD"])
@pytest.mark.parametrize("asked", ["NFC", "NFD"])
def test_names_are_the_same_in_either_unicode_form(
    tmp_path: Path, on_disk: str, asked: str
) -> None:
    def form(name: str, kind: str) -> str:
        return unicodedata.normalize(kind, name)  # type: ignore[arg-type]

    touch(tmp_path, form("Zellen gutartig größe/ä.jpg", on_disk))
    samples = list_folder(tmp_path, classes={"ü": [form("Zellen gutartig größe", asked)]})
    assert [row.id for row in samples.rows] == ["Zellen gutartig größe/ä.jpg"]
    assert Path(samples.rows[0].path).is_file()


@pytest.mark.skipif(sys.platform != "linux", reason="other file systems merge the two names")
def test_files_that_differ_in_unicode_form_only_stay_two(tmp_path: Path) -> None:
    names = {f"a/{unicodedata.normalize(form, 'ä')}.jpg" for form in ("NFC", "NFD")}
    touch(tmp_path, *names)
    assert set(ids(tmp_path)) == names


def test_loops_of_links_end(tmp_path: Path) -> None:
    touch(tmp_path, "a/b/c.jpg")
    (tmp_path / "a/b/up").symlink_to(tmp_path / "a", target_is_directory=True)
    (tmp_path / "linked").symlink_to(tmp_path / "a", target_is_directory=True)
    assert ids(tmp_path) == ["a/b/c.jpg", "linked/b/c.jpg"]


def test_a_dangling_link_and_a_name_without_encoding_are_broken(tmp_path: Path) -> None:
    touch(tmp_path, "a/fine.jpg")
    (tmp_path / "a/gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    expected = 1
    try:
        (Path(os.fsdecode(os.fsencode(tmp_path) + b"/a/\xff.jpg"))).write_bytes(b"x")
        expected = 2
    except OSError:
        pass  # a file system that refuses such names
    samples = list_folder(tmp_path)
    assert [row.id for row in samples.rows] == ["a/fine.jpg"]
    assert len(samples.broken) == expected
    for broken in samples.broken:
        assert broken.path.encode()
        assert broken.reason


def test_patients_by_expression_and_by_level(tmp_path: Path) -> None:
    touch(tmp_path, "a/p1/x.jpg", "a/p2/x.jpg", "b/p1/deep/y.jpg", "b/z.jpg")
    by_level = list_folder(tmp_path, patient_level=1)
    by_pattern = list_folder(tmp_path, patient=r"/(p\d)/")
    assert [row.patient for row in by_level.rows] == ["p1", "p2", "p1", None]
    assert by_pattern == by_level


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patient": r"(q\d)"}, "matches no path; a path reads 'Benign/y.jpg'"),
        ({"patient": "p"}, "exactly one"),
        ({"patient": "(p)(q)"}, "has 2 groups"),
        ({"patient": "(p"}, "no regular expression"),
        ({"patient_level": 1}, "no image lies 1 folders deep"),
        ({"patient": "(a)", "patient_level": 1}, "exclude each other"),
        ({"classes": {"A": ["Benin"]}}, "did you mean 'Benign'?"),
        ({"classes": {"A": ["a", "b/c"]}}, "no folder 'b'"),
        ({"classes": {"A": ["a"], "B": ["a"]}}, "more than once"),
        ({"classes": {"A": ["."], "B": ["a"]}}, "'a' of class 'B' lies inside '.' of class 'A'"),
        ({"classes": {"A": ["*/x"]}}, "there is no folder 'x'; there are no folders"),
        ({"classes": {"A": ["Benig?"]}}, "no folder 'Benig?'; did you mean 'Benign'?"),
        ({"classes": {"A": ["B*m"]}}, "no folder that 'B*m' fits; there are 'Benign', 'a'"),
    ],
)
def test_wrong_options_are_told(tmp_path: Path, options: dict[str, object], message: str) -> None:
    touch(tmp_path, "a/x.jpg", "Benign/y.jpg")
    with pytest.raises(DataError, match=re.escape(message)):
        ids(tmp_path, **options)


def test_a_missing_root_says_which_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "file").write_text("x")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert require_folder("images") == require_folder("~/images") == tmp_path / "images"
    with pytest.raises(NotAvailable, match=r"image does not exist \(did you mean .*images\?\)$"):
        list_folder("image")
    with pytest.raises(NotAvailable, match=r"images\?\); look elsewhere$"):
        require_folder("image", "look elsewhere")
    with pytest.raises(NotAvailable, match="is not a folder"):
        list_folder("file")
    with pytest.raises(DataError, match="holds no folders"):
        list_folder("images")


def test_at_most_so_many_per_class_spread_evenly(tmp_path: Path) -> None:
    touch(tmp_path, *(f"a/{index}.jpg" for index in range(9)), "b/0.jpg")
    assert ids(tmp_path, max_per_class=3) == ["a/0.jpg", "a/3.jpg", "a/6.jpg", "b/0.jpg"]


def test_an_empty_class_folder_stays_a_class(tmp_path: Path) -> None:
    touch(tmp_path, "a/0.jpg")
    (tmp_path / "b").mkdir()
    assert list_folder(tmp_path).counts() == {"a": 1, "b": 0}


def test_patterns_of_folders_take_brackets_as_they_stand(tmp_path: Path) -> None:
    touch(tmp_path, "p1/[M] Pre/a.jpg", "p2/[M] Pre/b.jpg", "p2/M Pre/c.jpg", "p3/Benign/d.jpg")
    samples = list_folder(tmp_path, classes={"pre": ["*/[M] *"], "benign": ["p*/Ben*n"]})
    assert samples.counts() == {"pre": 2, "benign": 1}
    [left] = samples.passed
    assert (left.what, left.files, left.example) == ("folder 'M Pre'", 1, "p2/M Pre/c.jpg")


def test_a_folder_spelt_nearly_as_a_named_one_is_pointed_out(tmp_path: Path) -> None:
    touch(tmp_path, "Lymphocyte/a.jpg", "lymphocyte /b.jpg", "other/c.jpg")
    left = {one.what: one for one in list_folder(tmp_path, classes={"L": ["Lymphocyte"]}).passed}
    assert left["folder 'lymphocyte '"].reason == ("no class names this folder, only 'Lymphocyte'")
    assert left["folder 'other'"].reason == "no class names this folder"


@pytest.mark.parametrize(
    "other",
    ["lymphocyte", "Lymphocyte ", " LYMPHO CYTE", "lympho-cyte", "lympho_cyte", "Lympho\u2013cyte",
     "Lympho\u200bcyte", "\uff2cymphocyte"],
)  # fmt: skip
def test_spellings_of_one_class(other: str) -> None:
    assert alike(("Lymphocyte", other))
    assert alike(["Lymphocyte", "monocyte", other]) == (("Lymphocyte", other),)


def test_unicode_forms_are_one_and_other_names_are_not() -> None:
    assert alike(("Gr\u00f6\u00dfe", "Gro\u0308sse"))
    assert alike(["Pre-B", "Pro-B", "early Pre-B", "pre b", "[Pre-B]"]) == (("Pre-B", "pre b"),)
    assert not alike(("a", "a"))
    assert alike(["-", "_", "--"]) == ()
