"""``[evaluate]`` and ``[audit]``: how predictions are scored, and what is known to be wrong."""

from __future__ import annotations

from typing import Any

from leukreg.errors import PluginError
from leukreg.recipe.choice import Reader
from leukreg.recipe.format import show
from leukreg.recipe.mistakes import KeyPath
from leukreg.recipe.model import (
    AuditSpec,
    CalibrationSpec,
    ConformalSpec,
    EvaluateSpec,
    McDropoutSpec,
    ThresholdSpec,
    TtaSpec,
    Waiver,
)
from leukreg.recipe.options import read_options
from leukreg.recipe.sections import Table, plain, rest_of, table_at
from leukreg.registry.plugin_call import Choice

_TABLES = {
    "mc_dropout": McDropoutSpec,
    "tta": TtaSpec,
    "calibration": CalibrationSpec,
    "conformal": ConformalSpec,
    "threshold": ThresholdSpec,
}
_INNER = (*_TABLES, "metrics")


def read_evaluate(value: Any, reader: Reader) -> EvaluateSpec | None:
    path: KeyPath = ("evaluate",)
    table = table_at(value, path, reader)
    if table is None:
        return None
    inner = {key: _inner(cls, table, path, key, reader) for key, cls in _TABLES.items()}
    metrics = _metrics(table.get("metrics", []), (*path, "metrics"), reader)
    core = {key: item for key, item in table.items() if key not in _INNER}
    rest = rest_of(EvaluateSpec, core, path, reader, _INNER)
    if rest is None:
        return None
    return EvaluateSpec(**inner, metrics=metrics, **rest)


def _inner(cls: type[Any], table: Table, path: KeyPath, key: str, reader: Reader) -> Any:
    """A table that may be absent, or ``false`` to drop an inherited one."""
    value = table.get(key, False)
    return None if value is False else plain(cls, value, (*path, key), reader)


def _metrics(value: Any, path: KeyPath, reader: Reader) -> tuple[Choice, ...]:
    if not isinstance(value, list):
        reader.mistakes.add(path, f"must be a list of metrics, not {show(value)}")
        return ()
    found = [reader.choice("metric", item, (*path, n)) for n, item in enumerate(value)]
    for number, metric in enumerate(found):
        if metric is not None and metric in found[:number]:
            reader.mistakes.add((*path, number), f"{show(metric.name)} stands here twice")
    return tuple(metric for metric in found if metric is not None)


def read_audit(value: Any, reader: Reader) -> AuditSpec | None:
    path: KeyPath = ("audit",)
    table = table_at(value, path, reader)
    if table is None:
        return None
    for key in table:
        if key not in ("waive", "rules"):
            reader.mistakes.unknown((*path, key), "no such key of [audit]", ["waive", "rules"])
    waive = _waivers(table.get("waive", []), (*path, "waive"), reader)
    rules = _rules(table.get("rules", {}), (*path, "rules"), reader)
    return AuditSpec(waive=waive, rules=rules)


def _waivers(value: Any, path: KeyPath, reader: Reader) -> tuple[Waiver, ...]:
    if not isinstance(value, list):
        reader.mistakes.add(path, f"must be [[audit.waive]] tables, not {show(value)}")
        return ()
    waivers: list[Waiver] = []
    for number, item in enumerate(value):
        at: KeyPath = (*path, number)
        table = table_at(item, at, reader)
        waiver = table and read_options(Waiver, table, at, reader.mistakes, "[[audit.waive]]")
        if not waiver:
            continue
        try:
            reader.registry.get("audit", waiver.rule)
        except PluginError as error:
            reader.missing("audit", waiver.rule, (*at, "rule"), error)
        if not waiver.reason.strip():
            reader.mistakes.add((*at, "reason"), "must say why the finding is lived with")
        if any(waiver.rule == earlier.rule for earlier in waivers):
            reader.mistakes.add((*at, "rule"), f"{show(waiver.rule)} is already waived above")
        waivers.append(waiver)
    return tuple(waivers)


def _rules(value: Any, path: KeyPath, reader: Reader) -> tuple[Choice, ...]:
    """``[audit.rules.NAME]`` tables of options, or a list of tables with ``use``."""
    if isinstance(value, list):
        listed = [reader.choice("audit", item, (*path, n)) for n, item in enumerate(value)]
        return _each_once([rule for rule in listed if rule is not None], path, reader)
    found: list[Choice] = []
    for name, options in (table_at(value, path, reader) or {}).items():
        at: KeyPath = (*path, name)
        stated = table_at(options, at, reader)
        if stated is None:
            continue
        if "use" in stated or "fallback" in stated:
            key = "use" if "use" in stated else "fallback"
            reader.mistakes.add((*at, key), "has no place here: the table's name is the rule")
            continue
        rule = reader.choice("audit", {"use": name, **stated}, at)
        if rule is not None:
            found.append(rule)
    return tuple(found)


def _each_once(rules: list[Choice], path: KeyPath, reader: Reader) -> tuple[Choice, ...]:
    names = [rule.name for rule in rules]
    for name in {name for name in names if names.count(name) > 1}:
        reader.mistakes.add(path, f"{show(name)} stands here twice", on_value=False)
    return tuple(rules)
