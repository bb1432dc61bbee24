"""``leukreg lr``: which learning rate a phase may begin with."""

from __future__ import annotations

import io
import itertools
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from leukreg.cli.arguments import recipe_keys, settled
from leukreg.cli.output import FINDINGS, GOOD, say
from leukreg.files import write_file
from leukreg.prepare import labels_of, list_samples, open_rows
from leukreg.recipe import Recipe, check_task
from leukreg.recipe.model import PhaseSpec
from leukreg.report.console import RichProgress, open_console
from leukreg.report.plot import STYLE, style

if TYPE_CHECKING:
    from leukreg.engine.range_test import RangeTest

ENDINGS = (".png", ".svg")


@click.command("lr")
@click.argument("path", metavar="RECIPE", type=click.Path(path_type=Path))
@recipe_keys
@click.option("--phase", "name", metavar="NAME", help="The phase to test.  [default: the first]")
@click.option(
    "--steps", default=100, show_default=True, type=click.IntRange(20, 10_000), help="Steps."
)
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="A new PNG or SVG file.  [default: RECIPE-PHASE-lr.png, numbered where it exists]",
)
def command(
    path: Path, overrides: tuple[str, ...], name: str | None, steps: int, out: Path | None
) -> int:
    """Suggest a learning rate for a phase of RECIPE, and draw what it rests on.

    The rate rises with every step while the training loss is watched (a learning-rate range test,
    Smith 2017), on the training rows of the first fold. The model begins with its first weights,
    whatever earlier phases would have made of them; synthetic cells and the phase's schedule are
    left out. Nothing is kept but the picture. Exit code 1: the loss did not fall.
    """
    from leukreg.data.folds import make_folds
    from leukreg.engine.range_test import range_test

    recipe = settled(path, overrides)
    phase = _phase(recipe, name)
    picture = _picture(path, phase, out)
    with RichProgress(open_console(err=True)) as progress:
        samples = list_samples(recipe, progress)
        check_task(recipe, samples)
        images, _ = open_rows(recipe, samples, progress)
        absent = recipe.synthesis.classes if recipe.synthesis else ()
        fold = make_folds(images, recipe.data.folds, recipe.seed, absent)[0]
        labels = labels_of(recipe, images.samples, fold.train)
        with tempfile.TemporaryDirectory(prefix="leukreg-lr-") as folder:
            found = range_test(recipe, labels, images, fold, phase, Path(folder), steps, progress)
    _draw(picture, found, phase)
    _tell(recipe, phase, found, len(fold.train))
    say(f"  picture: {picture}")
    return FINDINGS if found.suggestion is None else GOOD


def _phase(recipe: Recipe, name: str | None) -> PhaseSpec:
    """The phase of that name, or the first.

    Raises:
        BadParameter: There is no such phase, or its optimizer has no learning rate to choose.
    """
    names = [phase.name for phase in recipe.phases]
    if name is not None and name not in names:
        raise click.BadParameter(
            f"there is no phase {name!r}; there are {', '.join(names)}", param_hint="--phase"
        )
    phase = recipe.phases[names.index(name) if name is not None else 0]
    if not isinstance(phase.optimizer.options.get("lr"), int | float):
        raise click.UsageError(
            f"the optimizer {phase.optimizer.name!r} of phase {phase.name!r} has no option lr"
        )
    return phase


def _picture(recipe: Path, phase: PhaseSpec, out: Path | None) -> Path:
    """Where the picture goes: a file that is not there yet.

    Raises:
        BadParameter: The file exists, or ends in another way than the two that are drawn.
    """
    if out is None:
        stem = f"{recipe.stem}-{phase.name}-lr"  # a phase's name is one for files
        numbered = (f"{stem}-{number}.png" for number in itertools.count(2))
        names = itertools.chain([f"{stem}.png"], numbered)
        return next(path for path in map(Path, names) if not path.exists())
    if out.suffix.lower() not in ENDINGS:
        raise click.BadParameter(f"{out} must end in .png or .svg", param_hint="--out")
    if out.exists():
        raise click.BadParameter(f"{out} exists; name another", param_hint="--out")
    if not out.absolute().parent.is_dir():
        raise click.BadParameter(f"there is no folder {out.parent}", param_hint="--out")
    return out


def _draw(path: Path, found: RangeTest, phase: PhaseSpec) -> None:
    now = float(phase.optimizer.options["lr"])
    with style():
        from matplotlib.figure import Figure

        figure = Figure()
        axes = figure.add_subplot()
        axes.plot(found.rates, found.losses)
        axes.axvline(now, color=STYLE.faint, linestyle=":", label=f"recipe: {now:.2g}")
        if found.suggestion is not None:
            label = f"suggested: {found.suggestion:.2g}"
            axes.axvline(found.suggestion, color=STYLE.colours[2], linestyle="--", label=label)
        axes.set(xscale="log", xlabel="learning rate", ylabel="training loss, smoothed")
        axes.set_title(f"Phase {phase.name}", parse_math=False)
        axes.legend()
        file = io.BytesIO()
        figure.savefig(file, format=path.suffix[1:].lower(), dpi=150, facecolor="white")
    write_file(path, file.getvalue())


def _tell(recipe: Recipe, phase: PhaseSpec, found: RangeTest, rows: int) -> None:
    lowest = min(found.losses)
    at = found.rates[found.losses.index(lowest)]
    say(
        f"phase {phase.name!r}: {len(found.rates)} steps on {rows:,} training images, rates from "
        f"{found.rates[0]:.1e} to {found.rates[-1]:.1e}"
    )
    key = f"phase.{recipe.phases.index(phase)}.optimizer"
    where, _ = recipe.place(f"{key}.lr")
    now = f"{float(phase.optimizer.options['lr']):.2g}" + (f" ({where})" if where else "")
    if found.suggestion is None:
        say(f"  the loss did not fall, so nothing is suggested; the recipe has lr = {now}")
        return
    say(f"  the loss was lowest, {lowest:.3g}, at a rate of {at:.1e}")
    say(f"  suggested: a tenth of that. Write it in place of lr = {now}:")
    say(f"    lr = {found.suggestion:.1e}")
