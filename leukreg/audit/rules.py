"""Run every rule over the evidence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from leukreg.errors import LeukregError, RunError
from leukreg.record import RunRecord
from leukreg.registry.plugin_call import noted
from leukreg.types import Finding

if TYPE_CHECKING:
    from leukreg.recipe.model import AuditSpec, Waiver
    from leukreg.registry import Registry


_RANK = ("error", "warning", "note")


def audit(evidence: RunRecord, spec: AuditSpec | None, registry: Registry) -> tuple[Finding, ...]:
    """What all rules find: errors, warnings, notes, then what the recipe waives.

    A rule that fails (a stranger's may raise anything) becomes a warning of its own, and a waiver
    that meets no finding a note, so that neither is lost without a word.
    """
    if evidence.samples.weak:  # only patients have labels: rules look at answers about these
        evidence = evidence.about_patients
    chosen = {choice.name: choice.plugin for choice in spec.rules} if spec else {}
    waivers = spec.waive if spec else ()
    found: list[Finding] = []
    for name in registry.names("audit"):
        found += _apply(name, chosen.get(name), evidence, registry)
    reasons = {waiver.rule: waiver.reason for waiver in reversed(waivers)}
    met = {finding.rule for finding in found}
    idle = [_idle(w) for w in waivers if w.rule not in met and _asked(w.rule, evidence, registry)]
    found = [replace(one, waived=reasons.get(one.rule, one.waived)) for one in found] + idle
    return tuple(sorted(found, key=lambda f: (f.waived is not None, _RANK.index(f.severity))))


def has_errors(findings: Iterable[Finding]) -> bool:
    """Whether an error stands that is not waived: exit code 1."""
    return any(f.severity == "error" and f.waived is None for f in findings)


def _apply(name: str, rule: Any, evidence: RunRecord, registry: Registry) -> list[Finding]:
    try:
        if rule is None:
            rule = registry.get("audit", name).cls()
        return list(rule.build(evidence))
    except Exception as error:
        message = "this rule could not be applied"
        if isinstance(error, LeukregError):
            message += f": {error}"
        else:
            message = noted(message, rule, error)
        return [
            Finding(
                rule=name,
                severity="warning",
                message=message,
                why="What it would have found is not known.",
                advice="Report it to the owner of the rule (leukreg plugins --kind audit).",
            )
        ]


def _asked(name: str, evidence: RunRecord, registry: Registry) -> bool:
    """False for a rule about what nobody has measured yet, such as by `leukreg stress`."""
    known = name in registry.names("audit")
    needs = getattr(registry.get("audit", name).cls, "needs", "") if known else ""
    return not needs or getattr(evidence, needs, None) is not None


def _idle(waiver: Waiver) -> Finding:
    return Finding(
        rule=waiver.rule,
        severity="note",
        message=f"the waiver of {waiver.rule!r} meets no finding",
        why="A waiver that is not needed may hide a later fault.",
        advice="Take it out of the recipe's [[audit.waive]].",
    )


def spec_of(recipe: Mapping[str, Any], registry: Registry) -> AuditSpec:
    """As ``recipe.audit`` of a checked recipe; nothing else of the recipe is built again.

    Raises:
        RunError: A rule has gone since, or no longer has the options it was given.
    """
    from leukreg.recipe.mistakes import Mistakes
    from leukreg.recipe.model import AuditSpec, Waiver
    from leukreg.recipe.reader import Reader
    from leukreg.recipe.schema import without_none

    kept, mistakes = without_none(recipe.get("audit") or {}), Mistakes({}, "recipe.json")
    rules = {"rules": kept.get("rules", {})}
    spec: AuditSpec = Reader(registry, mistakes).table(AuditSpec, rules, ("audit",))
    if wrong := "; ".join(one.problem.message for one in mistakes.found):
        raise RunError(f"the run's audit options do not fit the rules installed now: {wrong}")
    return replace(spec, waive=tuple(Waiver(**waiver) for waiver in kept.get("waive", ())))
