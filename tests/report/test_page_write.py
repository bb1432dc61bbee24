"""``leukreg report``: what it writes, and what it leaves alone."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import webbrowser
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from leukreg.cli.main import main
from leukreg.errors import LeukregError
from leukreg.record import RunRecord
from leukreg.report.page import Page
from leukreg.report.page_writer import write_page
from leukreg.runs.status import read_status, write_status
from tests.cli.test_results import keep
from tests.factory import build_result
from tests.report.pages import Reader, with_pictures

Make = Callable[..., RunRecord]
ROOT = Path(__file__).parents[2]


def page(of: str = "run a", text: str = "one", **files: bytes) -> Page:
    html = f'<meta name="leukreg-page" content="{of}">{text}'
    named = {name.replace("_", "."): data for name, data in files.items()} or {"a.csv": b"1"}
    return Page(of=of, folder="report_files", html=html, files=named)


def listed(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "index.json"
    }


def test_a_page_of_the_same_run_is_replaced_with_its_files(tmp_path: Path) -> None:
    write_page(page(a_csv=b"1", b_svg=b"2"), tmp_path / "report.html")
    write_page(page(text="two", a_csv=b"3"), tmp_path / "report.html")
    assert listed(tmp_path) == {
        "report.html": page(text="two").html.encode(),
        "report_files/a.csv": b"3",
    }


@pytest.mark.parametrize(
    ("theirs", "content", "said"),
    [
        ("report.html", b"my own notes", "exists and is no page of leukreg"),
        ("report.html", page(of="run b").html.encode(), "is the page of run b"),
        ("report.html", b"", "exists and is no page of leukreg"),
        ("report_files/a.csv", b"mine", "is not as leukreg wrote it"),
        ("report_files", b"a file", "is no folder"),
    ],
)
def test_what_somebody_else_wrote_stays(
    tmp_path: Path, theirs: str, content: bytes, said: str
) -> None:
    (tmp_path / theirs).parent.mkdir(exist_ok=True)
    (tmp_path / theirs).write_bytes(content)
    with pytest.raises(LeukregError, match=said) as caught:
        write_page(page(), tmp_path / "report.html")
    assert "--out" in str(caught.value)
    assert listed(tmp_path) == {theirs: content}


@pytest.mark.parametrize("edited", ["report.html", "report_files/a.csv"])
def test_what_was_changed_since_stays(tmp_path: Path, edited: str) -> None:
    write_page(page(), tmp_path / "report.html")
    with (tmp_path / edited).open("a") as file:
        file.write("my note")
    before = listed(tmp_path)
    with pytest.raises(LeukregError, match=edited):
        write_page(page(text="two", a_csv=b"3"), tmp_path / "report.html")
    assert listed(tmp_path) == before


def test_files_of_others_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    write_page(page(a_csv=b"1", b_csv=b"2"), tmp_path / "report.html")
    (tmp_path / "report_files" / "mine.txt").write_text("mine")
    (tmp_path / "report_files" / "b.csv").write_text("changed")
    write_page(page(a_csv=b"3"), tmp_path / "report.html")
    assert set(listed(tmp_path / "report_files")) == {"a.csv", "b.csv", "mine.txt"}


def test_writing_that_was_cut_short_is_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from leukreg.report import page_writer

    write_page(page(), tmp_path / "report.html")
    with monkeypatch.context() as patched:
        patched.setattr(
            page_writer, "write_json", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        with pytest.raises(KeyboardInterrupt):
            write_page(page(text="two", a_csv=b"3"), tmp_path / "report.html")
    write_page(page(text="two", a_csv=b"3"), tmp_path / "report.html")
    assert listed(tmp_path)["report_files/a.csv"] == b"3"


@pytest.mark.parametrize("index", ["no json", "[]", '{"../report.html": "x"}'])
def test_a_strange_index_does_no_harm(tmp_path: Path, index: str) -> None:
    (tmp_path / "report_files").mkdir()
    (tmp_path / "report_files" / "index.json").write_text(index)
    write_page(page(), tmp_path / "report.html")
    assert json.loads((tmp_path / "report_files" / "index.json").read_text()).keys() == {
        "report.html",
        "a.csv",
    }


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs that are kept."""
    root = tmp_path_factory.mktemp("runs")
    pictures = tmp_path_factory.mktemp("pictures")
    reported = {"accuracy": "0.8400", "source": "the paper"}
    one = build_result(counts=(60, 40), bootstrap=20, reported=reported)
    two = build_result(counts=(60, 40), bootstrap=20, skill=3.0)
    keep(root, with_pictures(one, pictures), "one")
    keep(root, with_pictures(two, pictures), "two")
    return root


def test_the_page_lies_in_the_runs_folder_and_is_shown_on_request(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[str] = []
    monkeypatch.setattr(webbrowser, "open", shown.append)
    [folder] = runs.glob("one-*")
    assert main(["report", "one", "--root", str(runs), "--open", "--maps"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[-1] == str(folder / "report.html")
    assert "There are no explanation maps:" in out
    assert shown == [(folder / "report.html").resolve().as_uri()]
    words = Reader((folder / "report.html").read_text()).words
    assert folder.name in words
    assert "could not be" not in words
    assert (folder / "report_files" / "index.json").is_file()


def test_runs_side_by_side(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names = [path.name for path in sorted(runs.iterdir())]
    assert main(["report", *names, "--root", str(runs)]) == 0
    [path] = tmp_path.glob("comparison-*.html")
    assert path.name == capsys.readouterr().out.splitlines()[-1]
    reader = Reader(path.read_text())
    for name in names:
        assert name in reader.words
    assert "Same data, same scored images, same classes." in reader.words
    assert "A reported" in reader.words
    assert "0.8400" in reader.words
    assert len(reader.all("svg")) == 1
    assert {file.suffix for file in (tmp_path / f"{path.stem}_files").iterdir()} >= {".svg", ".csv"}
    assert main(["report", *names, "--root", str(runs)]) == 0


def test_another_place_and_a_wrong_one(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine.html"
    mine.write_text("mine")
    assert main(["report", "one", "two", "--root", str(runs), "--out", str(mine)]) == 2
    assert "exists and is no page of leukreg" in capsys.readouterr().err
    assert mine.read_text() == "mine"
    lost = tmp_path / "no" / "page.html"
    assert main(["report", "one", "two", "--root", str(runs), "--out", str(lost)]) == 2
    assert "there is no such folder" in capsys.readouterr().err
    assert main(["report", "nothing", "--root", str(runs)]) == 2
    assert main(["report", "one", "two", "--maps", "--root", str(runs)]) == 2


def test_an_unfinished_run_is_no_page(
    tmp_path: Path, make_result: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = keep(tmp_path, make_result(bootstrap=0))
    status = read_status(kept.folder)
    write_status(kept.folder, replace(status, state="failed", error="killed"))
    assert main(["report", kept.name, "--root", str(tmp_path)]) == 2
    assert "this run failed: killed" in capsys.readouterr().err
    assert main(["report", "last", "--root", str(tmp_path)]) == 2
    assert "no run in" in capsys.readouterr().err


def test_a_page_whose_writing_was_killed_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was on the page before, and is on it then."""
    head = '<meta name="leukreg-page" content="one">'
    old = Page(of="one", folder="p_files", html=head, files={"a.csv": b"old", "b.csv": b"old"})
    page = replace(old, html=head + "new", files={"a.csv": b"new", "b.csv": b"new"})
    path = tmp_path / "p.html"
    write_page(old, path)

    class Killed(BaseException):
        pass

    written = []

    def killed(target: Path, data: bytes) -> None:
        if len(written) == 1:
            raise Killed
        written.append(target)
        target.write_bytes(data)

    with monkeypatch.context() as patched:
        patched.setattr("leukreg.report.page_writer.write_file", killed)
        with pytest.raises(Killed):
            write_page(page, path)
    third = replace(page, files={"a.csv": b"third", "b.csv": b"third"})
    write_page(third, path)
    assert (tmp_path / "p_files" / "a.csv").read_bytes() == b"third"


def test_a_page_needs_no_torch(runs: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from leukreg.cli.main import main;"
        f"code = main(['report', 'two', '--root', {str(runs)!r},"
        f" '--out', {str(tmp_path / 'page.html')!r}]);"
        "sys.exit(code or 7 * any(n in sys.modules for n in ('torch', 'timm', 'torchvision')))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "page.html").is_file()


CHROMIUM = next((p for n in ("chromium", "google-chrome") if (p := shutil.which(n))), None)


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
def test_a_browser_has_nothing_to_complain_of_and_asks_nobody(runs: Path, tmp_path: Path) -> None:
    from leukreg.registry import installed
    from leukreg.report.page import run_page
    from leukreg.runs.contents import read

    [folder] = runs.glob("two-*")
    path, log = tmp_path / "page.html", tmp_path / "net.json"
    quick = replace(read(folder), phases=())
    write_page(run_page(quick, installed(), "page_files"), path)
    done = subprocess.run(
        [
            str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr",
            f"--log-net-log={log}", "--dump-dom", path.as_uri(),
        ],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert "The surest mistakes" in done.stdout
    assert "CONSOLE" not in done.stderr
    events = json.loads(log.read_text())["events"]
    asked = [event["params"]["url"] for event in events if "url" in event.get("params", {})]
    assert [url for url in asked if str(path.parent) in url or "leukreg" in url] == []
    assert [url for url in asked if url.startswith("http") and "google" not in url] == []
