"""The register of published results: a file for each audited table, its source, its verdict.

A file is a paper file as ``leukreg audit`` reads it, with two tables more: ``[source]`` says where
the figures stand, and ``[[verdict]]``, last in the file, what the audit said of each
``[[reported]]`` in its own words. Nobody writes that by hand: :func:`renewed` does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leukreg.audit.paper_file import paper_of
from leukreg.audit.published_table import Reported
from leukreg.errors import LeukregError, Problem, Problems
from leukreg.text import did_you_mean

if TYPE_CHECKING:
    from leukreg.recipe.mistakes import Document
    from leukreg.registry import Registry
    from leukreg.types import Finding

KINDS = ("paper", "preprint", "card")
"""What figures are quoted from: a paper, a preprint, or the card of a data set or model."""
_KEPT = re.compile(r"^\[\[?verdict\]\]?.*\Z", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """Where published figures stand, and what is said there of the split."""

    title: str
    address: str
    """Where the figures were read."""
    quoted: str
    """Which of its tables, figures or paragraphs."""
    kind: str
    """One of ``KINDS``."""
    authors: str = ""
    year: int | None = None
    venue: str = ""
    split: str = ""
    """The split, as the source describes it; empty where the quoted part says nothing of it."""
    patients: int | None = None
    """Patients of the whole study, where they are counted there."""
    answer: str = ""
    """What the authors answered to the verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptVerdict:
    """What the audit said of one table of figures, as it stands in a file."""

    model: str = ""
    says: str
    """"consistent", "consistent as ...", "impossible" or "not checkable"."""
    reason: str = ""
    rests_on: tuple[str, ...] = ()
    """The figures that were checked."""
    unused: tuple[str, ...] = ()
    """Figures that could not be used, each with the reason."""
    assumptions: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    """Errors and warnings of the audit beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedResult:
    """One file of the register."""

    path: Path
    source: Citation
    tables: tuple[Mapping[str, Any], ...]
    """Each ``[[reported]]`` as written."""
    reported: tuple[Reported, ...]
    """The same, read."""
    verdicts: tuple[KeptVerdict, ...]
    """As kept in the file, one for each table; empty where the file was never audited."""

    @property
    def name(self) -> str:
        return self.path.stem

    def only(self, kept: Sequence[int]) -> PublishedResult:
        """The same with these of its tables."""
        return replace(
            self,
            tables=tuple(self.tables[i] for i in kept),
            reported=tuple(self.reported[i] for i in kept),
            verdicts=tuple(self.verdicts[i] for i in kept) if self.verdicts else (),
        )

    def rows(self) -> Iterator[tuple[Reported, KeptVerdict | None]]:
        """Each table of figures beside what was said of it."""
        kept = self.verdicts or (None,) * len(self.reported)
        yield from zip(self.reported, kept, strict=True)


def is_register(folder: Path) -> bool:
    """Whether a folder holds files of published figures with their sources."""
    return folder.is_dir() and any(_has_source(path) for path in sorted(folder.glob("*.toml")))


def _has_source(path: Path) -> bool:
    try:
        return re.search(r"^\[source\]", path.read_text(encoding="utf-8"), re.MULTILINE) is not None
    except (OSError, ValueError):
        return False


def read_register(folder: Path) -> tuple[PublishedResult, ...]:
    """The files of a register, by name.

    Raises:
        LeukregError: There is no such folder, or it holds no such file.
        Problems: The mistakes of all files at once.
    """
    paths = sorted(folder.glob("*.toml")) if folder.is_dir() else []
    if not paths:
        raise LeukregError(f"{folder}: holds no files of published figures")
    found: list[PublishedResult] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            found.append(read_published(path))
        except Problems as error:
            problems += error.problems
    if problems:
        raise Problems(problems, "nothing was listed.")
    return tuple(found)


def read_published(path: Path) -> PublishedResult:
    """One file of the register.

    Raises:
        Problems: All its mistakes at once.
    """
    from leukreg.recipe.document import read_document

    document = read_document(path)
    tables = paper_of(document, str(path))
    stated = document.tree.get("source")
    if tables is None or not isinstance(stated, Mapping):
        message = "is no published result: it needs a table [source] beside its [reported]"
        raise Problems([Problem(message, str(path))], "nothing was listed.")
    reported = Reported.read_all(tables)
    return PublishedResult(
        path=path,
        source=_source(stated, document, path),
        tables=tables,
        reported=reported,
        verdicts=_verdicts(document, path, len(reported)),
    )


def _source(stated: Mapping[str, Any], document: Document, path: Path) -> Citation:
    types = {each.name: int if "int" in str(each.type) else str for each in fields(Citation)}
    faults = [
        (key, f"no such key; {did_you_mean(str(key), types)}") for key in stated if key not in types
    ]
    faults += [
        (key, "must be a whole number" if types[key] is int else "must be text")
        for key, value in stated.items()
        if key in types and type(value) is not types[key]
    ]
    needed = ("title", "address", "quoted", "kind")
    faults += [(key, "is missing") for key in needed if key not in stated]
    if stated.get("kind", KINDS[0]) not in KINDS:
        faults.append(("kind", f"must be one of {', '.join(KINDS)}"))
    if faults:
        raise Problems(
            [Problem(f"source.{key}: {text}", _where(document, path, key)) for key, text in faults],
            "nothing was listed.",
        )
    return Citation(**stated)


def _where(document: Document, path: Path, key: str) -> str:
    mark = document.marks.get(("source", key)) or document.marks.get(("source",))
    return mark.where if mark else str(path)


def _verdicts(document: Document, path: Path, tables: int) -> tuple[KeptVerdict, ...]:
    kept = document.tree.get("verdict", [])
    known = {each.name for each in fields(KeptVerdict)}
    whole = isinstance(kept, list) and all(
        isinstance(one, Mapping) and one.keys() <= known and "says" in one for one in kept
    )
    if not whole or len(kept) not in (0, tables):
        message = (
            "its [[verdict]] is not as the audit wrote it; leukreg published --update renews it"
        )
        raise Problems([Problem(message, str(path))], "nothing was listed.")
    plain: list[dict[str, Any]] = [
        {key: tuple(v) if isinstance(v, list) else v for key, v in one.items()} for one in kept
    ]
    return tuple(KeptVerdict(**one) for one in plain)


def audited(result: PublishedResult, registry: Registry) -> tuple[KeptVerdict, ...]:
    """What the audit says of each table of a file, to be kept in it."""
    from leukreg.audit.rules import audit
    from leukreg.record import RunRecord

    record = RunRecord(recipe={"reported": result.tables})
    told = [f for f in audit(record, None, registry) if f.severity in ("error", "warning")]
    kept = []
    for number, reported in enumerate(result.reported):
        own = [f for f in told if f.message.startswith(f"{reported.who}:")]
        if number == 0:  # what is of all tables together stands with the first
            names = tuple(f"{each.who}:" for each in result.reported)
            own += [f for f in told if not f.message.startswith(names)]
        kept.append(_kept(reported, own))
    return tuple(kept)


def _kept(reported: Reported, findings: Sequence[Finding]) -> KeptVerdict:
    from leukreg.audit.examination import examine

    verdict = examine(reported).verdict
    return KeptVerdict(
        model=reported.name,
        says=verdict.headline,
        reason=verdict.reason,
        rests_on=verdict.rests_on,
        unused=verdict.unused,
        assumptions=verdict.assumptions,
        findings=tuple(f"{one.severity}: {one.message}" for one in findings),
    )


def renewed(text: str, verdicts: Sequence[KeptVerdict]) -> str:
    """The text of a file with these verdicts in place of those that it kept."""
    parts = [_KEPT.sub("", text).rstrip() + "\n"]
    for verdict in verdicts:
        lines = ["[[verdict]]"]
        for each in fields(KeptVerdict):
            value = getattr(verdict, each.name)
            if value:
                lines.append(f"{each.name} = {_toml(value)}")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _toml(value: str | tuple[str, ...]) -> str:
    from leukreg.recipe.mistakes import quoted

    if isinstance(value, str):
        return quoted(value)
    return "[\n" + "".join(f"    {quoted(one)},\n" for one in value) + "]"
