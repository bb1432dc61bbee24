"""``leukreg fidelity``: folders, tables and runs, what it says, and what it refuses."""

from __future__ import annotations

import errno
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from leukreg.cli.main import main
from leukreg.registry import installed
from leukreg.runs import codec, contents
from leukreg.types import Fold, Lineage, Sample, Samples
from tests.synthesis.pictures import pictures

Capture = pytest.CaptureFixture[str]
Cells = tuple[Path, Path]


@pytest.fixture(autouse=True)
def _quick(strangers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of its own, an extractor that costs nothing, and a working directory of its own."""
    (strangers / "leukreg_grid.py").write_text(
        "from leukreg import hookimpl\n"
        "from tests.synthesis.pictures import GridPlugin\n"
        "@hookimpl\n"
        "def leukreg_extractors():\n"
        "    return [GridPlugin]\n"
    )
    info = strangers / "leukreg_grid-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: leukreg-grid\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[leukreg]\nleukreg-grid = leukreg_grid\n")
    installed.cache_clear()
    monkeypatch.chdir(tmp_path)


def put(folder: Path, images: np.ndarray, suffix: str = "png") -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{len(list(folder.iterdir())):03d}-{i}.{suffix}" for i in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image).save(path)
    return paths


@pytest.fixture
def cells(tmp_path: Path) -> Cells:
    real, fake = tmp_path / "real", tmp_path / "fake"
    for number, label in enumerate(("benign", "[Malignant] Pre-B")):
        put(real / label, pictures(26, seed=number, shade=40 * number))
        put(fake / label, pictures(24, seed=10 + number, shade=40 * number))
    return real, fake


def fidelity(*words: object) -> int:
    return main(["fidelity", *map(str, words), "--extractor", "grid"])


def test_images_beside_folders_of_images_are_not_forgotten(tmp_path: Path, capsys: Capture) -> None:
    real, fake = tmp_path / "real", tmp_path / "fake"
    put(real, pictures(26, seed=0, shade=0))
    put(fake, pictures(30, seed=1, shade=0))
    for name in ("__MACOSX", "@eaDir", ".ipynb_checkpoints"):
        put(fake / name, pictures(3, seed=2, shade=0))
    assert fidelity(real, fake) == 0
    assert re.search(r"^  all +26 +30 ", capsys.readouterr().out, re.M)
    put(fake / "more", pictures(10, seed=2, shade=0))
    assert fidelity(real, fake) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert "holds 30 images beside the class folders and 10 in folders (more)" in error


def test_folders_are_compared_by_class_and_over_all(cells: Cells, capsys: Capture) -> None:
    assert fidelity(*cells) == 0
    text = capsys.readouterr().out
    assert "by grid@0123456789ab, 12 features, at 32 px" in text
    assert max(map(len, text.splitlines())) <= 80
    assert re.search(r"^  benign +26 +24 ", text, re.M)
    assert re.search(r"^  all +52 +48 ", text, re.M)
    assert "[Malignant] Pre-B" in text
    assert "0 of 48 fakes copy one of 52 training images" in text


def test_a_second_check_says_the_same_from_the_cache(cells: Cells, capsys: Capture) -> None:
    fidelity(*cells)
    first = capsys.readouterr().out
    fidelity(*cells)
    assert capsys.readouterr().out == first


def test_classes_on_one_side_are_said_and_left_out(cells: Cells, capsys: Capture) -> None:
    real, fake = cells
    put(real / "only-real", pictures(12, seed=5))
    put(fake / "only-fake", pictures(3, seed=6))
    put(real / "few", pictures(4, seed=7))
    put(fake / "few", pictures(9, seed=8))
    assert fidelity(real, fake) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "! only-real: left out, no fakes of it" in text
    assert "! only-fake: left out, no real images of it" in text
    assert "! few: left out, 4 real and 9 fake images, too few" in text


def test_copies_are_counted_shown_and_fail_the_check(
    cells: Cells, tmp_path: Path, capsys: Capture
) -> None:
    real, fake = cells
    source = sorted((real / "benign").iterdir())[3]
    with Image.open(source) as image:
        copied = np.asarray(image)[:, ::-1]
    [path] = put(fake / "benign", copied[None], "jpg")
    assert fidelity(*cells, "--json", "check.json", "--sheet", "sheet.png") == 1
    assert "! 1 of 49 fakes copy one of 52 training images" in capsys.readouterr().out
    found = json.loads(Path("check.json").read_text())
    assert [each["fake"] for each in found["copied"]] == [str(path)]
    assert [each["copies"] for each in found["copied"]] == [str(source)]
    assert found["overall"]["copies"] == found["classes"]["benign"]["copies"] == 1
    with Image.open("sheet.png") as sheet:
        colours = np.asarray(sheet.convert("RGB")).reshape(-1, 3)
    assert (colours == (0xC0, 0, 0)).all(1).any()
    assert fidelity(*cells, "--sheet", "sheet.png") == 1  # its own file may be written again


def test_copies_may_be_looked_for_elsewhere(cells: Cells, tmp_path: Path) -> None:
    real, fake = cells
    seen = pictures(30, seed=20)
    put(tmp_path / "seen" / "benign", seen)
    put(fake / "benign", seen[4:7])
    assert fidelity(real, fake) == 0
    assert fidelity(real, fake, "--training", tmp_path / "seen") == 1


def test_where_nothing_can_be_copied_it_is_said(
    cells: Cells, tmp_path: Path, capsys: Capture
) -> None:
    real, fake = cells
    put(tmp_path / "seen" / "benign", pictures(30, seed=20))
    assert fidelity(real, fake, "--training", tmp_path / "seen") == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "[Malignant] Pre-B: no training image, so copies could not be looked for" in text
    put(tmp_path / "other" / "platelet", pictures(30, seed=20))
    assert fidelity(real, fake, "--training", tmp_path / "other", "--sheet", "sheet.png") == 2
    assert "nothing to look for copies among" in " ".join(capsys.readouterr().err.split())


def test_what_a_generator_drew_while_it_learned_is_no_class(cells: Cells, capsys: Capture) -> None:
    real, fake = cells
    put(fake / "generator", pictures(3, seed=9))
    assert fidelity(real, fake) == 0
    assert "generator: left out" in " ".join(capsys.readouterr().out.split())
    put(fake, pictures(1, seed=9))[0].rename(fake / "contact-sheet.png")
    assert fidelity(real, fake) == 0
    assert "left out" not in capsys.readouterr().out


def test_tables_and_flat_folders_do(cells: Cells, tmp_path: Path, capsys: Capture) -> None:
    real, fake = cells
    lines = [f"{path.relative_to(tmp_path)},{path.parent.name}" for path in fake.rglob("*.png")]
    (tmp_path / "fakes.csv").write_text("\n".join(["path,label", *lines]))
    assert fidelity(real, "fakes.csv") == 0
    assert "benign" in capsys.readouterr().out
    put(tmp_path / "flat", pictures(20, seed=9))
    assert fidelity(real, "flat") == 0
    text = capsys.readouterr().out
    assert "no figures by class: flat without class folders" in text
    assert "benign" not in text


def test_sizes_that_differ_are_said(cells: Cells, tmp_path: Path, capsys: Capture) -> None:
    put(tmp_path / "large" / "benign", pictures(20, 48, seed=3))
    assert fidelity(cells[0], "large") == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "! real images are 32 px and fakes 48 px: all were brought to 32" in text
    assert fidelity(cells[0], "large", "--size", 48) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "! real images are 32 px and were enlarged to 48" in text


def test_a_check_is_set_against_an_earlier_one_or_refused(cells: Cells, capsys: Capture) -> None:
    real, fake = cells
    assert fidelity(real, fake, "--json", "before.json") == 0
    assert fidelity(real, fake, "--against", "before.json") == 0
    assert "Change since before.json" in capsys.readouterr().out
    put(fake / "benign", pictures(1, seed=30))
    words = ("--against", "before.json", "--json", "after.json")
    assert fidelity(real, fake, *words) == 2  # what was measured is not lost
    shown = capsys.readouterr()
    assert "they differ in fake (24 and 25)" in shown.err
    assert "by grid" in shown.out
    assert json.loads(Path("after.json").read_text())["overall"]["fake"] == 49
    assert fidelity(real, fake, "--size", 16, "--against", "before.json") == 2
    assert "size (32 and 16)" in capsys.readouterr().err


@pytest.mark.parametrize(
    "change",
    [
        {"overall": {}},
        {"overall": []},
        {"classes": None},
        {"classes": {"benign": 3}},
        {"classes": {"benign": {"extractor": "grid"}}},
        {"overall": {"kid": "0.1"}},
        {"kind": "other"},
    ],
)
def test_a_damaged_check_is_told_before_any_work(
    cells: Cells, tmp_path: Path, capsys: Capture, change: dict[str, Any]
) -> None:
    table = {"extractor": "grid@1", "size": 32, "real": 52, "fake": 48, "fid": None, "kid": 0.1}
    whole = {"kind": "leukreg fidelity", "overall": table, "classes": {"benign": table}}
    changed = whole | change
    if "kid" in change.get("overall", ()):
        changed["overall"] = table | change["overall"]
    Path("before.json").write_text(json.dumps(changed))
    assert fidelity("nowhere", "nowhere", "--against", "before.json") == 2
    assert "before.json holds no figures" in " ".join(capsys.readouterr().err.split())
    Path("before.json").write_text(json.dumps(whole))
    assert fidelity("nowhere", "nowhere", "--against", "before.json") == 2
    assert "there is no run 'nowhere'" in " ".join(capsys.readouterr().err.split())


def write_run(folder: Path, real: Path, fake: Path, made_in: int | None = 0) -> None:
    """As much of a run folder as its two sides need."""
    rows = [Sample(id=f"{p.parent.name}/{p.name}", path=str(p), label=p.parent.name)
            for p in sorted(real.rglob("*.png"))]  # fmt: skip
    made = Lineage(generator="warp", seed=1, fold=made_in)
    fakes = [Sample(id=f"synthetic/{p.parent.name}/{p.name}", path=str(p), label=p.parent.name,
                    origin="synthetic", lineage=made)
             for p in sorted(fake.rglob("*.png"))]  # fmt: skip
    folder.mkdir(parents=True)
    status = {"state": "finished", "recipe": "v6", "started": "2026-11-24T10:00:00.000+00:00"}
    codec.write_json(folder / "status.json", status)
    codec.write_json(folder / "scores.json", {"scores": [], "scored": {}})
    codec.write_json(folder / "findings.json", [])
    samples = Samples(rows=tuple(rows + fakes), classes=("benign", "[Malignant] Pre-B"))
    codec.write_rows(folder / "samples.csv", Sample, samples.rows, numbered="row")
    codec.write_json(folder / "classes.json", {"classes": samples.classes, "broken": []})
    test = tuple(range(0, len(rows), 2))
    train = tuple(row for row in range(len(samples.rows)) if row not in test)
    fold = Fold(index=0, train=train, validation=(), test=test)
    contents.write_folds(folder / "folds.csv", (fold,))


def test_a_runs_fold_has_two_sides(cells: Cells, tmp_path: Path, capsys: Capture) -> None:
    real, fake = cells
    copied = sorted((real / "benign").iterdir())[1]
    (fake / "benign" / "copy.png").write_bytes(copied.read_bytes())
    write_run(tmp_path / "runs" / "v6-1", real, fake)
    assert fidelity("v6-1", "last") == 1
    text = " ".join(capsys.readouterr().out.split())
    assert "real: train rows of v6-1, fold 1" in text
    assert "1 of 49 fakes copy one of 26 training images" in text
    assert fidelity("runs/v6-1", "v6", "--rows", "test") == 1
    text = " ".join(capsys.readouterr().out.split())
    assert "real: test rows of v6-1, fold 1" in text
    assert "copies are looked for among: what made them saw" in text
    assert fidelity("last", "last", "--rows", "validation") == 2
    assert "the validation rows of fold 1 hold no real image" in capsys.readouterr().err
    assert fidelity("last", "last", "--fold", 3) == 2
    assert "has no fold 3; there are 1" in capsys.readouterr().err
    contents.write_folds(
        tmp_path / "runs" / "v6-1" / "folds.csv",
        (Fold(index=0, train=tuple(range(26)), validation=(), test=()),),
    )
    assert fidelity(real, "last") == 2
    assert "fold 1 has no synthetic images" in capsys.readouterr().err


def test_copies_are_looked_for_among_all_that_a_generator_saw(
    cells: Cells, tmp_path: Path, capsys: Capture
) -> None:
    real, fake = cells
    tested, trained = sorted((real / "benign").iterdir())[:2]
    (fake / "benign" / "copy.png").write_bytes(tested.read_bytes())
    write_run(tmp_path / "runs" / "before-split", real, fake, made_in=None)
    assert fidelity("before-split", "before-split") == 1
    assert "1 of 49 fakes copy one of 52 training" in " ".join(capsys.readouterr().out.split())

    (fake / "benign" / "copy.png").write_bytes(trained.read_bytes())
    run = tmp_path / "runs" / "replaced"
    write_run(run, real, fake)
    rows = contents.read_samples(run).rows
    (fold,) = contents.read_folds(run / "folds.csv", len(rows))
    gone = tuple(r for r in fold.train if rows[r].origin == "real" and rows[r].label == "benign")
    left = tuple(r for r in fold.train if r not in gone)
    contents.write_folds(run / "folds.csv", (replace(fold, train=left, replaced=gone),))
    assert fidelity(run, run, "--rows", "test") == 1
    assert "1 of 49 fakes copy one of 26 training" in " ".join(capsys.readouterr().out.split())


def test_wrong_use_says_what_to_do(
    cells: Cells, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, fake = cells

    def refused(*words: object) -> str:
        assert main(["fidelity", *map(str, words)]) == 2
        return " ".join(capsys.readouterr().err.split())

    assert "does not exist" in refused(real, tmp_path / "nowhere")
    assert "is no folder and no table, and there is no run 'nowhere'" in refused(real, "nowhere")
    assert "does not exist" in refused(real, "nowhere.csv")
    assert "did you mean 'cells'" in refused(real, fake, "--extractor", "cels")
    assert "there is no folder" in refused(real, fake, "--json", "no/such/file.json")
    (tmp_path / "mine.json").write_text("{}")
    assert "is no earlier result" in refused(real, fake, "--json", "mine.json")
    assert "is no earlier result" in refused(real, fake, "--sheet", "mine.json")
    assert "holds no figures" in refused(real, fake, "--against", "mine.json")
    assert (tmp_path / "mine.json").read_text() == "{}"
    put(tmp_path / "other" / "else", pictures(12))
    assert "no class is on both sides" in refused(real, "other", "--extractor", "grid")
    (tmp_path / "empty" / "benign").mkdir(parents=True)
    assert "holds no images" in refused(real, "empty")
    put(tmp_path / "few" / "benign", pictures(3))
    assert "26 real and 3 fake images, too few" in refused(real, "few", "--extractor", "grid")


def test_broken_files_of_both_sides_are_told_at_once(cells: Cells, capsys: Capture) -> None:
    real, fake = cells
    (real / "benign" / "text.png").write_text("Hello")
    (fake / "benign" / "empty.png").write_bytes(b"")
    assert fidelity(real, fake) == 2
    text = capsys.readouterr().err
    assert "text.png" in text
    assert "empty.png" in text
    assert "2 problems; nothing was compared." in text


def test_a_full_disk_is_said_and_nothing_half_written_stays(
    cells: Cells, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = sorted(tmp_path.iterdir())
    fidelity(*cells)
    monkeypatch.setattr("leukreg.files.os.fsync", full)
    assert fidelity(*cells, "--json", "check.json") == 2
    assert "check.json cannot be written: No space left" in capsys.readouterr().err
    after = {path.name for path in tmp_path.iterdir()} - {path.name for path in before}
    assert after <= {"cache"}


@pytest.mark.parametrize("fake", ["", " ", "\0", "x" * 5000, "~nobody/x"])
def test_strange_words_end_in_a_sentence(cells: Cells, fake: str, capsys: Capture) -> None:
    assert fidelity("real", fake) == 2
    assert "Traceback" not in capsys.readouterr().err
