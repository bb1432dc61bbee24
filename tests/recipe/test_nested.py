"""Options that are tables of options: every mistake inside has its own place and words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from annotated_types import Gt, MinLen

from leukreg import plugin
from leukreg.recipe.mistakes import Mistakes
from leukreg.recipe.reader import WRONG, Keys, Reader
from leukreg.recipe.reference import options
from leukreg.registry import discover
from leukreg.registry.plugin import plain


@dataclass(frozen=True, kw_only=True)
class Inner:
    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    root: str
    folders: dict[str, Annotated[tuple[str, ...], MinLen(1)]] = field(default_factory=dict)
    shares: dict[str, dict[str, str | dict[str, Annotated[float, Gt(0)]]]] = field(
        default_factory=dict
    )


@plugin("outer")
class Outer:
    """A plugin with a table among its options."""

    inner: Inner | None = None
    """A table."""
    number: int = 3
    """A number."""

    def build(self) -> None: ...


def read(table: dict[str, Any], own: set[str] | None = None) -> tuple[Outer | None, list[str]]:
    mistakes = Mistakes({}, "r.toml")
    keys = Keys(of="outer", noun="option")
    made = Reader(discover(()), mistakes).table(Outer, table, ("x",), keys)
    mistakes.keep(0, ("x",), table if own is None else own)
    return None if made is WRONG else made, [one.problem.message for one in mistakes.found]


def test_a_table_is_read_and_written_back() -> None:
    table = {"root": "r", "folders": {"a": ["b"]}, "shares": {"a": {"c": "d", "e": {"f": 0.5}}}}
    made, said = read({"inner": table})
    assert said == []
    assert made == Outer(
        inner=Inner(root="r", folders={"a": ("b",)}, shares={"a": {"c": "d", "e": {"f": 0.5}}})
    )
    assert plain(made) == {"inner": table, "number": 3}


def test_each_mistake_inside_is_told_at_its_place() -> None:
    made, said = read({"inner": {"roto": "r", "folders": {"a": "b"}}, "number": "x"})
    assert made is None
    assert said == [
        "x.inner.roto: no such option of inner of outer",
        "x.inner.root: is missing; inner of outer needs a string",
        "x.inner.folders.a: must be a list of strings of at least 1, not \"b\"",
        "x.number: must be an integer, not \"x\"",
    ]  # fmt: skip


def test_values_in_tables_of_tables_are_named() -> None:
    said = [
        read({"inner": {"root": "r", "shares": {"a": {"c": wrong}}}})[1]
        for wrong in (True, {"f": -1})
    ]
    assert said == [
        ["x.inner.shares.a.c: must be a string or a table of numbers above 0, not true"],
        ["x.inner.shares.a.c.f: must be a number above 0, not -1"],
    ]


def test_a_table_must_be_one() -> None:
    assert read({"inner": "r"})[1] == ['x.inner: must be a table, not "r"']


def test_false_drops_it() -> None:
    assert read({"inner": False}) == (Outer(), [])
    assert read({"number": False})[1] == ["x.number: must be an integer, not false"]


def test_what_is_not_ones_own_is_not_told_again() -> None:
    assert read({"inner": {"roto": "r"}, "number": "x"}, own={"number"})[1] == [
        'x.number: must be an integer, not "x"'
    ]


def test_a_listing_calls_it_a_table() -> None:
    inner, number = options(Outer)
    assert (inner.type, number.type) == ("a table", "an integer")
    assert [option.name for option in inner.inner] == ["root", "folders", "shares"]
    assert not number.inner
