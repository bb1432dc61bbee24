"""The verdict: what came out, against the best that comes out without looking at a cell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from leukreg_plugins.reporting.verdict import Verdict, strongest_probe

from leukreg import RunRecord
from leukreg.types import Finding
from tests.factory import build_result
from tests.facts import from_facts


def coloured(result: RunRecord, colour: float) -> RunRecord:
    """The run on images whose mean colour differs between classes by ``colour``."""
    rng = np.random.default_rng(3)
    statistics = {}
    for row in result.samples.rows:
        values = rng.normal(100, 1, 12)
        values[:3] += colour * result.samples.classes.index(row.label)
        statistics[row.id] = tuple(map(float, values))
    return replace(result, statistics=statistics, near_duplicates=())


def text(result: RunRecord) -> str:
    return " ".join(next(iter(Verdict().build(result))).text)


def test_what_colour_alone_does_better_is_no_success() -> None:
    said = text(coloured(build_result(skill=2.5), 8))
    assert "below the 100.0 % that colour statistics alone reach" in said
    assert "above" not in said
    assert ", where always answering Benign reaches 80.0 %;" in said
    probe = strongest_probe(coloured(build_result(), 8))
    assert probe is not None
    assert probe.name == "colour statistics"


def test_the_strongest_baseline_stands_there_when_it_is_beaten_too() -> None:
    said = text(coloured(build_result(skill=9.0), 1))
    assert "above the " in said
    assert "that colour statistics alone reach" in said


def test_an_accuracy_under_the_majority_is_still_said_to_be() -> None:
    assert "below the 80.0 % of always answering Benign" in text(
        coloured(build_result(skill=-6), 8)
    )


def test_without_a_probe_the_majority_is_the_baseline() -> None:
    said = text(build_result(skill=6.0))
    assert "above the 80.0 % of always answering Benign" in said
    assert "alone" not in said


def test_errors_of_the_audit_are_named() -> None:
    findings = [Finding(rule=f"rule-{n}", severity="error", message=f"fault {n}") for n in range(5)]
    findings += [Finding(rule="waived", severity="error", message="known", waived="history")]
    (section,) = Verdict().build(build_result(findings=tuple(findings)))
    said = section.text
    assert said[0] == "! The audit finds an error (rule-0): fault 0."
    assert said[3] == "! It finds 2 more errors: see the findings."
    assert "known" not in " ".join(said)


def test_the_best_earlier_run_stands_beside_it() -> None:
    facts = {
        "earlier_scores": {
            "v4-old": {"balanced_accuracy": 0.8425}, "bad": {"balanced_accuracy": 0.2}, "odd": {},
        }
    }  # fmt: skip
    said = text(replace(build_result(), **from_facts(facts)))
    assert "The best of 2 earlier runs on the same images, v4-old, has a balanced accuracy" in said
    assert "of 84.3 %." in said


def test_copies_among_the_scored_images_are_said_to_be_no_further_pictures() -> None:
    result = build_result(patients=0)
    ids = result.predictions.id
    pixels = {**result.pixels, **{name: f"{i // 4}" for i, name in enumerate(ids)}}
    said = text(replace(result, pixels=pixels))
    assert "Scored on 100 held-out images that are 25 pictures, all real, patients unknown." in said
    assert "pictures" not in text(result)
