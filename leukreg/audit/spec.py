"""The audit's waivers and options, from the plain recipe that a run folder keeps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from leukreg.errors import LeukregError, RunError

if TYPE_CHECKING:
    from leukreg.recipe.model import AuditSpec
    from leukreg.registry import Registry


def spec_of(recipe: Mapping[str, Any], registry: Registry) -> AuditSpec:
    """As ``recipe.audit`` of a checked recipe; nothing else of the recipe is built again.

    Raises:
        RunError: A rule has gone since, or no longer has the options it was given.
    """
    from leukreg.recipe.model import AuditSpec, Waiver

    table = recipe.get("audit") or {}
    try:
        waive = tuple(Waiver(**waiver) for waiver in table.get("waive") or ())
        kept = table.get("rules") or {}
        rules = tuple(_choice(name, options, registry) for name, options in kept.items())
    except (AttributeError, TypeError, ValueError, LeukregError) as error:
        message = f"the run's audit options do not fit the rules installed now: {error}"
        raise RunError(message) from error
    return AuditSpec(waive=waive, rules=rules)


def _choice(name: str, options: Mapping[str, Any], registry: Registry) -> Any:
    from pydantic import TypeAdapter

    from leukreg.recipe.model import Choice

    entry = registry.get("audit", name)
    given = {key: value for key, value in options.items() if value is not None}
    plugin: Any = TypeAdapter(entry.cls).validate_json(json.dumps(given), strict=True)
    owner = f"{entry.owner.distribution} {entry.owner.version}"
    return Choice(kind="audit", name=name, plugin=plugin, owner=owner, options=dict(options))
