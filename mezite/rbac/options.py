"""How the options of several roles come to one: the table of the reference, one function per column.

Which roles count differs. Most options are those of the roles that let *this* session in. `max_session_ttl`,
`max_sessions` and port forwarding belong to the user and count over all roles held.

A role that says nothing has said the default, so the stricter of two wins also over silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar

from mezite.model.role import Enhanced, FileCopy, JoinRequirement, OnGrantEnd, RecordPolicy, Role, SessionMfa

_Limit = TypeVar("_Limit", int, timedelta)

_UPLOADS: Final = frozenset({FileCopy.ALL, FileCopy.UPLOAD})
_DOWNLOADS: Final = frozenset({FileCopy.ALL, FileCopy.DOWNLOAD})


@dataclass(frozen=True, slots=True)
class JoinDemand:
    """What one role demands of those present: any one of its requirements. Every demand must be met."""

    role: str
    any_of: tuple[JoinRequirement, ...]


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms a session runs on, or, over all held roles, those that a certificate states."""

    max_session_ttl: timedelta | None
    require_session_mfa: SessionMfa
    port_forwarding: bool
    port_forwarding_targets: tuple[str, ...]
    """Where a forward may lead; empty is anywhere, when forwarding is allowed at all."""
    file_copy: FileCopy
    agent_forwarding: bool
    x11_forwarding: bool
    client_idle_timeout: timedelta | None
    max_sessions: int | None
    record: RecordPolicy
    enhanced_recording: tuple[Enhanced, ...]
    on_grant_end: OnGrantEnd
    require_session_join: tuple[JoinDemand, ...]


def combine(letting_in: Sequence[Role], held: Sequence[Role]) -> Terms:
    """The terms under `letting_in`, a part of `held`. Order and repetition of roles do not matter."""
    here = [role.options for role in letting_in]
    everywhere = [role.options for role in held]
    forwarding = [options for options in everywhere if options.port_forwarding]
    return Terms(
        max_session_ttl=_smallest(options.max_session_ttl for options in everywhere),
        max_sessions=_smallest(options.max_sessions for options in everywhere),
        port_forwarding=bool(forwarding),
        port_forwarding_targets=_targets(options.port_forwarding_targets for options in forwarding),
        require_session_mfa=_strongest_factor(options.require_session_mfa for options in here),
        file_copy=_file_copy(options.file_copy or FileCopy.ALL for options in here),
        agent_forwarding=any(options.agent_forwarding for options in here),
        x11_forwarding=any(options.x11_forwarding for options in here),
        client_idle_timeout=_smallest(options.client_idle_timeout for options in here),
        record=_record(options.record for options in here),
        enhanced_recording=tuple(sorted({kind for options in here for kind in options.enhanced_recording})),
        on_grant_end=_on_grant_end(options.on_grant_end for options in here),
        require_session_join=_demands(letting_in),
    )


def _smallest(limits: Iterable[_Limit | None]) -> _Limit | None:
    return min((limit for limit in limits if limit is not None), default=None)


def _targets(said: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """The union, in which a role that forwards without naming targets stands for all of them."""
    lists = list(said)
    return tuple(sorted({target for targets in lists for target in targets})) if all(lists) else ()


def _strongest_factor(demanded: Iterable[SessionMfa | None]) -> SessionMfa:
    # A security key proves more than a code does, so it serves roles that ask for either.
    factors = set(demanded)
    for factor in (SessionMfa.WEBAUTHN, SessionMfa.TOTP):
        if factor in factors:
            return factor
    return SessionMfa.OFF


def _file_copy(said: Iterable[FileCopy]) -> FileCopy:
    allowed = set(said)
    uploads, downloads = allowed <= _UPLOADS, allowed <= _DOWNLOADS
    if uploads and downloads:
        return FileCopy.ALL
    if uploads:
        return FileCopy.UPLOAD
    return FileCopy.DOWNLOAD if downloads else FileCopy.NONE


def _record(said: Iterable[RecordPolicy | None]) -> RecordPolicy:
    return RecordPolicy.STRICT if RecordPolicy.STRICT in set(said) else RecordPolicy.BEST_EFFORT


def _on_grant_end(said: Iterable[OnGrantEnd | None]) -> OnGrantEnd:
    return OnGrantEnd.KEEP if set(said) == {OnGrantEnd.KEEP} else OnGrantEnd.TERMINATE


def _demands(letting_in: Sequence[Role]) -> tuple[JoinDemand, ...]:
    demands = {JoinDemand(role.name, role.options.require_session_join) for role in letting_in}
    return tuple(sorted((demand for demand in demands if demand.any_of), key=lambda demand: demand.role))
