"""Pseudo-terminals: one made as the client asked for it, its size, its foreground, its break.

The pump is `pumps`; what is said on the terminal passes `session`'s one tap before it goes anywhere else.
"""

from __future__ import annotations

import contextlib
import fcntl
import grp
import os
import struct
import termios
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from daemons.agent.accounts import Account
from mezite.errors import Unavailable

MAX_SIDE: Final = 4_096
"""Columns or rows; what a client claims beyond is no screen."""

_CHARACTERS: Final = {
    1: termios.VINTR, 2: termios.VQUIT, 3: termios.VERASE, 4: termios.VKILL, 5: termios.VEOF, 6: termios.VEOL,
    7: termios.VEOL2, 8: termios.VSTART, 9: termios.VSTOP, 10: termios.VSUSP, 12: termios.VREPRINT,
    13: termios.VWERASE, 14: termios.VLNEXT, 18: termios.VDISCARD,
}  # fmt: skip
"""RFC 4254, section 8: opcode to index of the control character."""
_INPUT: Final = {
    30: termios.IGNPAR, 31: termios.PARMRK, 32: termios.INPCK, 33: termios.ISTRIP, 34: termios.INLCR,
    35: termios.IGNCR, 36: termios.ICRNL, 38: termios.IXON, 39: termios.IXANY, 40: termios.IXOFF,
    41: termios.IMAXBEL, 42: 0o40000,
}  # fmt: skip
_LOCAL: Final = {
    50: termios.ISIG, 51: termios.ICANON, 53: termios.ECHO, 54: termios.ECHOE, 55: termios.ECHOK,
    56: termios.ECHONL, 57: termios.NOFLSH, 58: termios.TOSTOP, 59: termios.IEXTEN, 60: termios.ECHOCTL,
    61: termios.ECHOKE, 62: termios.PENDIN,
}  # fmt: skip
_OUTPUT: Final = {
    70: termios.OPOST, 72: termios.ONLCR, 73: termios.OCRNL, 74: termios.ONOCR, 75: termios.ONLRET,
}  # fmt: skip
_CONTROL: Final = {92: termios.PARENB, 93: termios.PARODD}
_DISABLED: Final = 255


@dataclass(frozen=True, slots=True)
class Size:
    columns: int
    rows: int
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """A client's request for a terminal."""

    term: str
    size: Size
    modes: Mapping[int, int]


class Pty:
    """Both ends of one. The program's end is closed once the program has it."""

    def __init__(self, wanted: Wanted, account: Account) -> None:
        try:
            self.master, self.slave = os.openpty()
        except OSError as error:
            raise Unavailable(f"this node has no terminal left: {error.strerror}") from None
        self.path = os.ttyname(self.slave)
        try:
            _hand_over(self.path, account)
            _set_modes(self.slave, wanted.modes)
        except OSError as error:
            self.close()
            raise Unavailable(f"this node cannot set up a terminal: {error.strerror}") from None
        self.resize(wanted.size)

    def resize(self, size: Size) -> None:
        values = (_side(size.rows), _side(size.columns), _side(size.width), _side(size.height))
        with contextlib.suppress(OSError):
            fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", *values))

    @property
    def foreground(self) -> int | None:
        """The process group that a signal is for."""
        try:
            return os.tcgetpgrp(self.master) or None
        except OSError:
            return None

    def send_break(self) -> None:
        with contextlib.suppress(OSError, termios.error):
            termios.tcsendbreak(self.master, 0)

    def release_slave(self) -> None:
        """So that the terminal ends when the last program on it does."""
        if self.slave >= 0:
            os.close(self.slave)
            self.slave = -1

    def close(self) -> None:
        """Hangs up on whoever is still there."""
        self.release_slave()
        if self.master >= 0:
            os.close(self.master)
            self.master = -1


def _hand_over(path: str, account: Account) -> None:
    if not account.switch:
        return
    try:
        group = grp.getgrnam("tty").gr_gid
        mode = 0o620
    except KeyError:
        group, mode = account.gid, 0o600
    os.chown(path, account.uid, group)
    os.chmod(path, mode)


def _set_modes(descriptor: int, modes: Mapping[int, int]) -> None:
    """What the client's terminal does, done here; opcodes that this system does not know are passed over."""
    try:
        attributes = termios.tcgetattr(descriptor)
        for flags, table in ((0, _INPUT), (1, _OUTPUT), (2, _CONTROL), (3, _LOCAL)):
            for opcode, bit in table.items():
                if opcode in modes:
                    attributes[flags] = (attributes[flags] & ~bit) | (bit if modes[opcode] else 0)
        for opcode, index in _CHARACTERS.items():
            if opcode in modes:
                value = modes[opcode]
                attributes[6][index] = bytes([0 if value >= _DISABLED else value])
        termios.tcsetattr(descriptor, termios.TCSANOW, attributes)
    except termios.error as error:
        raise OSError(*error.args) from None


def _side(value: int) -> int:
    return max(0, min(value, MAX_SIDE))
