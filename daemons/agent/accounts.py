"""Logins of this machine: the passwd entry behind a name, and whether this agent may become it."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass

from mezite import ids
from mezite.errors import Denied, Unavailable
from mezite.quoting import quoted


@dataclass(frozen=True, slots=True)
class Account:
    """`switch`: becoming it takes root, and there is root."""

    login: str
    uid: int
    gid: int
    home: str
    shell: str
    switch: bool


def find(login: str) -> Account:
    """Raises one clear line when there is no such login, or not for this agent. May block (NSS)."""
    try:
        entry = pwd.getpwnam(login if ids.LOGIN.fullmatch(login) else "")
    except KeyError:
        raise Denied(f"this node has no login {quoted(login)}; ask for one that it has") from None
    except OSError as error:
        raise Unavailable(f"this node cannot look up its logins: {error.strerror}") from None
    is_root = os.geteuid() == 0
    if not is_root and entry.pw_uid != os.geteuid():
        raise Denied(
            f"the agent on this node does not run as root and serves only its own login, {quoted(_own())}"
        )
    return Account(
        login=login,
        uid=entry.pw_uid,
        gid=entry.pw_gid,
        home=entry.pw_dir or "/",
        shell=entry.pw_shell or "/bin/sh",
        switch=is_root,
    )


def _own() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
