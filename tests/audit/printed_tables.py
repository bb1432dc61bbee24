"""Tables of figures, printed as people print them: what a reader of any form must read back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Rows = Sequence[Sequence[str]]


def markdown(rows: Rows) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(
        ["# Results", "", lines[0], "|" + "---|" * len(rows[0]), *lines[1:], "", "End."]
    )


def csv(rows: Rows) -> str:
    quoted = ((f'"{cell}"' if "," in cell else cell for cell in row) for row in rows)
    return "\n".join(",".join(row) for row in quoted) + "\n"


def semicolons(rows: Rows) -> str:
    return "\n".join(";".join(row) for row in rows)


def tsv(rows: Rows) -> str:
    return "\r\n".join("\t".join(row) for row in rows)


def latex(rows: Rows) -> str:
    def escaped(cell: str) -> str:
        cell = cell.replace("%", "\\%").replace("&", "\\&").replace("_", "\\_")
        return cell.replace("±", "$\\pm$")

    lines = [" & ".join(map(escaped, row)) + r" \\" for row in rows]
    body = "\n".join([r"\toprule", lines[0], r"\cmidrule(lr){2-3}", *lines[1:], r"\bottomrule"])
    begin = r"\begin{table}[t]\centering" + "\n" + r"\begin{tabular}{l|" + "c" * len(rows[0]) + "}"
    return (
        f"{begin}\n{body}\n\\end{{tabular}}\n\\caption{{Results}}\\label{{tab:r}}\n\\end{{table}}"
    )


def html(rows: Rows) -> str:
    def line(row: Sequence[str], cell: str) -> str:
        return "<tr>" + "".join(f"<{cell}>{text}</{cell}>" for text in row) + "</tr>"

    cells = [line(rows[0], "th"), *(line(row, "td") for row in rows[1:])]
    return f"<html><body><p>Text.</p><table>{''.join(cells)}</table></body></html>"


def loose_html(rows: Rows) -> str:
    """As in 1996: nothing is closed."""
    return "<TABLE>" + "".join("<TR>" + "".join(f"<TD>{c}" for c in row) for row in rows)


def bars(rows: Rows) -> str:
    """As prettytable and psql print."""
    widths = [max(len(row[c]) for row in rows) + 2 for c in range(len(rows[0]))]
    rule = "+" + "+".join("-" * width for width in widths) + "+"
    lines = [
        "|" + "|".join(f" {c:<{w - 1}}" for c, w in zip(r, widths, strict=True)) + "|" for r in rows
    ]
    return "\n".join([rule, lines[0], rule, *lines[1:], rule])


def aligned(rows: Rows) -> str:
    widths = [max(len(row[c]) for row in rows) + 2 for c in range(len(rows[0]))]
    return "\n".join("".join(f"{c:>{w}}" for c, w in zip(r, widths, strict=True)) for r in rows)


FORMS: dict[str, Callable[[Rows], str]] = {
    form.__name__: form
    for form in (markdown, csv, semicolons, tsv, latex, html, loose_html, bars, aligned)
}
