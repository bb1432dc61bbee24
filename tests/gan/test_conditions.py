"""Conditions: valid one-hots, the same under one seed, and no class learned from nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given as cases
from hypothesis import settings
from hypothesis import strategies as st
from leukreg_gan.class_sources import Attributes, ClassSources, Donor
from leukreg_gan.conditions import UNSAID, Conditions, Draw, Group, Part, Plan, encode

from leukreg import DataError, ImageSpec
from tests.gan.condition_images import SIZE, given, labels_of, told_alike

IMAGE = ImageSpec(size=SIZE)


def few(counts: dict[str, int], targets: tuple[str, ...] | None = None) -> Conditions:
    return ClassSources().conditions(given(counts), labels_of(counts), IMAGE, targets)


def test_each_image_is_told_its_class() -> None:
    made = few({"a": 3, "b": 1, "c": 2})
    assert made.plan.groups == (Group(name="class", values=("a", "b", "c")),)
    assert made.labels.tolist() == [0, 0, 0, 1, 2, 2]
    assert np.array_equal(made.vectors, np.eye(3, dtype=np.float32)[made.labels])
    assert made.vectors.dtype == np.float32
    assert made.rows == tuple(range(6))
    assert made.donors.shape == (0, SIZE, SIZE, 3)
    assert made.notes == ()


def test_a_class_without_images_that_nobody_asks_for_is_left_out() -> None:
    made = few({"a": 3, "b": 0, "c": 2}, targets=("c",))
    assert made.classes == ("a", "c")
    assert made.vectors.shape == (5, 2)
    assert made.labels.tolist() == [0, 0, 0, 2, 2]
    with pytest.raises(DataError, match=r"'b' was not learned.*can be: a, c"):
        made.plan.draw("b", 1, np.random.default_rng(0))


@pytest.mark.parametrize("targets", [("b", "pro b"), None])
def test_a_class_without_images_is_refused_with_both_ways_out(
    targets: tuple[str, ...] | None,
) -> None:
    counts = {"a": 3, "b": 0, "pro b": 0}
    with pytest.raises(DataError) as caught:
        few(counts, targets)
    said = str(caught.value)
    assert "classes 'b' and 'pro b'" in said
    assert 'classes = { b = ["FOLDER"], "pro b" = ["FOLDER"] }' in said
    assert 'describe = { b = { ATTRIBUTE = "VALUE" }, "pro b"' in said


def test_mistakes_of_the_recipe_are_told_at_once() -> None:
    ways = ClassSources(way="few", donor=Donor(root="x"), attributes=Attributes(table="y.csv"))
    with pytest.raises(DataError) as caught:
        ways.conditions(given({"a": 1}), labels_of({"a": 1}), IMAGE, ("aa",))
    said = str(caught.value).splitlines()
    assert len(said) == 3
    assert 'set way = "donor", or donor = false' in said[0]
    assert 'set way = "attributes", or attributes = false' in said[1]
    assert "did you mean 'a'?" in said[2]


@pytest.mark.parametrize("way", ["donor", "attributes"])
def test_a_way_needs_its_table(way: str) -> None:
    ways = ClassSources(way=way)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=f'way = "{way}" needs {way} = '):
        ways.conditions(given({"a": 1}), labels_of({"a": 1}), IMAGE, None)


def test_pixels_follow_the_rows() -> None:
    images = given({"a": 2, "b": 2})
    made = ClassSources().conditions(images, labels_of({"a": 2, "b": 2}), IMAGE, None)
    assert np.array_equal(made.pixels(images), images.given)


def test_the_digest_tells_what_is_told() -> None:
    first, again = few({"a": 2, "b": 2}), few({"a": 2, "b": 2})
    assert told_alike(first, again)
    assert not told_alike(first, few({"a": 2, "b": 3}))
    assert not told_alike(first, few({"a": 2, "c": 2}))


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Plans of up to four groups, split into parts at random."""
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    groups = tuple(
        Group(name=f"g{i}", values=tuple(f"v{j}" for j in range(size)))
        for i, size in enumerate(sizes)
    )
    order = draw(st.permutations(range(len(sizes))))
    cut = draw(st.integers(0, len(sizes) - 1))
    parts = []
    for chosen in (order[:cut], order[cut:]):
        if chosen:
            rows = st.tuples(*(st.integers(0, sizes[g] - 1) for g in chosen))
            codes = draw(st.lists(rows, min_size=1, max_size=5, unique=True))
            weights = draw(st.lists(st.floats(0.01, 100), min_size=len(codes), max_size=len(codes)))
            parts.append(Part(groups=tuple(chosen), codes=tuple(codes), weights=tuple(weights)))
    seen = draw(st.none() | st.just(frozenset({tuple(0 for _ in sizes)})))
    return Plan(groups=groups, draws={"a": Draw(parts=tuple(parts), said={"x": "y"})}, seen=seen)


@settings(max_examples=60, deadline=None)
@cases(plan=plans(), n=st.integers(0, 20), seed=st.integers(0, 2**32))
def test_draws_are_one_hots_of_the_parts_rows(plan: Plan, n: int, seed: int) -> None:
    vectors, words = plan.draw("a", n, np.random.default_rng(seed))
    assert vectors.shape == (n, sum(len(group.values) for group in plan.groups))
    assert len(words) == n
    start = 0
    for group in plan.groups:
        block = vectors[:, start : start + len(group.values)]
        start += len(group.values)
        assert set(np.unique(block)) <= {0.0, 1.0}
        assert np.array_equal(block.sum(1), np.ones(n))
        told = [group.values[position] for position in block.argmax(1)] if n else []
        assert [each[group.name] for each in words] == told
    codes = plan.codes("a", n, np.random.default_rng(seed))
    for part in plan.draws["a"].parts:
        assert {tuple(row) for row in codes[:, part.groups].tolist()} <= set(part.codes)
    assert np.array_equal(plan.draw("a", n, np.random.default_rng(seed))[0], vectors)


@settings(max_examples=40, deadline=None)
@cases(plan=plans(), seed=st.integers(0, 2**32))
def test_a_plan_survives_json(plan: Plan, seed: int) -> None:
    back = Plan.from_plain(json.loads(json.dumps(plan.plain())))
    assert back == plan
    rngs = [np.random.default_rng(seed) for _ in range(2)]
    assert back.draw("a", 9, rngs[0])[1] == plan.draw("a", 9, rngs[1])[1]


@pytest.mark.parametrize(
    "parts", [((0, 1), (0, 2)), ((0, 1), (-1, 0)), ((0,), (0,)), ((0, 0), (0, 0)), ((0, 1), (0,))]
)
def test_a_plan_that_does_not_fit_its_groups_is_refused(
    parts: tuple[tuple[int, ...], tuple[int, ...]],
) -> None:
    groups = (Group(name="g", values=("u", "v")), Group(name="h", values=("w", "x")))
    part = Part(groups=parts[0], codes=(parts[1],), weights=(1.0,))
    plain = Plan(groups=groups, draws={"a": Draw(parts=(part,))}).plain()
    with pytest.raises(ValueError, match="do not fit"):
        Plan.from_plain(plain)


def test_weights_are_kept() -> None:
    group = Group(name="g", values=("u", "v"))
    part = Part(groups=(0,), codes=((0,), (1,)), weights=(3.0, 1.0))
    plan = Plan(groups=(group,), draws={"a": Draw(parts=(part,))})
    vectors, _ = plan.draw("a", 4000, np.random.default_rng(1))
    assert vectors[:, 0].mean() == pytest.approx(0.75, abs=0.03)


def test_what_is_not_known_is_a_block_of_zeros() -> None:
    groups = (Group(name="g", values=("u", "v")), Group(name="h", values=("w",)))
    codes = np.array([[1, UNSAID], [UNSAID, 0]])
    assert encode(groups, codes).tolist() == [[0, 1, 0], [0, 0, 1]]
