"""``[synthesis.gate]``: on unless the recipe says otherwise, and kept as it was asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from leukreg.errors import Problems
from leukreg.recipe import load, parse, rebuild
from leukreg.recipe.model import GateSpec
from leukreg.registry import Registry


def gate(text: str, registry: Registry, *overrides: str) -> GateSpec | None:
    recipe = parse(text, overrides=list(overrides), registry=registry)
    assert recipe.synthesis is not None
    again = rebuild(recipe.resolved, registry=registry)
    assert again.synthesis == recipe.synthesis
    return recipe.synthesis.gate


def test_there_is_a_gate_unless_the_recipe_says_there_is_none(
    good: str, registry: Registry
) -> None:
    assert gate(good, registry) == GateSpec()
    assert gate(good, registry, "synthesis.gate=true") == GateSpec()
    assert gate(good, registry, "synthesis.gate=false") is None
    with pytest.raises(Problems, match='gate: must be true, false or a table, not "off"'):
        gate(good, registry, "synthesis.gate=off")


def test_limits_are_set_one_by_one(good: str, registry: Registry) -> None:
    text = good.replace("per_class = 4", "per_class = 4\ngate = { kid = 3, copies = 0 }")
    assert gate(text, registry) == GateSpec(kid=3, copies=0)
    assert gate(text, registry, "synthesis.gate.fails=stop") == GateSpec(
        kid=3, copies=0, fails="stop"
    )


def test_a_gate_that_was_off_is_switched_on_by_a_key_of_it(good: str, registry: Registry) -> None:
    text = good.replace("per_class = 4", "per_class = 4\ngate = false")
    assert gate(text, registry) is None
    assert gate(text, registry, "synthesis.gate.kid=2.5") == GateSpec(kid=2.5)


def test_a_twin_with_another_generator_keeps_gate_and_seed(
    good: str, registry: Registry, tmp_path: Path
) -> None:
    head = good.replace("per_class = 4", "per_class = { ALL = 4 }\nseed = 9\ngate = { kid = 3 }")
    (tmp_path / "a.toml").write_text(head)
    (tmp_path / "b.toml").write_text('extends = "a.toml"\n[synthesis]\ngate = { copies = 0 }\n')
    spec = load(tmp_path / "b.toml", registry=registry).synthesis
    assert spec is not None
    assert (spec.gate, spec.seed, spec.mix) == (GateSpec(kid=3, copies=0), 9, "add")
    assert spec.count("ALL") == 4


@pytest.mark.parametrize("number", ["4", "{ ALL = 4 }"])
def test_one_number_or_one_for_each_class(number: str, good: str, registry: Registry) -> None:
    recipe = parse(good.replace("per_class = 4", f"per_class = {number}"), registry=registry)
    assert recipe.synthesis is not None
    assert recipe.synthesis.count("ALL") == 4
