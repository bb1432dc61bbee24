"""From the paths a person names to what the audit finds in each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from leukreg.audit import audit, evidence_of, read_reported
from leukreg.audit.published_table import paper_of, reported_of
from leukreg.errors import LeukregError, Problem, Problems
from leukreg.types import Evidence, Finding

if TYPE_CHECKING:
    from leukreg.registry import Registry

STATUS = "status.json"
"""A folder with this file is a run."""


@dataclass(frozen=True, slots=True)
class Audited:
    """One thing that was audited."""

    what: Literal["run", "recipe", "paper"]
    path: Path
    name: str
    findings: tuple[Finding, ...]

    def keeping(self, rules: frozenset[str]) -> Audited:
        """Only the findings of these rules; all of them where none is named."""
        if not rules:
            return self
        return replace(self, findings=tuple(f for f in self.findings if f.rule in rules))


def only(rules: Iterable[str], registry: Registry) -> frozenset[str]:
    """The rules asked for. Raises PluginError for one that does not exist."""
    return frozenset(registry.get("audit", rule).name for rule in rules)


def audited(
    names: Sequence[str], root: Path, registry: Registry
) -> tuple[list[Audited], list[LeukregError]]:
    """What each name means and what is found in it; those that cannot be read beside them."""
    results: list[Audited] = []
    broken: list[LeukregError] = []
    for name in names:
        try:
            places = _places(name, root)
        except LeukregError as error:
            broken.append(error)
            continue
        for path in places:
            try:
                results.append(_one(path, registry))
            except LeukregError as error:
                broken.append(error)
    return results, broken


def unreadable(errors: Sequence[LeukregError]) -> LeukregError:
    """All that could not be audited as one error."""
    if len(errors) == 1:
        return errors[0]
    problems: list[Problem] = []
    for error in errors:
        own = error.problems if isinstance(error, Problems) else (Problem(str(error)),)
        problems += own
    return Problems(problems, "the rest was audited.")


def _places(name: str, root: Path) -> list[Path]:
    """The runs and files that a name means.

    Raises:
        LeukregError: There is nothing of that name, or nothing to audit in it.
    """
    path = Path(name)
    try:
        if not path.is_dir() or (path / STATUS).is_file():
            return [_found(name, path, root)]
        files = sorted(path.glob("*.toml"))
        runs = sorted(p.parent for p in path.glob(f"*/{STATUS}"))
    except (OSError, ValueError) as error:
        raise LeukregError(f"{name}: cannot be read ({error})") from error
    if not files and not runs:
        raise LeukregError(f"{name}: holds no recipe, no published figures and no run to audit")
    return files + runs


def _found(name: str, path: Path, root: Path) -> Path:
    if path.is_file() or (path.suffix == ".toml" and path.exists()):
        return path  # reading it says what else it is
    if path.suffix == ".toml":
        raise LeukregError(f"{name}: there is no such file")
    from leukreg.cli.named import run_named

    return run_named(name, root)


def _one(path: Path, registry: Registry) -> Audited:
    if path.is_dir():
        return _run(path, registry)
    from leukreg.recipe.document import read_document

    document = read_document(path)
    paper = paper_of(document, str(path))
    if paper is None:
        return _recipe(path, registry)
    read_reported(paper.reported, paper.place)
    evidence = Evidence(reported=paper.reported)
    return Audited("paper", path, path.stem, audit(evidence, None, registry))


def _recipe(path: Path, registry: Registry) -> Audited:
    from leukreg.recipe import load

    recipe = load(path, registry=registry)
    reported_of(recipe)
    evidence = Evidence(recipe=recipe.resolved, reported=recipe.reported)
    return Audited("recipe", path, path.stem, audit(evidence, recipe.audit, registry))


def _run(path: Path, registry: Registry) -> Audited:
    from leukreg.audit.rules import spec_of
    from leukreg.runs.contents import read

    result = read(path)
    findings = audit(evidence_of(result), spec_of(result.recipe, registry), registry)
    return Audited("run", path, result.name, findings)
