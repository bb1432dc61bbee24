"""Attributes: joined by file name, learned from training rows alone, and described classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given as cases
from hypothesis import settings
from hypothesis import strategies as st
from leukreg_gan.attributes import Attributed, as_described, as_in_images, plan_of, weighed
from leukreg_gan.cgan import Cgan
from leukreg_gan.class_sources import Attributes, ClassSources
from leukreg_gan.conditions import UNSAID, Conditions, Draw, Group, Plan

from leukreg import DataError, ImageSpec, NotAvailable, Sample, Samples
from tests.gan.condition_images import SIZE, Given, given, labels_of, told_alike

IMAGE = ImageSpec(size=SIZE)
HOME = {"lympho": 4, "neutro": 4, "mono": 0, "platelet": 2}
NUCLEI = ("round", "round", "indented", "round", "lobed", "lobed", "band", "band")
GRAINS = ("no", "no", "no", "yes", "yes", "yes", "yes", "yes")
MONO = {"nucleus": "indented", "grain": ("no",)}


def table(path: Path, extra: Iterable[tuple[str, str, str]] = ()) -> Path:
    """Attributes of the lympho and neutro images, and of some that are not in training."""
    names = [f"lympho-{i:04d}.png" for i in range(4)] + [f"neutro-{i:04d}.png" for i in range(4)]
    rows = [*zip(names, NUCLEI, GRAINS, strict=True), ("test.png", "unseen", "unseen"), *extra]
    frame = pd.DataFrame(rows, columns=["img_name", "nucleus", "grain"])
    frame.insert(1, "label", "whatever")
    frame["path"] = "old/" + frame["img_name"]
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, sep="\t" if path.suffix == ".tsv" else ",", index=False)
    return path


def images(counts: Mapping[str, int] = HOME) -> Given:
    """Every file name is there once: class and number."""
    plain = given(counts)
    rows = tuple(
        Sample(id=f"{row.label}/{row.id.replace('/', '-')}", path=row.path, label=row.label)
        for row in plain.samples.rows
    )
    return Given(Samples(rows=rows, classes=plain.samples.classes), plain.given)


def made(
    path: Path | tuple[str, ...], describe: Mapping[str, Any] | None = None,
    targets: tuple[str, ...] | None = ("mono",), counts: Mapping[str, int] = HOME, **more: Any,
) -> Conditions:  # fmt: skip
    tables = path if isinstance(path, tuple) else str(path)
    own = {"mono": MONO} if describe is None else dict(describe)
    ways = ClassSources(way="attributes", attributes=Attributes(table=tables, describe=own, **more))
    return ways.conditions(images(counts), labels_of(counts), IMAGE, targets)


@pytest.mark.parametrize("kind", ["csv", "tsv", "parquet"])
def test_each_image_is_told_its_attributes_and_not_its_class(tmp_path: Path, kind: str) -> None:
    told = made(table(tmp_path / f"a.{kind}"))
    assert told.plan.groups == (
        Group(name="nucleus", values=("band", "indented", "lobed", "round")),
        Group(name="grain", values=("no", "yes")),
    )
    assert told.rows == tuple(range(8))
    assert told.labels.tolist() == [0] * 4 + [1] * 4
    nuclei = [told.plan.groups[0].values[code] for code in told.vectors[:, :4].argmax(1)]
    grains = [told.plan.groups[1].values[code] for code in told.vectors[:, 4:].argmax(1)]
    assert (tuple(nuclei), tuple(grains)) == (NUCLEI, GRAINS)
    assert told.vectors.sum(1).tolist() == [2.0] * 8
    assert told.donors.shape == (0, SIZE, SIZE, 3)


def test_values_of_other_images_are_not_known(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no training image has 'unseen'"):
        made(table(tmp_path / "a.csv"), {"mono": {"nucleus": "unseen"}})


def test_images_without_attributes_are_left_out_and_counted(tmp_path: Path) -> None:
    told = made(table(tmp_path / "a.csv"))
    assert told.pixels(images()).shape[0] == 8
    assert told.classes == ("lympho", "neutro", "mono")
    assert told.notes[0].startswith("2 of 10 training images have no attributes")
    assert told.notes[0].endswith("platelet 2")
    assert "not learned: platelet" in told.notes[1]
    with pytest.raises(DataError, match="no training image with attributes shows class 'platelet'"):
        made(tmp_path / "a.csv", targets=("mono", "platelet"))


def test_empty_cells_are_blocks_of_zeros_and_counted(tmp_path: Path) -> None:
    counts = {"lympho": 6, "neutro": 4, "mono": 0}
    more = [("lympho-0004.png", "", "no"), ("lympho-0005.png", "", "")]
    told = made(table(tmp_path / "a.csv", more), counts=counts)
    assert told.rows == (0, 1, 2, 3, 4, 6, 7, 8, 9)
    assert told.vectors[4].tolist() == [0, 0, 0, 0, 1, 0]
    assert "1 of 9 images lack some of their attributes" in told.notes
    for label in told.classes:
        vectors, _ = told.plan.draw(label, 200, np.random.default_rng(0))
        assert vectors.sum(1).tolist() == [2.0] * 200


def test_a_described_class_is_drawn_as_described(tmp_path: Path) -> None:
    told = made(table(tmp_path / "a.csv"))
    _, words = told.plan.draw("mono", 40, np.random.default_rng(0))
    assert words[0] == {
        "class": "mono",
        "nucleus": "indented",
        "grain": "no",
        "combination": "seen in training",
        "way": "attributes",
        "real images": "0",
        "learned from": "a description",
    }
    assert all(each == words[0] for each in words)
    assert told.notes[-1] == (
        "mono: 0% of its draws combine attributes as no training image does; "
        "the others do as images of lympho 100%"
    )


def test_weights_and_new_combinations_are_told(tmp_path: Path) -> None:
    describe = {"mono": {"nucleus": {"indented": 3, "lobed": 1}, "grain": ["no"]}}
    told = made(table(tmp_path / "a.csv"), describe)
    _, words = told.plan.draw("mono", 2000, np.random.default_rng(0))
    new = [each for each in words if each["combination"] == "never seen in training"]
    assert {each["nucleus"] for each in new} == {"lobed"}
    assert len(new) / 2000 == pytest.approx(0.25, abs=0.03)
    share = int(told.notes[-1].split("%")[0].removeprefix("mono: "))
    assert share == pytest.approx(25, abs=3)


def test_what_is_not_described_is_drawn_as_in_training(tmp_path: Path) -> None:
    told = made(table(tmp_path / "a.csv"), {"mono": {"nucleus": "indented"}})
    _, words = told.plan.draw("mono", 4000, np.random.default_rng(0))
    assert {each["nucleus"] for each in words} == {"indented"}
    grains = np.mean([each["grain"] == "yes" for each in words])
    assert grains == pytest.approx(5 / 8, abs=0.03)


def test_seen_classes_are_drawn_as_their_images_are(tmp_path: Path) -> None:
    told = made(table(tmp_path / "a.csv"))
    _, words = told.plan.draw("lympho", 4000, np.random.default_rng(0))
    pairs = [(each["nucleus"], each["grain"]) for each in words]
    assert set(pairs) == {("round", "no"), ("indented", "no"), ("round", "yes")}
    assert pairs.count(("round", "no")) / 4000 == pytest.approx(0.5, abs=0.03)
    assert {each["combination"] for each in words} == {"seen in training"}


def test_a_missing_class_must_be_described(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv")
    for targets in (("mono",), None):
        with pytest.raises(DataError, match=r"no training image shows class 'mono'.*describe.mono"):
            made(path, {}, targets=targets)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    describe = {
        "momo": {"nucleus": "indented"},
        "mono": {"nucleus": ["indentet", "round", "odd"], "grains": "no", "grain": {}},
        "neutro": {},
    }
    with pytest.raises(DataError) as caught:
        made(table(tmp_path / "a.csv"), describe, targets=("platelet",))
    said = str(caught.value).splitlines()
    parts = [
        ("no class 'momo', which is described", "did you mean 'mono'?"),
        ("describe.mono.nucleus: no training image has 'indentet'", "did you mean 'indented'?"),
        ("describe.mono.nucleus: no training image has 'odd'", "in training: band, indented, "),
        ("describe.mono.grains: there is no such attribute", "did you mean 'grain'?"),
        ("describe.mono.grain names no value", "seen in training: no, yes"),
        ("describe.neutro says nothing", "there are nucleus, grain"),
        ("shows class 'platelet', and it is not described", "the attributes are nucleus, grain"),
    ]
    assert len(said) == len(parts)
    for line, (first, second) in zip(said, parts, strict=True):
        assert first in line
        assert second in line


def test_columns_are_chosen_and_checked(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv")
    told = made(path, {"mono": {"grain": "no"}}, columns=("grain",))
    assert [group.name for group in told.plan.groups] == ["grain"]
    with pytest.raises(DataError) as caught:
        made(path, columns=("nucleos", "grain"), key="name")
    said = str(caught.value).splitlines()
    assert "has no key 'name'; did you mean 'img_name'?" in said[0]
    assert "has no column 'nucleos'; did you mean 'nucleus'?" in said[1]


def test_several_tables_are_one(tmp_path: Path) -> None:
    whole = pd.read_csv(table(tmp_path / "a.csv"))
    whole[:5].to_csv(tmp_path / "one.csv", index=False)
    whole[5:].to_parquet(tmp_path / "two.parquet")
    told = made((str(tmp_path / "one.csv"), str(tmp_path / "two.parquet")))
    assert told_alike(told, made(tmp_path / "a.csv"))


def test_rows_that_contradict_each_other_are_named(tmp_path: Path) -> None:
    more = [("lympho-0001.png", "band", "no"), ("lympho-0000.png", "round", "no")]
    with pytest.raises(DataError, match=r"contradict.*row 10 against .*row 2 on 'lympho-0001.png'"):
        made(table(tmp_path / "a.csv", more))


def test_a_table_of_other_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no training image stands in the table.*'old/lympho-0000"):
        made(table(tmp_path / "a.csv"), key="path")


def test_columns_of_numbers_without_end_are_no_attributes(tmp_path: Path) -> None:
    counts = {"a": 150}
    frame = pd.DataFrame({"img_name": [f"a-{i:04d}.png" for i in range(150)], "area": range(150)})
    frame.to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(DataError, match="'area' has 150 values in training"):
        made(tmp_path / "a.csv", {}, None, counts)


def test_a_column_called_as_the_lineage_calls_something_else_is_refused(tmp_path: Path) -> None:
    frame = pd.read_csv(table(tmp_path / "a.csv")).rename(columns={"grain": "way"})
    frame.to_csv(tmp_path / "b.csv", index=False)
    with pytest.raises(DataError, match="'way' cannot be an attribute"):
        made(tmp_path / "b.csv")


def test_a_file_that_is_no_table_and_one_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_text("no table")
    with pytest.raises(DataError, match=r"a.parquet cannot be read as a table"):
        made(tmp_path / "a.parquet")
    (tmp_path / "a.csv").write_text("")
    with pytest.raises(DataError, match=r"a.csv cannot be read as a table"):
        made(tmp_path / "a.csv")
    own = Attributes(table=("none.csv", "nothing.csv"))
    with pytest.raises(NotAvailable, match=r"none.csv, .*nothing.csv; put them there"):
        Cgan(way="attributes", attributes=own).ready()


def named(tmp_path: Path, names: Iterable[str], ids: Iterable[str]) -> Conditions:
    """Conditions of images called ``ids`` under a table of ``names``, with their place as value."""
    frame = pd.DataFrame({"img_name": names})
    frame["place"] = [f"v{i}" for i in range(len(frame))]
    frame.to_csv(tmp_path / "n.csv", index=False)
    rows = tuple(Sample(id=each, path=each, label="a") for each in ids)
    own = Given(Samples(rows=rows, classes=("a",)), np.zeros((len(rows), SIZE, SIZE, 3), np.uint8))
    ways = ClassSources(way="attributes", attributes=Attributes(table=str(tmp_path / "n.csv")))
    return ways.conditions(own, labels_of({"a": len(rows)}), IMAGE, None)


def places(told: Conditions) -> dict[int, str]:
    codes = told.vectors.argmax(1).tolist()
    return {
        row: told.plan.groups[0].values[code] for row, code in zip(told.rows, codes, strict=True)
    }


def test_folders_tell_files_of_one_name_apart(tmp_path: Path) -> None:
    told = named(
        tmp_path, ["x\\1.png", "set/y/1.png", "z/1.png"], ["x/1.png", "y/1.png", "w/2.png"]
    )
    assert places(told) == {0: "v0", 1: "v1"}
    with pytest.raises(DataError, match=r"names that fit several training images.*'1.png'"):
        named(tmp_path, ["1.png"], ["x/1.png", "y/1.png"])


def test_names_match_in_either_unicode_form_and_rows_of_one_file_alike(tmp_path: Path) -> None:
    told = named(tmp_path, ["u\u0308.png"], ["a/\u00fc.png", "a/\u00fc.png"])
    assert places(told) == {0: "v0", 1: "v0"}


@st.composite
def attributed(draw: st.DrawFn) -> tuple[Attributed, dict[str, np.ndarray[Any, Any]]]:
    """Random attributes of two classes, every value seen at least once, some cells empty."""
    sizes = draw(st.lists(st.integers(1, 3), min_size=1, max_size=4))
    groups = tuple(
        Group(name=f"g{i}", values=tuple(f"v{j}" for j in range(size)))
        for i, size in enumerate(sizes)
    )
    rows = st.tuples(*(st.integers(UNSAID, size - 1) for size in sizes))
    drawn = draw(st.lists(rows, min_size=2, max_size=12))
    drawn += [tuple(j % size for size in sizes) for j in range(3)]
    codes = np.array(drawn, np.int64)
    found = Attributed(groups=groups, rows=tuple(range(len(codes))), codes=codes)
    cut = draw(st.integers(1, len(codes) - 1))
    return found, {"a": codes[:cut], "b": codes[cut:]}


@settings(max_examples=60, deadline=None)
@cases(data=attributed(), seed=st.integers(0, 2**32), pick=st.data())
def test_draws_respect_descriptions(
    data: tuple[Attributed, dict[str, Any]], seed: int, pick: st.DataObject
) -> None:
    found, by_class = data
    chosen = pick.draw(st.sets(st.sampled_from(found.groups), min_size=1))
    says = {
        group.name: pick.draw(
            st.sampled_from(group.values)
            | st.lists(st.sampled_from(group.values), min_size=1).map(tuple)
            | st.dictionaries(st.sampled_from(group.values), st.floats(0.1, 9), min_size=1)
        )
        for group in chosen
    }
    plan = plan_of(("a", "b", "c"), found, by_class, {"c": says})
    for label in ("a", "b", "c"):
        vectors, words = plan.draw(label, 30, np.random.default_rng(seed))
        assert vectors.sum(1).tolist() == [len(found.groups)] * 30
        again, _ = plan.draw(label, 30, np.random.default_rng(seed))
        assert np.array_equal(vectors, again)
        for each in words:
            combination = tuple(group.values.index(each[group.name]) for group in found.groups)
            known = combination in {tuple(row) for row in found.codes.tolist()}
            assert each["combination"] == ("seen" if known else "never seen") + " in training"
            if label == "c":
                assert all(each[name] in weighed(value) for name, value in says.items())


@settings(max_examples=40, deadline=None)
@cases(data=attributed())
def test_a_plan_holds_every_group_once_for_every_class(
    data: tuple[Attributed, dict[str, Any]],
) -> None:
    found, by_class = data
    first = found.groups[0]
    for parts in (
        as_in_images(by_class["a"], found.codes),
        as_described({first.name: first.values}, found.groups, found.codes),
    ):
        held = sorted(group for part in parts for group in part.groups)
        assert held == list(range(len(found.groups)))
        plan = Plan(groups=found.groups, draws={"x": Draw(parts=parts)})
        assert Plan.from_plain(plan.plain()) == plan


def test_how_far_a_new_combination_is_from_the_nearest_is_told(tmp_path: Path) -> None:
    describe = {"mono": {"nucleus": "band", "grain": "no"}}
    note = made(table(tmp_path / "a.csv"), describe).notes[-1]
    assert note == (
        "mono: 100% of its draws combine attributes as no training image does, "
        "and differ from the nearest by 1.0 of 2"
    )


def test_how_a_table_was_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("img_name;nucleus\na.png;round\n")
    plugin = Cgan(way="attributes", attributes=Attributes(table=(str(path), str(tmp_path / "no"))))
    told = plugin.listed(labels_of(HOME))
    assert told.assumed == ("a.csv: cells are parted by a semicolon",)
