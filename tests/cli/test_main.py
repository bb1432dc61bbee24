from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from leukreg import __version__
from leukreg.cli import commands, main
from leukreg.errors import DataError, Problem, Problems
from tests.strangers import COMMAND, install

Call = pytest.CaptureFixture[str]


def _raise(error: BaseException) -> click.Command:
    @click.command("runs")
    def failing() -> None:
        raise error

    return failing


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    monkeypatch.setenv("LEUKREG_CACHE", str(tmp_path))
    return monkeypatch


def _run_failing(patch: pytest.MonkeyPatch, error: BaseException) -> int:
    patch.setattr(main.Program, "get_command", lambda *_: _raise(error))
    return main.main(["runs"])


def test_help_names_every_command(capsys: Call) -> None:
    assert main.main(["--help"]) == 0
    shown = capsys.readouterr().out
    for name, line in commands.OWN.items():
        assert f"  {name} " in shown
        assert line in shown


def test_every_command_has_a_module_that_matches_its_line() -> None:
    for name in commands.OWN:
        context = click.Context(main.program)
        command = main.program.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert command.get_short_help_str(100), f"{name} has no help of its own"


def test_version(capsys: Call) -> None:
    assert main.main(["--version"]) == 0
    assert capsys.readouterr().out == f"leukreg {__version__}\n"


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["plugns"], "Did you mean 'plugins'?"),
        (["my.toml"], "Did you mean 'run my.toml'?"),
        (["plugins", "--knd", "loss"], "--kind"),
        (["zzz"], "There is no command 'zzz'."),
    ],
)
def test_wrong_use_is_answered_with_a_suggestion(words: list[str], hint: str, capsys: Call) -> None:
    assert main.main(words) == 2
    assert hint in capsys.readouterr().err


def test_an_error_to_mend_is_one_sentence(failing: pytest.MonkeyPatch, capsys: Call) -> None:
    assert _run_failing(failing, DataError("no images below x")) == 2
    assert capsys.readouterr().err == "leukreg: no images below x\n"


def test_problems_begin_with_file_and_line(failing: pytest.MonkeyPatch, capsys: Call) -> None:
    assert _run_failing(failing, Problems([Problem("is wrong", "a.toml:3")])) == 2
    assert capsys.readouterr().err.startswith("a.toml:3  is wrong\n1 problem;")


def test_a_full_disk_is_not_called_a_bug(failing: pytest.MonkeyPatch, capsys: Call) -> None:
    assert _run_failing(failing, OSError(28, "No space left on device", "/x")) == 2
    assert "No space left on device: '/x'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: not enough memory: you tried")]
)
def test_too_little_memory_is_not_called_a_bug(
    failing: pytest.MonkeyPatch, capsys: Call, error: Exception
) -> None:
    assert _run_failing(failing, error) == 2
    assert "there is not enough memory" in capsys.readouterr().err


def test_a_bug_is_logged_and_not_thrown(
    failing: pytest.MonkeyPatch, capsys: Call, tmp_path: Path
) -> None:
    assert _run_failing(failing, ZeroDivisionError("division by zero")) == 3
    shown = capsys.readouterr().err
    [log] = (tmp_path / "logs").iterdir()
    assert str(log) in shown
    assert "ZeroDivisionError: division by zero" in shown
    assert "Traceback" not in shown
    kept = log.read_text()
    assert "Traceback" in kept
    assert f"leukreg {__version__}" in kept
    assert "command: leukreg runs" in kept


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_an_interrupt_is_one_line(
    failing: pytest.MonkeyPatch, capsys: Call, error: BaseException
) -> None:
    assert _run_failing(failing, error) == 130
    assert capsys.readouterr() == ("", "leukreg: interrupted\n")


def test_an_end_of_file_deep_inside_is_not_taken_for_an_interrupt(
    failing: pytest.MonkeyPatch,
) -> None:
    assert _run_failing(failing, EOFError("truncated")) == 3


@pytest.mark.parametrize(("stop", "code"), [(0, 0), (1, 1)])
def test_a_command_decides_its_exit_code(failing: pytest.MonkeyPatch, stop: int, code: int) -> None:
    assert _run_failing(failing, click.exceptions.Exit(stop)) == code


def test_a_closed_pipe_is_quiet(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "leukreg", "--help"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "LEUKREG_CACHE": str(tmp_path), "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    process.stdout.close()
    _, error = process.communicate(timeout=60)
    assert error == b""
    assert process.returncode == 141


def test_a_plugins_command_stands_in_help_and_runs(strangers: Path, capsys: Call) -> None:
    install(strangers, "leukreg-hello", COMMAND.format(name="hello"))
    assert main.main(["--help"]) == 0
    assert "Commands of plugins:\n  hello  Say hello." in capsys.readouterr().out
    assert main.main(["hello"]) == 0
    assert capsys.readouterr().out == "hello\n"
    assert main.main(["helo"]) == 2
    assert "Did you mean 'hello'?" in capsys.readouterr().err


def test_remembered_commands_import_nothing_and_forget_what_changed(
    strangers: Path, capsys: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = install(strangers, "leukreg-hello", COMMAND.format(name="hello"))
    assert commands.known() == {"hello": "Say hello."}
    asked: list[bool] = []
    ask = commands._ask_plugins
    monkeypatch.setattr(commands, "_ask_plugins", lambda: asked.append(True) or ask())
    assert commands.known() == {"hello": "Say hello."}
    assert asked == []
    file = strangers / f"{module}.py"
    os.utime(file, ns=(1, 1))
    commands.known()
    assert asked == [True]
    install(strangers, "leukreg-other", "pass")
    commands.known()
    assert asked == [True, True]


@pytest.mark.parametrize("content", ["", "[]", "{}", "None", "{'commands': 3}", "\x00", "[" * 9999])
def test_a_damaged_memory_is_made_anew(strangers: Path, content: str) -> None:
    install(strangers, "leukreg-hello", COMMAND.format(name="hello"))
    commands.known()
    [memory] = (strangers.parent / "cache").glob("commands-*.txt")
    memory.write_text(content)
    assert commands.known() == {"hello": "Say hello."}
    assert "{'hello': 'Say hello.'}" in memory.read_text()


def test_an_unwritable_cache_costs_only_time(
    strangers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(strangers, "leukreg-hello", COMMAND.format(name="hello"))
    (strangers / "file").touch()
    monkeypatch.setenv("LEUKREG_CACHE", str(strangers / "file" / "below"))
    assert commands.known() == {"hello": "Say hello."}


def test_a_command_that_shadows_or_doubles_is_refused_with_a_reason(
    strangers: Path, capsys: Call
) -> None:
    install(strangers, "leukreg-a", COMMAND.format(name="run"))
    install(strangers, "leukreg-b", COMMAND.format(name="twin"))
    install(strangers, "leukreg-c", COMMAND.format(name="twin"))
    install(strangers, "leukreg-d", COMMAND.replace("add_command", "ad_command"))
    assert commands.known() == {}
    assert main.main(["plugins", "--kind", "command"]) == 1
    shown = capsys.readouterr().err
    assert "command 'run' is leukreg's own" in shown
    assert "command 'twin' is claimed by leukreg-b 1.0 and leukreg-c 1.0" in shown
    assert "leukreg-d 1.0 (leukreg-d): leukreg_commands: AttributeError" in shown


def test_a_bug_in_a_plugin_names_the_plugin(strangers: Path, capsys: Call) -> None:
    source = COMMAND.format(name="hello").replace('click.echo("hello")', "1 / 0")
    install(strangers, "leukreg-hello", source)
    assert main.main(["hello"]) == 3
    shown = capsys.readouterr().err
    assert "a plugin of leukreg-hello 1.0 failed: ZeroDivisionError: division by zero" in shown
    assert re.search(r"leukreg_hello.py:\d+\n", shown)
    assert "tell the authors of leukreg-hello 1.0" in shown
