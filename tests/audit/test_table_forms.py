"""A table printed in any form is read back as it was, or refused; never another number."""

from __future__ import annotations

import contextlib
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leukreg.audit.audit_table import understand
from leukreg.audit.printed_figure import printed
from leukreg.errors import Problems
from tests.audit.printed_tables import FORMS, Rows

CLASSES = ("Benign", "ALL", "Pro-B", "Pre-B cells", "class 3", "Reactive lymphocytes", "blast & co")
HEADINGS = {
    "precision": ("Precision", "PPV", "precision"),
    "recall": ("Recall", "Sensitivity", "TPR", "recall"),
    "f1": ("F1", "F1-score", "F1 Score", "f1-score"),
    "specificity": ("Specificity", "TNR"),
}
MANNERS = ("plain", "comma", "sign", "heading", "spread", "interval", "bold")


def shown(units: int, manner: str) -> str:
    """A figure of so many ten-thousandths in one of the ways to print it."""
    value = f"{units / 10_000:.4f}"
    per_cent = f"{units / 100:.2f}"
    return {
        "comma": value.replace(".", ","),
        "sign": f"{per_cent} %",
        "heading": per_cent,
        "spread": f"{value} ± 0.0123",
        "interval": f"{value} (0.0101-0.9902)",
        "bold": f"**{value}**",
    }.get(manner, value)


@st.composite
def tables(draw: st.DrawFn) -> tuple[Rows, dict[str, dict[str, int | None]], str]:
    """Rows of cells, what they say of each class in ten-thousandths, and how they are printed."""
    classes = draw(st.lists(st.sampled_from(CLASSES), min_size=2, max_size=5, unique=True))
    keys = draw(st.lists(st.sampled_from(list(HEADINGS)), min_size=2, max_size=4, unique=True))
    manner = draw(st.sampled_from(MANNERS))
    unit = " (%)" if manner == "heading" else ""
    head = ["Class", *(draw(st.sampled_from(HEADINGS[key])) + unit for key in keys)]
    body, said = [], {}
    for label in classes:
        # Above 1 %, so that no figure in per cent could be a fraction.
        figures = draw(st.lists(st.integers(101, 10_000), min_size=len(keys), max_size=len(keys)))
        missing = draw(st.sampled_from([None, None, *range(len(keys))]))
        cells = [shown(figure, manner) for figure in figures]
        said[label] = dict(zip(keys, figures, strict=True))
        if missing is not None:
            cells[missing] = draw(st.sampled_from(["-", "—", "n/a"]))
            del said[label][keys[missing]]
        body.append([label, *cells])
    rows = [head, *body]
    if draw(st.booleans()):
        rows = [list(row) for row in zip(*rows, strict=True)]
    return rows, said, manner


@settings(max_examples=150, deadline=None)
@given(tables(), st.sampled_from(list(FORMS)))
def test_what_is_printed_in_any_form_is_read_back(
    drawn: tuple[Rows, dict[str, dict[str, int | None]], str], form: str
) -> None:
    rows, said, _ = drawn
    text = FORMS[form](rows)
    (table,) = understand(text).tables
    found = {
        label: {key: int(printed(text).value * 10_000) for key, text in figures.items()}
        for label, figures in table["per_class"].items()
    }
    assert found == {label: figures for label, figures in said.items() if figures}


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 3000), min_size=4, max_size=4), min_size=4, max_size=4),
    st.integers(2, 4),
    st.sampled_from(list(FORMS)),
    st.sampled_from(["", "True / Predicted", "Predicted class", "Actual ↓ Predicted →"]),
    st.booleans(),
)
def test_a_matrix_in_any_form_is_read_back(
    counts: list[list[int]], n: int, form: str, corner: str, sums: bool
) -> None:
    cells = [row[:n] for row in counts[:n]]
    names = list(CLASSES[:n])
    rows = [[corner, *names], *([c, *map(str, row)] for c, row in zip(names, cells, strict=True))]
    if sums:
        rows = [[*row, str(sum(map(int, row[1:])))] for row in rows[1:]]
        rows = [[corner, *names, "Total"], *rows]
    understood = understand(FORMS[form](rows))
    (table,) = understood.tables
    expected = [list(column) for column in zip(*cells, strict=True)] if "class" in corner else cells
    assert table["classes"] == names
    assert table["confusion"] == expected
    assert "↓" in corner or any("rows" in line for line in understood.assumed)


PIECES = ("|", "---|", "\n", "accuracy", "precision", "f1", "Class", "0.94", "95,1 %", "<table>")
PIECES += (
    "<td rowspan=9999999>",
    "<tr>",
    "</table>",
    "&",
    "\\\\",
    "\\begin{tabular}{ll}",
    "[[1 2]",
)
PIECES += ("[3 4]]", "\t", ";", "  ", "True", "Predicted", "12", "±", "\\multicolumn{999}{c}{", "}")
PIECES += ("macro avg", "support", "\x1b[31m", "&#xD800;", "TP: 4\n", "$", "{", "<pre>", "```\n")


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=40).map("".join))
def test_whatever_is_pasted_ends_in_figures_or_in_a_sentence(text: str) -> None:
    with contextlib.suppress(Problems):
        understood = understand(text)
        tables = tomllib.loads(understood.toml())["reported"]
        listed = tables if isinstance(tables, list) else [tables]
        assert listed == [dict(table) for table in understood.tables]


@pytest.mark.parametrize("form", FORMS)
def test_models_side_by_side_are_a_table_each(form: str) -> None:
    rows = [
        ["Model", "Accuracy (%)", "AUC"],
        ["VGG16", "95.2", "0.98"],
        ["ResNet-50", "96.0", "0.99"],
    ]
    assert understand(FORMS[form](rows)).tables[-1]["accuracy"] == "96.0 %"
    assert [table["model"] for table in understand(FORMS[form](rows)).tables] == [
        "VGG16",
        "ResNet-50",
    ]


SAME = "[[56, 4], [3, 56]]"
WRONG_BEFORE = {
    "shares with a decimal comma are no thousands": (
        "\tALL\tNormal\nALL\t0,931\t0,069\nNormal\t0,050\t0,950\n",
        'confusion = [["0,931", "0,069"], ["0,050", "0,950"]]',
    ),
    "a sentence over a matrix is no heading of its columns": (
        "Rows are the true classes\n        ALL  Normal\nALL      56    4\nNormal    3   56\n",
        f"confusion = {SAME}",
    ),
    "a caption says what the rows are": (
        "<table><caption>Rows: predicted, columns: true</caption><tr><th></th><th>ALL</th><th>"
        "Normal</th></tr><tr><th>ALL</th><td>56</td><td>3</td></tr><tr><th>Normal</th><td>4</td><td>56",
        f"confusion = {SAME}",
    ),
    "sums of any name are no class": (
        ",ALL,Normal,Gesamt\nALL,56,4,60\nNormal,3,56,59\nGesamt,59,60,119\n",
        f'classes = ["ALL", "Normal"]\nconfusion = {SAME}',
    ),
    "as pandas crosses two columns": (
        "pred  ALL  Normal  All\nactual\nALL   56  4  60\nNormal  3  56  59\nAll  59  60  119\n",
        f'classes = ["ALL", "Normal"]\nconfusion = {SAME}',
    ),
    "other names over the columns are said": (
        "Actual,Predicted c1,Predicted c2\nALL,56,4\nNormal,3,56\n",
        "same order: ALL, Normal beside the rows, c1, c2 over the columns",
    ),
    "1.000 images may be a thousand": (
        "Class;Precision;Support\nALL;0,95;1.000\nNormal;0,93;2.000\n",
        "# left out: support '1.000', support '2.000'",
    ),
    "a cell of LaTeX may reach up": (
        "\\begin{tabular}{llcc}\nModel & Class & Precision & Recall \\\\\n & ALL & .95 & .93 \\\\\n"
        "\\multirow{-2}{*}{ResNet} & Normal & .94 & .92 \\\\\n & ALL & .85 & .83 \\\\\n"
        "\\multirow{-2}{*}{VGG} & Normal & .84 & .82 \\\\\n\\end{tabular}\n",
        'model = "ResNet"\n[reported.per_class]\nALL = { precision = ".95", recall = ".93" }\n'
        'Normal = { precision = ".94", recall = ".92" }\n\n[[reported]]\nmodel = "VGG"',
    ),
    "a word behind a figure says which it is": (
        "Accuracy: 0.95 (validation)\nF1: 0.93 (macro)\nRecall: 0.99 (training)\n"
        "AUC: 0.98 (112 of 119)\n",
        '[reported]\nvalidation_accuracy = "0.95"\nmacro_f1 = "0.93"\nauc = "0.98"\n',
    ),
    "a model's own row is not of the class above it": (
        "Model,Class,Recall\nResNet,ALL,0.91\n,Normal,0.92\nVGG,,0.81\n",
        'model = "VGG"\nrecall = "0.81"',
    ),
}


@pytest.mark.parametrize("case", WRONG_BEFORE)
def test_what_was_once_read_wrongly_is_read_rightly(case: str) -> None:
    text, said = WRONG_BEFORE[case]

    assert said in understand(text).toml()


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("[[56 4 60]\n [3 56 59]\n [59 60 119]]", "sums of the others"),
        (";ALL;N\nALL;93,125;6,875\nN;5,000;95,000\n", "per cent or thousands"),
        ("Actual,Predicted negative,Predicted positive\nALL,4,56\nN,56,3\n", "which class"),
        ("Model,Class,Recall\n,ALL,.95\nResNet,AML,.85\n,Normal,.93\n", "no label stands"),
    ],
)
def test_what_may_mean_two_things_is_asked(text: str, question: str) -> None:
    with pytest.raises(Problems, match=question):
        understand(text)
