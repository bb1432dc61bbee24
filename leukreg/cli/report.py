"""``leukreg report RUN ...``: the page of a run, or of several side by side."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from leukreg.cli.arguments import run_named, runs_folder
from leukreg.cli.compare import subjects
from leukreg.cli.output import say
from leukreg.registry import installed
from leukreg.report.console import RichProgress, open_console

if TYPE_CHECKING:
    from leukreg.progress import Progress


@click.command("report")
@click.argument("names", nargs=-1, required=True, metavar="RUN...")
@runs_folder
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write. [default: report.html in the run's folder; comparison-... here]",
)
@click.option("--open", "opened", is_flag=True, help="Show the page in a browser.")
@click.option("--maps", is_flag=True, help="Explain pictures with the run's model (slower).")
@click.option(
    "--mlflow",
    "store",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIRECTORY",
    help="Log the run to a local MLflow store as well.",
)
def command(
    names: tuple[str, ...],
    root: Path,
    out: Path | None,
    opened: bool,
    maps: bool,
    store: Path | None,
) -> None:
    """Write the page of a run: one HTML file with figures and pictures that needs nothing else.

    RUN is a run's folder, its name, a unique beginning of its name, or "last". Several are put side
    by side; recipes and files of published figures may be among them. Figures and tables are
    written beside the page too, as SVG and CSV. An earlier page of the same is replaced, any other
    file is left alone.
    """
    import matplotlib

    if len(names) > 1 and (maps or store is not None):
        raise click.UsageError("--maps and --mlflow are of one run; name one")
    matplotlib.use("agg")  # no window, whatever a report plugin draws with
    with RichProgress(open_console()) as progress:
        if len(names) == 1:
            path = _run_page(names[0], root, out, maps, store, progress)
        else:
            path = _comparison_page(names, root, out, progress)
    say(str(path))
    if opened:
        import webbrowser

        webbrowser.open(path.resolve().as_uri())


def _run_page(
    name: str, root: Path, out: Path | None, maps: bool, store: Path | None, progress: Progress
) -> Path:
    from leukreg.report.page import run_page
    from leukreg.report.page_pictures import model_maps
    from leukreg.report.page_writer import write_page
    from leukreg.runs.contents import read

    result = read(run_named(name, root))
    path = out or result.folder / "report.html"
    explain = model_maps if maps else None
    write_page(run_page(result, installed(), f"{path.stem}_files", explain, progress), path)
    if store is not None:
        from leukreg.report.mlflow import log_run

        progress.say(log_run(result, store, path, progress))
    return path


def _comparison_page(
    names: tuple[str, ...], root: Path, out: Path | None, progress: Progress
) -> Path:
    from leukreg.report.page import comparison_page
    from leukreg.report.page_writer import write_page

    found = subjects(names, root, installed())
    # A name that other comparisons do not have.
    titles = "\0".join(subject.name for subject in found).encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(titles, digest_size=4).hexdigest()
    path = out or Path(f"comparison-{digest}.html")
    write_page(comparison_page(found, installed(), f"{path.stem}_files", progress), path)
    return path
