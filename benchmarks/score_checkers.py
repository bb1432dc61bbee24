"""Published tables before leukreg's audit and before mlscorecheck: who decides what.

    python -m pip install mlscorecheck     (for this script only)
    python benchmarks/score_checkers.py [FOLDER ...]

Folders of paper files; by default the register, experiments/published. mlscorecheck is asked as its
documentation says: one test set of two classes with known sizes, means over unknown folds, macro
and micro averages. "not its case": its checks need what is not printed, mostly the sizes of the
classes. A contradiction between the two makes the exit code 1.
"""

from __future__ import annotations

import contextlib
import io
import logging
import sys
import time
import warnings
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from leukreg import examine
from leukreg.audit.paper_file import paper_of
from leukreg.audit.published_table import Reported
from leukreg.errors import LeukregError
from leukreg.recipe.document import read_document
from leukreg.report.console import open_console, print_table
from leukreg.section import Table

ROOT = Path(__file__).parents[1]
THEIRS = {
    "accuracy": "acc",
    "balanced_accuracy": "bacc",
    "recall": "sens",
    "specificity": "spec",
    "precision": "ppv",
    "npv": "npv",
    "f1": "f1p",
    "jaccard": "ji",
    "mcc": "mcc",
    "kappa": "kappa",
}
OF_MEANS = {"acc", "bacc", "sens", "spec"}
"""What mlscorecheck can check of means of scores."""
NO_CASE = "not its case"


def scores_of(reported: Reported, kind: str = "") -> tuple[dict[str, float], dict[str, float]]:
    """The figures as mlscorecheck calls them, and half a unit of the last digit of each.

    Args:
        kind: ``macro_`` or ``micro_`` for averages over classes.
    """
    figures = dict(reported.figures)
    if not kind and reported.positive is not None:
        figures |= reported.of(reported.positive)
    scores: dict[str, float] = {}
    eps: dict[str, float] = {}
    for name, theirs in THEIRS.items():
        value = figures.get(name if name == "accuracy" else f"{kind}{name}")
        if value is not None and not value.undefined:
            scores[theirs], eps[theirs] = float(value), float(value.half)
    return scores, eps


def theirs(reported: Reported) -> str:
    """What mlscorecheck says of a table."""
    from mlscorecheck.check import binary, multiclass

    supports = reported.test_supports()
    parts = reported.count("folds") or reported.count("runs")
    counts = supports if supports.keys() >= set(reported.classes) else {}
    counts = counts or (reported.tally("class_counts") if parts else {})
    if len(reported.classes) < 2 or not counts.keys() >= set(reported.classes):
        return NO_CASE
    if len(reported.classes) == 2 and reported.positive is not None:
        scores, eps = scores_of(reported)
        positives = counts[reported.positive]
        sizes = {"p": positives, "n": sum(counts[c] for c in reported.classes) - positives}
        if not scores:
            return NO_CASE
        if not parts:
            return _asked(binary.check_1_testset_no_kfold, testset=sizes, scores=scores, eps=eps)
        kept = {name: value for name, value in scores.items() if name in OF_MEANS}
        if not kept:
            return NO_CASE
        folding = {"n_folds": parts, "n_repeats": 1}
        return _asked(
            binary.check_1_dataset_unknown_folds_mos,
            dataset=sizes,
            folding=folding,
            scores=kept,
            eps=max(eps[name] for name in kept),  # it crashes on one for each
            verbosity=0,
        )
    if parts:
        return NO_CASE
    rows = {number: counts[c] for number, c in enumerate(reported.classes)}
    for kind, check in (
        ("macro_", multiclass.check_1_testset_no_kfold_macro),
        ("micro_", multiclass.check_1_testset_no_kfold_micro),
    ):
        scores, eps = scores_of(reported, kind)
        if scores.keys() - {"acc"}:
            return _asked(check, testset=rows, scores=scores, eps=eps, verbosity=0)
    return NO_CASE


def _asked(check: Any, **what: Any) -> str:
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            found = check(**what)
    except Exception as error:  # it is their code that is measured, crashes too
        return f"crashed ({type(error).__name__})"
    return "impossible" if found["inconsistency"] else "consistent"


def tables_of(folders: list[Path]) -> list[tuple[str, Reported]]:
    """Name and figures of every readable table of these folders."""
    found = []
    for path in sorted(path for folder in folders for path in folder.glob("*.toml")):
        try:
            tables = paper_of(read_document(path), str(path))
        except LeukregError as error:
            print(f"left out: {error}", file=sys.stderr)
            continue
        for reported in Reported.read_all(tables) if tables else ():
            found.append((f"{path.stem} {reported.name}".strip(), reported))
    return found


def main(arguments: list[str]) -> int:
    try:
        import mlscorecheck  # noqa: F401

        logging.getLogger("mlscorecheck").setLevel(logging.ERROR)
    except ImportError:
        print("mlscorecheck is not installed: python -m pip install mlscorecheck", file=sys.stderr)
        return 2
    folders = [Path(name) for name in arguments] or [ROOT / "experiments" / "published"]
    rows, spent = [], {"leukreg": Fraction(0), "mlscorecheck": Fraction(0)}
    for name, reported in tables_of(folders):
        started = time.perf_counter()
        ours = examine(reported).verdict.headline
        between = time.perf_counter()
        other = theirs(reported)
        spent["leukreg"] += Fraction(between - started)
        spent["mlscorecheck"] += Fraction(time.perf_counter() - between)
        rows.append((name, ours, other))
    console = open_console()
    print_table(Table(columns=("table", "leukreg", "mlscorecheck"), rows=tuple(rows)), console)
    print_table(summary(rows), console)
    print(", ".join(f"{who} {float(seconds):.1f} s" for who, seconds in spent.items()))
    return 1 if any(contradict(ours, other) for _, ours, other in rows) else 0


def decided(said: str) -> bool:
    return said.startswith(("consistent", "impossible"))


def contradict(ours: str, other: str) -> bool:
    """Whether one calls impossible what the other finds consistent, read in the plain way."""
    return {ours, other} == {"consistent", "impossible"}


def summary(rows: list[tuple[str, str, str]]) -> Table:
    who: Mapping[tuple[bool, bool], str] = {
        (True, True): "both decide",
        (True, False): "leukreg alone decides",
        (False, True): "mlscorecheck alone decides",
        (False, False): "neither decides",
    }
    counts = Counter(who[decided(ours), decided(other)] for _, ours, other in rows)
    counts["they contradict each other"] = sum(contradict(a, b) for _, a, b in rows)
    lines = tuple(
        (name, str(counts[name])) for name in (*who.values(), "they contradict each other")
    )
    return Table(columns=("of the tables", "number"), rows=lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
