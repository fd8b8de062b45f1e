"""Profiles that look like what a login leaves, without a hub."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from mezite.ca.tls_authority import to_pem
from mezite.client.profile import HeldRole, Keys, KnownHub, Login, Profile
from tests.support.authorities import tls

NOW = datetime(2026, 3, 24, 10, tzinfo=UTC)
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE28HlC7EK5522a7fSX7YlyCMjuv8Dm7PV8BmXReYZnQ"


def hub_at(
    proxy: str = "mezite.example.com:3080", *, cluster: str = "production", auth: str = ""
) -> KnownHub:
    return KnownHub(
        proxy=proxy,
        cluster=cluster,
        auth_addr=auth or "mezite.example.com:3025",
        ssh_addr=None,
        tls_authorities=to_pem(tls().certificate).decode(),
        host_authorities=(HOST_KEY,),
    )


def login_of(user: str = "alice", *, mark: str = "1", lasts: timedelta = timedelta(hours=12)) -> Login:
    """`mark` is in every key and certificate, so that parts of two logins can be told apart."""
    return Login(
        user=user,
        user_id=f"usr_{user}",
        roles=(HeldRole("access"), HeldRole("ssh-production", NOW + timedelta(hours=4))),
        logins=("ubuntu", user),
        issued_at=NOW,
        expires_at=NOW + lasts,
        keys=Keys(
            ssh_key=f"ssh key {mark}\n",
            ssh_public=f"ssh public {mark}\n",
            ssh_certificate=f"ssh certificate {mark}\n",
            tls_key=f"tls key {mark}\n",
            tls_certificate=f"tls certificate {mark}\n",
        ),
    )


def profile_of(proxy: str = "mezite.example.com:3080", *, mark: str = "1") -> Profile:
    return Profile(hub_at(proxy), login_of(mark=mark))
