"""``leukreg data``: what lies in a folder or table of images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from leukreg.cli.output import FINDINGS, GOOD
from leukreg.progress import Progress
from leukreg.registry import installed
from leukreg.report.console import RichProgress, open_console, print_sections
from leukreg.types import Samples

TABLE_ENDINGS = (".csv", ".tsv", ".txt", ".parquet", ".pq", ".xls", ".xlsx")


@click.command("data")
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option(
    "--patient",
    metavar="[REGEX]",
    is_flag=False,
    flag_value="",
    help="Patient id in the path: one group; without it, the layout is guessed. (folders)",
)
@click.option(
    "--patient-level",
    metavar="N",
    type=click.IntRange(min=1),
    help="The N-th folder inside the class folder is the patient. (folders)",
)
@click.option("--path-column", metavar="NAME", default="path", show_default=True, help="(tables)")
@click.option("--label-column", metavar="NAME", default="label", show_default=True, help="(tables)")
@click.option("--patient-column", metavar="NAME", help="(tables)  [default: patient, if there]")
@click.option("--source", metavar="NAME", help="The source plugin that lists PATH, such as boxes.")
@click.option(
    "--set",
    "options",
    multiple=True,
    metavar="KEY=VALUE",
    help="An option of the source, such as weak=true.",
)
@click.option("--all", "everything", is_flag=True, help="List every broken file and every copy.")
def command(
    path: Path | None,
    patient: str | None,
    patient_level: int | None,
    path_column: str,
    label_column: str,
    patient_column: str | None,
    source: str | None,
    options: tuple[str, ...],
    everything: bool,
) -> int:
    """Look at the images of PATH: a folder of class folders, or a table (CSV, TSV, Parquet).

    Others are listed by the source that a recipe would name, with its options:

        leukreg data FOLDER --set weak=true --set patients.path=diagnoses.csv

    Reads every file and compares all pictures: classes, sizes, formats, patients, broken files,
    exact copies and near duplicates. Exits with 1 when files are broken or one picture is in
    several classes. Where patients are unknown, the layout that shows is proposed in lines for a
    recipe.
    """
    from leukreg.data.listing import list_folder
    from leukreg.data.survey import survey
    from leukreg.report.survey_tables import proposal, sections

    if path is None and patient:  # leukreg data --patient PATH
        path, patient = Path(patient), None
    if path is None:
        raise click.UsageError("name a folder or a table: leukreg data PATH")
    is_table = path.suffix.lower() in TABLE_ENDINGS and not path.is_dir()
    flags = (patient, patient_level, patient_column)
    if (source or options) and any(flags):
        raise click.UsageError("with --source and --set, give all options by --set")
    if is_table and (patient or patient_level):
        raise click.UsageError("a table names patients in a column: use --patient-column")
    with RichProgress(open_console(err=True)) as progress:
        if source or options:
            usual = "table" if is_table else "folder"
            samples = _listed(source or usual, path, options, progress)
        elif is_table:
            samples = table_samples(path, path_column, label_column, patient_column)
        else:
            samples = list_folder(path, patient=patient or None, patient_level=patient_level)
        found = survey(samples, progress)
    shown = [*sections(found, path, everything)]
    if not (is_table or patient or patient_level or source or options):
        shown += proposal(path)
    print_sections(shown, open_console())
    return FINDINGS if found.faulty else GOOD


def _listed(source: str, path: Path, options: Sequence[str], progress: Progress) -> Samples:
    """What the source lists with these options."""
    from leukreg.errors import Problems
    from leukreg.predict.external_source import source_at
    from leukreg.recipe.extends import with_overrides
    from leukreg.recipe.mistakes import Document, Mistakes
    from leukreg.recipe.reader import Reader
    from leukreg.registry.plugin_call import call, taken

    registry = installed()
    plain = {"data": source_at(source, path, registry)}
    document, wrong = with_overrides(Document(plain), [f"data.{option}" for option in options])
    if wrong:
        raise Problems(wrong, "nothing was read.")
    mistakes = Mistakes(document.marks, "leukreg data")
    choice = Reader(registry, mistakes).choice("source", document.tree["data"], ("data",))
    mistakes.stop()
    build = choice.plugin.build
    samples: Samples = call(choice, build, **taken(build, progress=progress))
    return samples


def table_samples(
    path: Path,
    path_column: str = "path",
    label: str = "label",
    patient: str | None = None,
) -> Samples:
    """The images that a table lists, by the source plugin "table"."""
    table = installed().get("source", "table").cls
    samples: Samples = table(
        path=str(path), path_column=path_column, label_column=label, patient_column=patient
    ).build()
    return samples
