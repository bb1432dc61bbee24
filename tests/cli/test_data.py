"""``leukreg data`` and ``leukreg cache`` as a user meets them."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from leukreg.cli.main import main
from tests.data.conftest import picture


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LEUKREG_CACHE", str(tmp_path / "the-cache"))
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path / "the-cache"


def images(root: Path) -> Path:
    for index in range(12):
        path = (
            root / ("[Malignant] Pre-B" if index % 2 else "Benign") / f"p{index // 3}_{index}.png"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(index).save(path)
    return root


def test_a_good_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = images(tmp_path / "cells")
    assert main(["data", str(root), "--patient", r"(p\d+)_"]) == 0
    text = capsys.readouterr().out
    assert "12 images in 2 classes" in text
    assert "4 patients" in text
    assert "[Malignant] Pre-B" in text
    assert "no exact copies" in text
    assert "no near duplicates" in text
    assert "96x96" in text
    assert "! 4 patients with images in several classes" in text
    assert max(map(len, text.splitlines())) <= 80


def test_files_passed_over_and_classes_alike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = images(tmp_path / "cells")
    for name in ("stray.png", "Benign/x.svs", "Benign/a.txt", "Benign/@eaDir/p0_0.png"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("x")
    picture(99).save(root / "Benign/ninety-nine", "JPEG")
    (root / "benign ").mkdir()
    picture(98).save(root / "benign /98.jp2")
    assert main(["data", str(root)]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "14 images in 3 classes" in text
    assert "! 2 files with images, perhaps, passed over: listed below" in text
    assert "! classes that differ only in case, spaces, hyphens or Unicode form" in text
    assert "beside the class folders" in text
    assert ".svs 1 Benign/x.svs" in text
    assert "Benign/@eaDir/p0_0.png" in text


def test_broken_files_and_copies_across_classes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = images(tmp_path / "cells")
    (root / "Benign" / "text.jpg").write_text("Hello")
    assert main(["data", str(root)]) == 1
    text = capsys.readouterr().out
    assert "Benign/text.jpg" in text
    assert "a text that begins 'Hello'" in text
    (root / "Benign" / "text.jpg").unlink()
    Image.open(root / "Benign" / "p0_0.png").save(root / "[Malignant] Pre-B" / "again.bmp")
    assert main(["data", str(root)]) == 1
    text = capsys.readouterr().out
    assert "1 file is an exact copy of another, across classes" in text.replace("\n", " ")
    assert "Benign / [Malignant]" in text.replace("\n", " ")
    (root / "[Malignant] Pre-B" / "again.bmp").rename(root / "Benign" / "again.bmp")
    assert main(["data", str(root)]) == 0


def test_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = images(tmp_path / "cells")
    lines = [f"{path.relative_to(root).as_posix()},x" for path in sorted(root.rglob("*.png"))]
    table = root / "cells.csv"
    table.write_text("\n".join(["file,kind", *lines]))
    assert main(["data", str(table), "--path-column", "file", "--label-column", "kind"]) == 0
    assert "12 images in 1 class in" in capsys.readouterr().out
    assert main(["data", str(table)]) == 2
    assert "there is no column 'path'" in capsys.readouterr().err
    assert main(["data", str(table), "--patient", "(p)"]) == 2


def test_patients_are_counted_by_their_labels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "cells"
    for number in range(12):
        path = root / f"p{number % 5}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(number).save(path)
    table = tmp_path / "diagnoses.csv"
    lines = [f"p{i},{'ALL' if i < 2 else 'ok'}" for i in range(5)]
    table.write_text("\n".join(["patient,label", *lines, ""]))
    weak = ["data", str(root), "--set", "weak=true", "--set", f"patients.path={table}"]
    assert main(weak) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "12 images in 2 classes" in text
    assert "5 patients" in text
    assert "patients' label patients fewest images median most" in text
    assert "ALL 2 3 3 3" in text
    assert "ok 3 2 2 2" in text
    assert "cells have no labels of their own and take their patient's" in text
    table.write_text(table.read_text() + "p9,ok\np0,ok\n")
    assert main(weak) == 2
    said = capsys.readouterr().err
    assert "diagnoses.csv:7 there is no image of patient 'p9'" in " ".join(said.split())
    assert "diagnoses.csv:8 patient 'p0' is 'ok' here and 'ALL'" in " ".join(said.split())
    assert "Traceback" not in said


def test_a_source_lists_what_it_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = images(tmp_path / "cells")
    assert main(["data", str(root), "--set", "max_per_class=2"]) == 0
    assert "4 images in 2 classes" in capsys.readouterr().out
    assert main(["data", str(root), "--source", "boxes"]) == 2
    assert "holds no annotations" in capsys.readouterr().err
    assert main(["data", str(root), "--set", "weka=true"]) == 2
    assert "did you mean 'weak'?" in capsys.readouterr().err
    assert main(["data", str(root), "--set", "weak=1", "--patient-level", "1"]) == 2
    assert "give all options by --set" in capsys.readouterr().err
    assert main(["data", str(root), "--source", "demo"]) == 2
    assert "neither a root nor a path" in capsys.readouterr().err


def test_long_lists_are_cut_unless_all_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = images(tmp_path / "cells")
    for index in range(25):
        (root / "Benign" / f"bad{index}.jpg").write_bytes(b"")
    assert main(["data", str(root)]) == 1
    assert "and 5 more: leukreg data --all" in capsys.readouterr().out
    assert main(["data", str(root), "--all"]) == 1
    text = capsys.readouterr().out
    assert "more: leukreg" not in text
    assert text.count("empty file") == 25


def test_wrong_use_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", str(tmp_path / "nowhere")]) == 2
    assert "does not exist" in capsys.readouterr().err
    assert main(["data", str(tmp_path / "nowhere.csv")]) == 2
    assert "does not exist" in capsys.readouterr().err
    images(tmp_path / "cells")
    assert main(["data", str(tmp_path / "cells"), "--patient", "(zz)"]) == 2
    assert "matches no path" in capsys.readouterr().err


def test_the_cache_is_listed_and_cleared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cache"]) == 0
    assert "is empty" in capsys.readouterr().out
    main(["data", str(images(tmp_path / "cells"))])
    capsys.readouterr()
    assert main(["cache"]) == 0
    assert "32px-" in capsys.readouterr().out
    assert main(["cache", "clear", "64px"]) == 2
    assert "there is no entry '64px'; there are 32px-" in capsys.readouterr().err
    assert main(["cache", "clear", "32px"]) == 0
    assert "deleted from" in capsys.readouterr().out
    assert main(["cache", "clear"]) == 0
    assert main(["cache"]) == 0
    assert "is empty" in capsys.readouterr().out
