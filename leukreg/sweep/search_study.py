"""What Optuna is told of a search, in ``search.db`` in its folder, and what it proposes.

SQLite, whose transactions outlive a kill at any moment (Optuna's journal file does not: half a line
spoils it). A proposal follows from the search's seed, its number and what is known of the trials
before, so that a killed search goes on to the trials that it would have come to.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leukreg.errors import NotAvailable
from leukreg.seeds import derive

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

FILE = "search.db"
NAME = "search"
SECONDS = "seconds"
"""Attribute: how long the search has worked."""
WHY = "why"
"""Attribute of a trial that was given up."""


def require_optuna() -> None:
    """
    Raises:
        NotAvailable: It is not installed.
    """
    if importlib.util.find_spec("optuna") is None:
        raise NotAvailable("a search needs Optuna: python -m pip install 'leukreg[search]'")


def make_study(folder: Path, maximize: bool) -> None:
    """The file of a new search."""
    from optuna import create_study

    with _storage(folder) as storage:
        create_study(
            storage=storage, study_name=NAME, direction="maximize" if maximize else "minimize"
        )


@contextmanager
def opened_study(folder: Path) -> Iterator[Study]:
    """The study of a search.

    Raises:
        RunError: Its file is missing or damaged.
    """
    from optuna import load_study
    from sqlalchemy.exc import DatabaseError

    from leukreg.runs.codec import damaged

    path = folder / FILE
    if not path.is_file():
        raise damaged(path, "it is missing")
    try:
        with _storage(folder) as storage:
            yield load_study(storage=storage, study_name=NAME)
    except (DatabaseError, KeyError) as error:
        raise damaged(path, str(error).splitlines()[0]) from error


@contextmanager
def _storage(folder: Path) -> Iterator[Any]:
    import optuna
    from sqlalchemy import URL

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    url = URL.create("sqlite", database=str(folder / FILE))
    storage = optuna.storages.RDBStorage(url.render_as_string(hide_password=False))
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()


def trials_of(study: Study) -> tuple[FrozenTrial, ...]:
    """By their number less 1; what was proposed and lost by a kill is none."""
    from optuna.trial import TrialState

    every = study.get_trials(deepcopy=False)
    return tuple(one for one in every if one.state != TrialState.FAIL)


def is_told(trial: FrozenTrial) -> bool:
    """Whether it is known what came of a trial."""
    return trial.state.is_finished()


def propose(study: Study, space: Mapping[str, BaseDistribution], seed: int) -> None:
    """Ask for one more trial."""
    from optuna.samplers import TPESampler

    number = len(trials_of(study)) + 1
    study.sampler = TPESampler(seed=derive(seed, "trial", number) % 2**32)
    study.ask(dict(space))


def forget(study: Study, trial: FrozenTrial) -> None:
    """Of a trial that a kill came before: it is proposed again."""
    from optuna.trial import TrialState

    study.tell(trial.number, state=TrialState.FAIL)


def tell(
    study: Study,
    trial: FrozenTrial,
    value: float | None,
    why: str = "",
    reached: tuple[int, float] | None = None,
) -> None:
    """What came of a trial.

    Args:
        value: None: it was given up, which counts against points like it.
        why: It was.
        reached: Epochs, and validation accuracy, of one that was stopped: late is better.
    """
    from optuna import Trial
    from optuna.trial import TrialState

    under_way = Trial(study, trial._trial_id)
    if why:
        under_way.set_user_attr(WHY, why)
    if reached is not None:
        under_way.report(reached[1], reached[0])
    state = TrialState.PRUNED if value is None else TrialState.COMPLETE
    study.tell(trial.number, value, state=state)


def first_like(trials: tuple[FrozenTrial, ...], number: int) -> int:
    """The first trial at the same point, from 1."""
    drawn = trials[number - 1].params
    return 1 + next(n for n, one in enumerate(trials) if one.params == drawn)
