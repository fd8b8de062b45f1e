"""`python -P -m daemons.hub.relay.main`: one relay, as a process of its own.

Started by a hub, which it outlives, or by the service manager. Its socket is `DIRECTORY/NAME.sock`, and a
lock beside it says that somebody is behind it.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from daemons.hub.relay.door import short
from daemons.hub.relay.pipes import MOST
from daemons.hub.relay.relay import Relay, Terms
from daemons.hub.relay.states import Wish

APART: Final = 2 * MOST + 64
"""Descriptors that are not a pair's: pipes, hubs, and what any process has."""
ROOM_MAX: Final = 16_384
EXIT_OCCUPIED: Final = 75
_WISHES: Final = {signal.SIGTERM: Wish.DRAIN, signal.SIGINT: Wish.LEAVE, signal.SIGHUP: Wish.DRAIN}


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    room = min(ROOM_MAX, (_most_descriptors() - APART) // 2)
    terms = Terms(room, given.release, idle_s=given.idle_s, linger_s=given.linger_s)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # A core would hold what users typed.
    try:
        with _listening(given.directory, given.name) as listener, _signals() as signals:
            if given.detach:
                _detach()
            relay = Relay(listener, terms, time.monotonic, lambda text: _say(given.name, text))
            relay.hear_signals(signals, {int(number): wish for number, wish in _WISHES.items()})
            if given.end_with is not None:
                relay.end_with(given.end_with)
            relay.run()
    except ProcessLookupError:
        return 0  # The process it is to end with has ended.
    except BlockingIOError:
        _say(given.name, "another relay has this name")
        return EXIT_OCCUPIED
    except OSError as error:
        _say(given.name, str(error))
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mezite-relay", description="Moves the bytes of pairs of sockets.")
    parser.add_argument("--directory", type=Path, required=True, help="where its socket is; its user's alone")
    parser.add_argument("--name", required=True, help="what its socket is called, without .sock")
    parser.add_argument("--release", default="", help="the version of Mezite it belongs to")
    parser.add_argument("--idle-s", type=float, default=600.0, help="ends after so long without work")
    parser.add_argument(
        "--linger-s", type=float, default=60.0, help="waits so long for an end to fall silent"
    )
    parser.add_argument("--detach", action="store_true", help="return once it listens, and stay behind")
    parser.add_argument("--end-with", type=int, metavar="PID", help="ends when this process does")
    return parser


def _detach() -> None:
    """Only the child returns. The hub that starts a relay has no child to look after, or to take with it."""
    if os.fork():
        os._exit(0)  # Without unwinding: socket, lock and signal pipe are the child's.
    os.setsid()


def _most_descriptors() -> int:
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


@contextmanager
def _listening(where: Path, name: str) -> Iterator[socket.socket]:
    where.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.umask(0o177)
    # Both stay open as long as the process: the path goes by the one, the other's lock goes with it.
    directory = os.open(where, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    lock = os.open(
        f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600, dir_fd=directory
    )
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    # Held: what is left of the name is nobody's.
    with suppress(FileNotFoundError):
        os.unlink(f"{name}.sock", dir_fd=directory)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(short(directory, f"{name}.sock"))
        listener.listen(16)
        try:
            yield listener
        finally:
            for leftover in (f"{name}.sock", f"{name}.lock"):
                with suppress(FileNotFoundError):
                    os.unlink(leftover, dir_fd=directory)


@contextmanager
def _signals() -> Iterator[int]:
    """A descriptor that says the number of each signal as it comes."""
    heard, told = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    for number in _WISHES:
        signal.signal(number, lambda _number, _frame: None)
    try:
        yield heard
    finally:
        signal.set_wakeup_fd(-1)
        os.close(heard)
        os.close(told)


def _say(name: str, text: str) -> None:
    # Whoever listened may be gone long since.
    with suppress(OSError):
        sys.stderr.write(f"mezite-relay {name}: {text}\n")
        sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
