from __future__ import annotations

from pathlib import Path

import pytest

from leukreg.errors import PluginError
from leukreg.registry import discover, installed
from tests.strangers import COMMAND, LOSS, entry_points, install


def test_built_in_plugins_come_through_their_entry_point() -> None:
    focal = installed().get("loss", "focal")
    assert (focal.owner.distribution, focal.owner.entry_point) == ("leukreg", "leukreg-plugins")
    assert focal.summary.startswith("Focal loss")
    assert "focal" in installed().names("loss")


def test_a_stranger_is_found_with_its_owner(strangers: Path) -> None:
    install(strangers, "leukreg-a", LOSS.format(name="a"), version="2.3")
    entry = discover(entry_points(strangers)).get("loss", "a")
    assert (entry.owner.distribution, entry.owner.version) == ("leukreg-a", "2.3")


def test_two_entry_points_of_one_name_are_both_loaded(strangers: Path) -> None:
    install(strangers, "leukreg-a", LOSS.format(name="a"), entry="same")
    install(strangers, "leukreg-b", LOSS.format(name="b"), entry="same")
    assert discover(entry_points(strangers)).names("loss") == ["a", "b"]


def test_a_name_claimed_twice_is_refused_naming_both_owners(strangers: Path) -> None:
    install(strangers, "leukreg-a", LOSS.format(name="twin"))
    install(strangers, "leukreg-b", LOSS.format(name="twin"), version="2.0")
    registry = discover(entry_points(strangers))
    assert [len(entries) for entries in registry.conflicts()] == [2]
    with pytest.raises(PluginError, match=r"leukreg-a 1\.0 and leukreg-b 2\.0"):
        registry.get("loss", "twin")


def test_one_name_may_stand_for_two_kinds(strangers: Path) -> None:
    install(strangers, "leukreg-a", LOSS.format(name="same"))
    head = LOSS.replace("leukreg_losses", "leukreg_heads")
    install(strangers, "leukreg-b", head.format(name="same"))
    registry = discover(entry_points(strangers))
    assert registry.conflicts() == []
    assert {entry.kind for entry in registry.find("same")} == {"loss", "head"}


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_module_at_all", "ModuleNotFoundError"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("def f(:", "SyntaxError"),
        ("x = 1", "implements no leukreg hook"),
        ("def leukreg_losses(): return []", "'leukreg_losses' is not marked with @hookimpl"),
        (
            "from leukreg import hookimpl\n@hookimpl\ndef leukreg_loses(): return []",
            "no hook 'leukreg_loses'; did you mean 'leukreg_losses'?",
        ),
        (
            "from leukreg import hookimpl\n@hookimpl\ndef losses(): return []",
            "no hook 'losses'",
        ),
        (
            "from leukreg import hookimpl\n@hookimpl\ndef leukreg_losses(labels): return []",
            "Argument",
        ),
        (
            "from leukreg import hookimpl\n@hookimpl\ndef leukreg_losses(): return 7",
            "must return a list of plugin classes, not 7",
        ),
        (
            "from leukreg import hookimpl\n@hookimpl\ndef leukreg_losses(): return [int]",
            "not a class marked with @plugin",
        ),
        (
            "from leukreg import hookimpl\n@hookimpl\ndef leukreg_losses(): 1 / 0",
            "leukreg_losses: ZeroDivisionError: division by zero (",
        ),
    ],
)
def test_a_broken_plugin_is_kept_with_its_reason(strangers: Path, source: str, reason: str) -> None:
    install(strangers, "leukreg-bad", "pass")
    (strangers / "leukreg_bad.py").write_text(source)
    install(strangers, "leukreg-good", LOSS.format(name="good"))
    registry = discover(entry_points(strangers))
    assert [broken.owner.distribution for broken in registry.broken] == ["leukreg-bad"]
    said = registry.broken[0].reason
    assert reason in said
    if said.startswith("leukreg_losses: Zero"):
        assert said.endswith("leukreg_bad.py:3)")
    assert registry.names("loss") == ["good"]


def test_a_plugin_half_registered_before_its_fault_leaves_nothing(strangers: Path) -> None:
    # pluggy registers hook after hook and meets the wrong argument late.
    source = (
        LOSS.format(name="a") + "\n    @hookimpl\n    def leukreg_sources(zzz):\n        pass\n"
    )
    install(strangers, "leukreg-half", source)
    registry = discover(entry_points(strangers))
    assert list(registry) == []
    assert len(registry.broken) == 1


def test_a_missing_plugin_is_said_with_a_suggestion_and_what_failed(strangers: Path) -> None:
    install(strangers, "leukreg-a", LOSS.format(name="focal-like"))
    install(strangers, "leukreg-bad", "import no_such_module_at_all")
    registry = discover(entry_points(strangers))
    with pytest.raises(PluginError, match="did you mean 'focal-like'") as caught:
        registry.get("loss", "focal-lik")
    assert "leukreg-bad could not be loaded" in str(caught.value)
    with pytest.raises(PluginError, match="'focal-like' is a loss"):
        registry.get("head", "focal-like")
    with pytest.raises(PluginError, match="there are focal-like"):
        registry.get("loss", "zzz")


def test_commands_are_not_entries_but_known_by_owner(strangers: Path) -> None:
    module = install(strangers, "leukreg-hello", COMMAND.format(name="hello"))
    registry = discover(entry_points(strangers))
    assert list(registry) == []
    [(owner, _)] = registry.implementations("command")
    assert owner.distribution == "leukreg-hello"
    assert registry.modules() == {module: owner}
