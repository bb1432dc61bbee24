"""``leukreg report RUN ...``: the page of a run, or of several side by side."""

from __future__ import annotations

import hashlib
from pathlib import Path

import click

from leukreg.cli.arguments import run_named, runs_folder
from leukreg.cli.compare import subjects, sweep_of
from leukreg.cli.output import say
from leukreg.registry import installed
from leukreg.report.console import RichProgress, open_console


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
    by side; recipes and files of published figures may be among them. One name of a sweep makes the
    page of its variations. A folder of published results
    (see "leukreg published") makes one page of the field: published.html. Figures and tables are
    written beside the page too, as SVG and CSV. An earlier page of the same is replaced, any other
    file is left alone.
    """
    import matplotlib

    from leukreg.audit.published_register import is_register
    from leukreg.report.page import comparison_page, published_page, run_page, sweep_page
    from leukreg.report.page_pictures import model_maps
    from leukreg.report.page_writer import write_page
    from leukreg.runs.contents import read
    from leukreg.runs.sweep_record import find_sweep

    sweep = find_sweep(names[0], root) if len(names) == 1 else None
    if (len(names) > 1 or sweep) and (maps or store is not None):
        raise click.UsageError("--maps and --mlflow are of one run; name one")
    matplotlib.use("agg")  # no window, whatever a report plugin draws with
    registry = installed()
    with RichProgress(open_console()) as progress:
        if len(names) == 1 and is_register(Path(names[0])):
            path = out or Path("published.html")
            page = published_page(Path(names[0]), f"{path.stem}_files", progress)
        elif sweep is not None:
            path = out or sweep / "report.html"
            page = sweep_page(
                sweep.resolve().name, sweep, sweep_of(sweep), f"{path.stem}_files", progress
            )
        elif len(names) == 1:
            result = read(run_named(names[0], root))
            path = out or result.folder / "report.html"
            explain = model_maps if maps else None
            page = run_page(result, registry, f"{path.stem}_files", explain, progress)
        else:
            found = subjects(names, root, registry)
            # A name that other comparisons do not have.
            titles = "\0".join(subject.name for subject in found).encode("utf-8", "surrogatepass")
            digest = hashlib.blake2b(titles, digest_size=4).hexdigest()
            path = out or Path(f"comparison-{digest}.html")
            page = comparison_page(found, registry, f"{path.stem}_files", progress)
        write_page(page, path)
        if store is not None:
            from leukreg.report.mlflow import log_run

            progress.say(log_run(result, store, path, progress))
    say(str(path))
    if opened:
        import webbrowser

        webbrowser.open(path.resolve().as_uri())
