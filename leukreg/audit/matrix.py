"""From the marginals of a confusion matrix to a matrix that has them."""

from __future__ import annotations

from leukreg.audit.search import Marginals

Matrix = tuple[tuple[int, ...], ...]


def example(marginals: Marginals) -> Matrix:
    """One matrix with these marginals: wrong rows flow from true to predicted classes (Ford and
    Fulkerson, 1956), never to their own.

    Raises:
        ValueError: There is none.
    """
    k = len(marginals)
    rows = [s - t for s, t, _ in marginals]
    columns = [p - t for _, t, p in marginals]
    cells = [[0] * k for _ in range(k)]
    while any(rows):
        path = _augmenting(cells, rows, columns)
        if path is None:
            raise ValueError("no matrix has these marginals")
        amount = min(
            rows[path[0]],
            columns[path[-1]],
            *(cells[path[i + 1]][path[i]] for i in range(1, len(path) - 1, 2)),
        )
        for i in range(0, len(path) - 1, 2):
            cells[path[i]][path[i + 1]] += amount
        for i in range(1, len(path) - 1, 2):
            cells[path[i + 1]][path[i]] -= amount
        rows[path[0]] -= amount
        columns[path[-1]] -= amount
    for c, (_, t, _) in enumerate(marginals):
        cells[c][c] = t
    return tuple(tuple(row) for row in cells)


def _augmenting(cells: list[list[int]], rows: list[int], columns: list[int]) -> list[int] | None:
    """Row, column, row, ..., column: steps to a column add a wrong row, steps back take one off."""
    k = len(rows)
    paths = [[r] for r in range(k) if rows[r]]
    seen_rows = {path[0] for path in paths}
    seen_columns: set[int] = set()
    for path in paths:
        for column in range(k):
            if column == path[-1] or column in seen_columns:
                continue
            seen_columns.add(column)
            if columns[column]:
                return [*path, column]
            for row in range(k):
                if row not in seen_rows and row != column and cells[row][column]:
                    seen_rows.add(row)
                    paths.append([*path, column, row])
    return None


def is_only(matrix: Matrix) -> bool:
    """Whether no other matrix has the same marginals: nothing can be moved round a cycle."""
    k = len(matrix)
    return not any(
        _returns(matrix, row, column) for row in range(k) for column in range(k) if row != column
    )


def _returns(matrix: Matrix, start: int, column: int) -> bool:
    """Whether one more wrong row in this cell can be made up for by moving others."""
    k = len(matrix)
    columns, seen_rows = [column], {start}
    for at in columns:
        for row in range(k):
            if row == at or not matrix[row][at]:
                continue
            if row == start and at != column:
                return True
            if row not in seen_rows:
                seen_rows.add(row)
                columns += [c for c in range(k) if c != row and c not in columns]
    return False
