"""How each of our programs ends: an error becomes one line on stderr and an exit code, here and nowhere else.

0 ok, 1 failure, 2 usage, 3 not logged in or expired, 4 denied, 5 not found, 6 unavailable; 130 after Ctrl-C.
255 stands for all of these where a program ends as OpenSSH's do, whose other codes are the other end's.
A reader that went away ends a program quietly. A traceback is shown when `MEZITE_DEBUG` asks for one.
"""

from __future__ import annotations

import io
import os
import sys
import traceback
from contextlib import suppress
from typing import Final, NoReturn

import click

from mezite.plain import plain

EXIT_INTERRUPTED: Final = 130
EXIT_FAILURE: Final = 1
EXIT_USAGE: Final = 2
EXIT_OPENSSH: Final = 255


def run(program: click.Command, name: str, *, failure: int | None = None) -> NoReturn:
    """Runs a whole program and ends the process; `failure` is the one code for whatever fails here."""
    for stream in (sys.stdout, sys.stderr):
        # A locale without UTF-8 must not turn a name into a traceback.
        if isinstance(stream, io.TextIOWrapper):  # and not closed before the program began
            stream.reconfigure(errors="backslashreplace")
    code = 0
    try:
        code = _code(program, name, failure)
        if sys.stdout:
            sys.stdout.flush()
    except BrokenPipeError:
        _leave_unwritten()
        code = EXIT_FAILURE
    except OSError as error:
        # A full disk fails twice: for whoever writes, who has told of it, and for what is left to write.
        _leave_unwritten()
        code = code or _ended(name, error, failure)
    sys.exit(code)


def _leave_unwritten() -> None:
    """Without this the interpreter complains when it flushes at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _code(program: click.Command, name: str, failure: int | None) -> int:
    try:
        result = program.main(prog_name=name, standalone_mode=False)
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001  # the edge of the process: whatever comes ends as one line
        return _ended(name, error, failure)
    return result if isinstance(result, int) else 0


def _ended(name: str, error: Exception, failure: int | None) -> int:
    code = _told(name, error)
    return code if failure is None else failure


def _told(name: str, error: Exception) -> int:
    match error:
        case click.exceptions.NoArgsIsHelpError():
            error.show()
            return EXIT_USAGE
        case click.UsageError():
            command = error.ctx.command_path if error.ctx else name
            _say(command, f"{error.format_message().rstrip('.')}; see: {command} --help")
            return EXIT_USAGE
        case click.ClickException():
            _say(name, error.format_message())
            return EXIT_FAILURE
        case click.Abort():
            return _aborted(name, error)
        case _:
            return _failed(name, error)


def _aborted(name: str, error: click.Abort) -> int:
    if isinstance(error.__cause__ or error.__context__, EOFError):
        _say(name, "the answer is missing: standard input has ended")
        return EXIT_FAILURE
    return EXIT_INTERRUPTED


def _failed(name: str, error: Exception) -> int:
    from mezite.errors import MeziteError

    if os.environ.get("MEZITE_DEBUG"):
        traceback.print_exception(error)
    if isinstance(error, MeziteError):
        for line in error.message.splitlines():
            _say(name, line)
        return type(error).wire.exit
    _say(name, f"{_fault(error)}; set MEZITE_DEBUG=1 to see where")
    return EXIT_FAILURE


def _fault(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return f"internal error ({type(error).__name__})"


def _say(name: str, message: str) -> None:
    with suppress(OSError):  # when stderr is closed, the exit code is all that is left to say it
        click.echo(f"{name}: {plain(message)}", err=True)
