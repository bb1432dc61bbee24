"""Progress: bars on a terminal, sparse lines elsewhere."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from leukreg.progress import Progress
from leukreg.report.console import WIDEST_TITLE, RichProgress, _shortened


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def piped() -> tuple[RichProgress, io.StringIO, Clock]:
    out, clock = io.StringIO(), Clock()
    return RichProgress(Console(file=out, width=80), clock=clock), out, clock


def test_a_pipe_gets_a_line_every_few_seconds_and_one_at_the_end() -> None:
    progress, out, clock = piped()
    with progress, progress.task("decode", 1000) as advance:
        for _ in range(80):
            clock.now += 0.25
            advance(12, note="loss 0.31")
    lines = out.getvalue().splitlines()
    assert lines[0] == "decode: 240 of 1,000 (24 %), 16 s left, loss 0.31"
    assert lines[-1] == "decode: done in 20 s"
    assert len(lines) == 5


def test_steps_done_before_a_kill_tell_no_speed() -> None:
    progress, out, clock = piped()
    with progress.task("train", 1000) as advance:
        advance(800)
        for _ in range(6):
            clock.now += 1
            advance(10)
    assert out.getvalue().splitlines()[0] == "train: 850 of 1,000 (85 %), 15 s left"


def test_an_unknown_total_counts() -> None:
    progress, out, clock = piped()
    with progress.task("search") as advance:
        clock.now = 6
        advance(40)
        clock.now = 200
    assert out.getvalue().splitlines() == ["search: 40", "search: 40, done in 3 min 20 s"]


def test_a_quick_task_is_one_line_and_a_failed_one_says_so() -> None:
    progress, out, _ = piped()
    with progress.task("quick", 3) as advance:
        advance(3)
    with pytest.raises(KeyError), progress.task("failing", 3):
        raise KeyError("x")
    assert out.getvalue().splitlines() == ["quick: done in 0.0 s", "failing: stopped after 0.0 s"]


def test_said_lines_stay_whole_and_literal() -> None:
    progress, out, _ = piped()
    text = "fold 1, phase [head]: " + "x" * 100
    progress.say(text)
    assert out.getvalue() == text + "\n"


def test_tasks_lie_within_tasks_on_a_terminal() -> None:
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=True)
    progress = RichProgress(console)
    with progress:
        with progress.task("folds", 2) as outer:
            for fold in range(2):
                with progress.task(f"fold {fold} " + "long" * 20, 10) as inner:
                    inner(10, "loss [0.3]")
                progress.say(f"fold {fold} done")
                outer()
        progress.say("after")
    text = out.getvalue()
    assert "fold 0 done" in text
    assert text.index("fold 1 done") < text.index("after")
    assert "folds" in text
    with progress.task("again", 1) as advance:
        advance()


def test_it_is_a_progress() -> None:
    progress, _, _ = piped()
    listener: Progress = progress
    with listener.task("x") as advance:
        advance()


def test_a_long_title_keeps_its_end() -> None:
    title = "features of the frozen layers, fold 12 of 15"
    assert _shortened(title).endswith("fold 12 of 15")
    assert _shortened("fold 1, predictions") == "fold 1, predictions"


@given(st.text("ab 0123456789", max_size=80))
def test_a_shortened_title_cuts_no_number(title: str) -> None:
    shown = _shortened(title)
    assert len(shown) <= WIDEST_TITLE or shown == title
    assert set(re.findall(r"\d+", shown)) <= set(re.findall(r"\d+", title))
