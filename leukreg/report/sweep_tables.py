"""A sweep in tables: what it would do, where it stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from leukreg.errors import RunError
from leukreg.runs.run_list import RunSummary
from leukreg.runs.sweep_record import SweepRecord, read_sweep_record
from leukreg.section import Section, Table
from leukreg.text import counted, rounded

if TYPE_CHECKING:
    from leukreg.sweep.resampled_t_test import CorrectedMean
    from leukreg.sweep.run_sweep import SweepPlan
    from leukreg.sweep.sweep_file import SearchSpec
    from leukreg.sweep.sweep_plan import PlannedRun
    from leukreg.types import Figure as FigureSpec

MOST = 40
"""Variations that are listed; of more the rest is counted."""


def plan_section(plan: SweepPlan, workers: int) -> Section:
    """What a sweep would do, and what that is estimated to take."""
    from leukreg.sweep.sweep_plan import in_words

    plans, times = plan.runs, 1.0
    first = in_words(plans)
    search = plan.asked.spec.search
    if search is not None:
        runs = search.trials * len(plan.asked.seeds)
        times = runs / len(plans)
        first = _searched(search, plan, runs)
    seconds = times * sum(one.estimate.seconds for one in plans)
    size = times * sum(one.estimate.bytes for one in plans)
    alone = span(seconds)
    each = f"{span(seconds / workers)} with {counted(workers, 'worker')}" if workers > 1 else alone
    executor = plan.asked.spec.executor.name
    text = [
        first,
        f"executor {executor}: {counted(workers, 'training')} at once, {_threads(plans)} each",
        f"about {each}, {size / 1e6:,.0f} MB of models: {_basis(plans)}",
    ]
    if whole := sum(not one.apart for one in plans):
        which = f"the folds of {counted(whole, 'run')} hang together by synthetic images"
        text.append(f"{which}: one worker trains all of a run")
        text.append(
            "a generator that learns is fitted once for runs that do not differ in what it sees"
        )
    text += [f"! Fallback {text}" for text in _fallbacks(plans)]
    return Section(title="Plan", text=tuple(text), tables=(_variations(plans),))


def _basis(plans: Sequence[PlannedRun]) -> str:
    """What the estimate is made from."""
    known = [plan.estimate.run for plan in plans if plan.estimate.run]
    step = (
        "a rough guess from one step of each variation on noise; early stopping, validation and "
        "metrics are not in it"
    )
    if not known:
        return step
    names = [*dict.fromkeys(known)]
    more = f" and {len(names) - 1} more" if names[1:] else ""
    base = f"as {names[0]}{more} took, with the same network, image size and layers in training"
    if len(known) == len(plans):
        return base
    return f"for {len(known)} of {counted(len(plans), 'run')} {base}; for the rest {step}"


def _searched(search: SearchSpec, plan: SweepPlan, runs: int) -> str:
    """Such as "a search: 20 trials of 2 seeds, 40 runs of 5 folds, ..."."""
    folds = max(run.folds for run in plan.runs)
    hours = f", at most {search.hours} hours" if search.hours else ""
    pruned = "" if search.prune == "none" else f", stopped early by pruner {search.prune}"
    once = f", {search.at_once} proposed together" if search.at_once > 1 else ""
    return (
        f"search of {counted(search.trials, 'trial')}{hours}{once}{pruned}, "
        f"{counted(len(plan.asked.seeds), 'seed')}: at most {counted(runs, 'run')} of "
        f"{counted(folds, 'fold')}, {counted(runs * folds, 'training')}; "
        f"{counted(len(plan.asked.variations), 'corner')} checked, of {len(plan.runs)} a step tried"
    )


def _threads(plans: Sequence[PlannedRun]) -> str:
    found = sorted({plan.recipe.training.threads or 1 for plan in plans})
    return " or ".join(counted(number, "thread") for number in found)


def _fallbacks(plans: Sequence[PlannedRun]) -> Iterator[str]:
    found = Counter(f"{notice}: {notice.why}" for plan in plans for notice in plan.notices)
    for text, runs in found.items():
        yield text if runs == len(plans) else f"{text} (in {counted(runs, 'run')})"


def _variations(plans: Sequence[PlannedRun]) -> Table:
    of: dict[str, list[PlannedRun]] = {}
    for plan in plans:
        of.setdefault(plan.variation.name, []).append(plan)
    rows = [
        (
            name,
            seeds_in_words([plan.recipe.seed for plan in own]),
            str(sum(plan.folds for plan in own)),
            span(sum(plan.estimate.seconds for plan in own)),
        )
        for name, own in of.items()
    ]
    more = f"and {len(rows) - MOST} more" if len(rows) > MOST else ""
    columns = ("variation", "seeds", "trainings", "about")
    return Table(columns=columns, rows=tuple(rows[:MOST]), caption=more)


def seeds_of(record: SweepRecord) -> str:
    """Such as "seed 3", or "seeds 1 to 5"."""
    seeds = sorted({run.seed for run in record.runs})
    return f"seed{'s' if seeds[1:] else ''} {seeds_in_words(seeds)}"


def seeds_in_words(seeds: Sequence[int]) -> str:
    """Such as "1 to 5", or "1, 3, 7"."""
    if len(seeds) > 2 and list(seeds) == [*range(seeds[0], seeds[-1] + 1)]:
        return f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(map(str, seeds))


def in_interval(mean: CorrectedMean | None, figure: FigureSpec) -> str:
    """Such as "0.843 (0.79 to 0.88)"; an interval ends where the figure does."""
    if mean is None:
        return ""
    if mean.low is None or mean.high is None:
        return rounded(mean.value)
    low = mean.low if figure.low is None else max(mean.low, figure.low)
    high = mean.high if figure.high is None else min(mean.high, figure.high)
    return f"{rounded(mean.value)} ({rounded(low, 2)} to {rounded(high, 2)})"


def span(seconds: float) -> str:
    """A rough time: "40 s", "25 min", "3 h"."""
    for size, unit in ((86400.0, "days"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(1, round(seconds))} s"


def sweeps_table(places: Sequence[Path], runs: Sequence[RunSummary]) -> Table:
    """One line per sweep: what it is of, and where its runs stand."""
    rows = []
    for place in places:
        try:
            record = read_sweep_record(place)
        except RunError as error:
            rows.append((place.name, "", "", "damaged", str(error)))
            continue
        own = [run for run in runs if run.sweep == place.name]
        of = f"{counted(len(record.variations), 'variation')}, {counted(len(record.runs), 'run')}"
        paths = [run.path for run in record.runs]
        if (search := record.search) is not None:
            of = f"{search.proposed} of {counted(search.trials, 'trial')}"
            paths = [search.path]
        recipes = ", ".join(dict.fromkeys(Path(path).stem for path in paths))
        rows.append((place.name, recipes, record.started[:10], of, _standing(record, own)))
    return Table(columns=("sweep", "recipe", "when", "of", "status"), rows=tuple(rows))


def _standing(record: SweepRecord, runs: Sequence[RunSummary]) -> str:
    """Such as "12 finished, 1 failed, 7 not begun"."""
    counts = Counter[str](run.standing for run in runs)
    counts["not begun"] = len(record.runs) - len(runs)
    return ", ".join(f"{number} {standing}" for standing, number in counts.items() if number > 0)
