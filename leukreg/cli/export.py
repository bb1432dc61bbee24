"""``leukreg export``."""

from __future__ import annotations

from pathlib import Path

import click

from leukreg.cli.arguments import images_at, models_of, out_folder, runs_folder
from leukreg.cli.output import say
from leukreg.report.console import RichProgress, open_console

FORMATS = ("onnx", "torch-export", "safetensors")


@click.command("export")
@click.argument("run")
@click.option("--format", "kind", required=True, type=click.Choice(FORMATS), help="What to write.")
@out_folder
@click.option(
    "--images",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Real images to compare on.  [default: some of the run's own]",
)
@click.option(
    "--attribution", metavar="TEXT", default="", help="Source and licence of the training images."
)
@runs_folder
def command(
    run: str, kind: str, folder: Path, images: Path | None, attribution: str, root: Path
) -> None:
    """Write the models of RUN in a standard format, with a model card beside them.

    onnx and torch-export hold everything between a picture's pixels and its probabilities, all
    folds together; safetensors holds the weights of each fold. Each is run in its own runtime on
    real images, and kept only if it answers as leukreg does, within 1e-4.
    """
    trained = models_of(run, root)
    from leukreg.predict.deployment import export  # after models_of: it needs torch

    files = [] if images is None else [*images_at([images])]
    with RichProgress(open_console(err=True)) as progress:
        done = export(trained, kind, folder, files, attribution, progress)
    say(f"Written to {done.folder}: {', '.join(done.files)}")
    say(
        f"Compared with leukreg on {done.images} images: probabilities differ by "
        f"{done.difference:.2g} at most. Dropout is off in an exported model."
    )
