"""Names that a reader would take for one."""

from __future__ import annotations

import pytest

from leukreg.data.alike import alike, same_but_for_form


@pytest.mark.parametrize(
    "other",
    ["lymphocyte", "Lymphocyte ", " LYMPHO CYTE", "lympho-cyte", "lympho_cyte", "Lympho\u2013cyte",
     "Lympho\u200bcyte", "\uff2cymphocyte"],
)  # fmt: skip
def test_spellings_of_one_class(other: str) -> None:
    assert same_but_for_form("Lymphocyte", other)
    assert alike(["Lymphocyte", "monocyte", other]) == (("Lymphocyte", other),)


def test_unicode_forms_are_one_and_other_names_are_not() -> None:
    assert same_but_for_form("Gr\u00f6\u00dfe", "Gro\u0308sse")
    assert alike(["Pre-B", "Pro-B", "early Pre-B", "pre b", "[Pre-B]"]) == (("Pre-B", "pre b"),)
    assert not same_but_for_form("a", "a")
    assert alike(["-", "_", "--"]) == ()
