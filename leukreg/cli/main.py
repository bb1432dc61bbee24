"""The ``leukreg`` program: commands that are imported when they are called, one error handler."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from leukreg import __version__
from leukreg.cli.commands import OWN, faults, find, known
from leukreg.cli.output import (
    BUG,
    GOOD,
    INTERRUPTED,
    PIPE_CLOSED,
    TERMINATED,
    WRONG_USE,
    say,
)
from leukreg.errors import USERS_TO_MEND, LeukregError, PluginFault, Problems
from leukreg.text import nearest

DEBUG = "--debug"
PLUGINS = "leukreg.plugins"
"""The name of the log that tracebacks of plugins go to."""


class Program(click.Group):
    """A group whose commands are imported only when one is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*OWN, *known()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in OWN:
            command = importlib.import_module(f"leukreg.cli.{cmd_name}").command
            assert isinstance(command, click.Command)
            return _debuggable(command)
        if cmd_name not in known():
            return None
        from leukreg.registry import installed

        found = find(installed()).commands.get(cmd_name)
        return _debuggable(found[0]) if found else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if not args[0].startswith("-") and args[0] not in self.list_commands(ctx):
            meant = nearest(args[0], self.list_commands(ctx))
            if not meant and args[0].endswith(".toml"):
                meant = f"run {args[0]}"
            hint = f" Did you mean {meant!r}?" if meant else ""
            ctx.fail(f"There is no command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in (("Commands", OWN), ("Commands of plugins", known())):
            if commands:
                with formatter.section(title):
                    formatter.write_dl(list(commands.items()))


def _debuggable(command: click.Command) -> click.Command:
    """The command with ``--debug``, unless it has an option of that name."""
    if not any(DEBUG in parameter.opts for parameter in command.params):
        command.params.append(
            click.Option(
                [DEBUG],
                is_flag=True,
                expose_value=False,
                callback=_show_tracebacks,
                help="Show the traceback of what fails, for those who write plugins.",
            )
        )
    return command


def _show_tracebacks(context: click.Context, option: click.Parameter, wanted: bool) -> None:
    """Those, too, that only become a line in a report."""
    if not wanted:
        return
    import logging

    class Shown(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            say(self.format(record), err=True)

    handler = Shown()
    context.call_on_close(lambda: logging.getLogger(PLUGINS).removeHandler(handler))
    logging.getLogger(PLUGINS).addHandler(handler)


@click.group(
    "leukreg",
    cls=Program,
    epilog="Exit codes: 0 good, 1 findings or a failed gate, 2 wrong use, 3 a bug of leukreg or "
    "of a plugin.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="leukreg", message="%(prog)s %(version)s")
def program() -> None:
    """Run, compare and trust experiments that classify leukemia cells in blood smears."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code.

    Nothing escapes: what a user can mend is said in a sentence, a bug is logged with its traceback
    and named with the path of the log.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if arguments is None and not sys.warnoptions:
        warnings.simplefilter("ignore")  # libraries' remarks to programmers; python -W shows them
    try:
        with _terminable():
            code = _carry_out(words)
        _name_broken_plugins(words)
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:  # whoever read us (such as head) has enough
        _drop_output()
        code = PIPE_CLOSED
    return code


class Terminated(KeyboardInterrupt):
    """SIGTERM, as of ``kill`` or of a cluster's scheduler; what Ctrl-C tidies up, it does too."""


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM raise, unless somebody else handles it."""

    def end(number: int, frame: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # one is enough
        raise Terminated

    # Tests and notebooks call main() too, from other threads or with handlers of their own.
    main_thread = threading.current_thread() is threading.main_thread()
    if not main_thread or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _carry_out(words: list[str]) -> int:
    try:
        return _invoke(words)
    except BrokenPipeError:
        raise
    except Terminated:
        say("leukreg: ended by SIGTERM", err=True)
        return TERMINATED
    except (KeyboardInterrupt, click.exceptions.Abort):
        say("leukreg: interrupted", err=True)
        return INTERRUPTED
    except Exception as error:
        return _tell(error, words)


def _name_broken_plugins(words: list[str]) -> None:
    """A command that asked the plugins says which of them could not answer."""
    registry = sys.modules.get("leukreg.registry")
    if registry is None or not registry.installed.cache_info().currsize:
        return
    if words and words[0] in OWN and words[0] != "plugins":  # which lists them itself
        for fault in faults(registry.installed()):
            say(f"! {fault}", err=True)


def _invoke(words: list[str]) -> int:
    instruction = os.environ.get("_LEUKREG_COMPLETE")
    if instruction:
        from click.shell_completion import shell_complete

        return shell_complete(program, {}, "leukreg", "_LEUKREG_COMPLETE", instruction)
    try:
        with program.make_context("leukreg", words, terminal_width=_width()) as context:
            result: Any = program.invoke(context)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    return result if isinstance(result, int) else GOOD


def _width() -> int:
    """Columns for help texts; click would import shutil to find out."""
    try:
        columns = int(os.environ.get("COLUMNS", 0)) or os.get_terminal_size().columns
    except (OSError, ValueError):
        columns = 80
    return max(50, min(columns, 100) - 2)


def _tell(error: Exception, words: list[str]) -> int:
    if isinstance(error, click.ClickException):
        import io

        text = io.StringIO()
        error.show(text)
        say(text.getvalue(), err=True, nl=False)
        return WRONG_USE
    if DEBUG in words:
        import traceback

        say("".join(traceback.format_exception(error)), err=True)
    if isinstance(error, LeukregError) and not isinstance(error, PluginFault):
        say(str(error) if isinstance(error, Problems) else f"leukreg: {error}", err=True)
        return error.code
    from leukreg.registry.plugin_call import out_of_memory

    if out_of_memory(error):
        say(f"leukreg: there is not enough memory ({error or 'no details'})", err=True)
        return WRONG_USE
    if getattr(error, "errno", None) in USERS_TO_MEND:
        say(f"leukreg: {error}", err=True)
        return WRONG_USE
    from leukreg.cli.crash import keep

    say(keep(error, words), err=True)
    return BUG


def _drop_output() -> None:
    # The reader of our output has gone; without this the interpreter complains when it ends.
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        except (OSError, ValueError):
            continue


if __name__ == "__main__":
    sys.exit(main())
