"""A sweep's folder: made when it begins, taken up to go on, written by one process alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from leukreg.errors import Problem, Problems, RunError
from leukreg.evaluate.scoring import declared
from leukreg.files import digest
from leukreg.output_folder import new_folder
from leukreg.progress import SILENT, Progress
from leukreg.registry import installed
from leukreg.runs.codec import plain
from leukreg.runs.folder import new_path
from leukreg.runs.status import lock_folder, now
from leukreg.runs.sweep_record import (
    SearchRecord,
    SweepRecord,
    SweptRun,
    read_sweep_record,
    write_sweep,
)
from leukreg.sweep.search_study import make_study
from leukreg.sweep.sweep_file import AskedSweep, Variation
from leukreg.sweep.sweep_plan import PlannedRun, read_run, threads_of, together
from leukreg.text import did_you_mean

ANEW = "put it back, or begin a new sweep"


def figure_of(asked: AskedSweep) -> str:
    """The figure that variations are compared by.

    Raises:
        Problems: No metric has it, or neither way of it is better.
    """
    ways = declared(installed())
    known = {name: one for name, one in ways.items() if one.higher_is_better is not None}
    figure = asked.spec.figure
    if figure is None:
        return next(one.name for one in known.values() if one.headline)
    if figure not in known:
        text = f"figure: no metric has a figure {figure!r}; {did_you_mean(figure, known)}"
        raise Problems([Problem(text, str(asked.source or asked.name))])
    return figure


def begin(
    asked: AskedSweep, plans: Sequence[PlannedRun], root: Path
) -> tuple[Path, dict[str, PlannedRun]]:
    """A new folder below ``root`` with what is to be done, by the names of the runs' folders.

    Raises:
        RunError, WriteError: ``root`` is no folder, or cannot be written.
    """
    place = new_path(root, asked.name)
    width = len(str(len(plans)))
    names = (f"{place.name}-{number:0{width}d}" for number in range(1, len(plans) + 1))
    named = {} if asked.spec.search else dict(zip(names, plans, strict=True))
    executor = asked.spec.executor
    search = None if asked.spec.search is None else _search_record(asked, plans)
    record = SweepRecord(
        name=place.name,
        started=now(),
        source=None if asked.source is None else str(asked.source),
        source_digest="" if asked.source is None else digest(asked.source),
        executor={"use": executor.name, **executor.options},
        figure=figure_of(asked),
        choose=asked.spec.choose,
        runs=tuple(plan.swept(name) for name, plan in named.items()),
        search=search,
    )
    with new_folder(place) as made:
        write_sweep(made, record)
        if search is not None:
            make_study(made, bool(declared(installed())[record.figure].higher_is_better))
    return place, named


def _search_record(asked: AskedSweep, plans: Sequence[PlannedRun]) -> SearchRecord:
    spec = asked.spec.search
    assert spec is not None
    return SearchRecord(
        **asdict(spec),
        axes={key: plain(axis) for key, axis in asked.axes.items()},
        path=str(asked.variations[0].path),
        overrides=asked.overrides,
        seeds=asked.seeds,
        threads=threads_of(plans),
        units=together(asked, plans),
    )


@contextmanager
def held(place: Path) -> Iterator[None]:
    """The right to carry out a sweep.

    Raises:
        RunError: Another living process does.
    """
    try:
        lock = lock_folder(place)
    except RunError:
        raise RunError(f"{place}: another process carries out this sweep; wait for it") from None
    try:
        yield
    finally:
        lock.release()


def taken_up(place: Path, progress: Progress = SILENT) -> dict[str, PlannedRun]:
    """What a sweep is to do, by the names of its runs' folders.

    Raises:
        RunError: ``sweep.json`` is damaged; the sweep file or a recipe is not as it was.
        Problems: A recipe cannot be read any more.
    """
    record = read_sweep_record(place)
    source = None if record.source is None else Path(record.source)
    if source is not None and source.is_file() and digest(source) != record.source_digest:
        raise RunError(f"{source} has changed since {record.name} began; {ANEW}")
    plans = {}
    with progress.task("Reading recipes", len(record.runs)) as advance:
        for run in record.runs:
            plans[run.name] = again(run, record)
            advance()
    return plans


def again(run: SweptRun, record: SweepRecord) -> PlannedRun:
    """A run of a sweep as it was planned.

    Raises:
        RunError: Its recipe is not as it was.
    """
    variation = Variation(name=run.variation, path=Path(run.path), overrides=run.overrides)
    plan = read_run(variation, None)
    if plan.digest != run.digest:
        raise RunError(
            f"{run.path} says something else than when {record.name} began "
            f"({run.variation}, seed {run.seed}); {ANEW}"
        )
    return replace(plan, folds=run.folds, test_set=run.test_set)
