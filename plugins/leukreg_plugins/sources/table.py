"""A table of images: CSV or Parquet."""

from __future__ import annotations

from pathlib import Path

from leukreg import NotAvailable, Problems, Samples, expanded, plugin


@plugin("table")
class TableFile:
    """A CSV or Parquet table with one image per row: path, label, patient, split.

    A table that has the columns "origin" and "generator", as `leukreg synthesize` writes it, says
    which images are synthetic and where they come from; they stay synthetic for the audit.
    """

    path: str
    """The table, .csv, .tsv or .parquet; relative to the working directory, ~ expanded."""
    images: str | None = None
    """The folder that relative image paths start from; by default the table's own."""
    path_column: str = "path"
    """Column with the image files."""
    label_column: str = "label"
    """Column with the classes."""
    patient_column: str | None = None
    """Column with patient ids, empty where unknown; by default "patient" if the table has it."""
    split_column: str | None = None
    """Column with train, validation or test; by default "split" if the table has it."""
    classes: dict[str, tuple[str, ...]] | None = None
    """Class name to the labels that make it up; by default every label is a class. Rows with
    labels that are not named are left out."""

    def ready(self) -> None:
        """Raises NotAvailable when the table is not there."""
        table = self._table()
        if not table.is_file():
            what = "is no file" if table.exists() else "does not exist"
            raise NotAvailable(
                f"the table {table} {what}; put it there or set data.path to where it is"
            )

    def build(self) -> Samples:
        """Read the table; images are looked for, not decoded.

        Raises:
            NotAvailable: The table is not there.
            DataError: It cannot be read as a table.
            Problems: Columns are missing, or rows are wrong: all of them at once.
        """
        from leukreg_plugins.sources.rows import read_rows

        self.ready()
        table = self._table()
        base = expanded(self.images).absolute() if self.images else table.parent
        columns = {
            "path": self.path_column,
            "label": self.label_column,
            "patient": self.patient_column,
            "split": self.split_column,
        }
        samples, problems = read_rows(table, base, columns, self.classes)
        if problems:
            raise Problems(problems)
        return samples

    def _table(self) -> Path:
        return expanded(self.path).absolute()
