"""What `msh proxy ssh LOGIN@NODE:PORT` does, for every `ssh` that is started: so it loads next to nothing.

No click, no gRPC, no cryptography. `proxy` is the same command with its help and its faults explained.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from typing import Final, NoReturn

from mezite.client import handover
from mezite.client.dial import dial
from mezite.client.identity import expired
from mezite.client.profile import Profile
from mezite.client.profiles import Profiles
from mezite.client.target import parse_with_port, profile_for
from mezite.errors import MeziteError, OtpRequired
from mezite.plain import plain

EXIT_OURS: Final = 255
"""As OpenSSH says that it failed itself, and not the command at the other end."""
OTP_VARIABLE: Final = "MEZITE_OTP"


def run(destination: str) -> NoReturn:
    """The whole life of the process."""
    try:
        connect(destination)
    except MeziteError as error:
        for line in error.message.splitlines():
            sys.stderr.write(f"msh: {plain(line)}\n")
        leave(EXIT_OURS)
    except KeyboardInterrupt:
        leave(EXIT_OURS)
    leave(0)


def connect(destination: str) -> None:
    """Connects and hands over; returns when there is nothing left to do."""
    target = parse_with_port(destination)
    profile = profile_for(target, Profiles())
    check_valid(profile)
    connection, _ = dial(profile.as_pass(), target.node, target.login, Codes().ask)
    with connection:
        if handover.wants_descriptor():
            handover.give(connection)
        else:
            handover.carry(connection)


def check_valid(profile: Profile) -> None:
    """Raises `NotLoggedIn` when there is no login, or none any more."""
    if profile.login is not None and not profile.login.valid(datetime.now(UTC)):
        raise expired(profile.hub.proxy, profile.login.user)
    profile.as_pass()


class Codes:
    """One-time codes: the one in the environment first, then whatever a person types."""

    def __init__(self) -> None:
        self._given = os.environ.get(OTP_VARIABLE, "")

    def ask(self, message: str) -> str:
        from mezite.cli import terminal

        if self._given:
            given, self._given = self._given, ""
            return given
        typed = terminal.ask(plain(message.rstrip(":. ")))
        if typed is None:
            raise OtpRequired(
                f"{message.rstrip(':. ')}: there is no terminal to ask on; run it on one, "
                f"or with {OTP_VARIABLE}=CODE in its environment"
            )
        return typed.replace(" ", "")


def leave(code: int) -> NoReturn:
    """Ends the process at once: `ssh` waits for it, and taking an interpreter down costs milliseconds."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
