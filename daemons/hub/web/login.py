"""Discovery and login over HTTPS: how a client finds a cluster, and how it gets its first certificate."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field

import mezite
from daemons.hub import peers
from daemons.hub.desk.certs import Issued, PublicKeys
from daemons.hub.desk.logins import Logins, Proof
from daemons.hub.keyring import Keyring
from daemons.hub.web.problem import documented
from mezite.client import access_token
from mezite.clock import rfc3339
from mezite.errors import Invalid, NotLoggedIn


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Discovery(BaseModel):
    """An address whose host is empty (`:3025`) means the host that was asked."""

    cluster: str
    version: str
    public_addr: str | None
    auth_addr: str
    ssh_addr: str | None
    tunnel_addr: str
    web_addr: str
    ca_pins: list[str]
    tls_authorities: str
    login_methods: list[str]
    time: str


class Typed(Strict):
    user: str = Field(max_length=256)
    password: str = Field(max_length=1024)
    otp: str | None = Field(default=None, max_length=64)


class CertificateOrder(Typed):
    ssh_public_key: str = Field(max_length=1024)
    tls_public_key: str = Field(max_length=1024, description="base64 of a P-256 SubjectPublicKeyInfo, DER")
    ttl_s: int | None = Field(default=None, ge=1, le=86_400)


class TokenOrder(Strict):
    token: str = Field(max_length=4096)
    tls_public_key: str = Field(max_length=1024)
    ssh_public_key: str | None = Field(default=None, max_length=1024)


class Certificates(BaseModel):
    ssh_certificate: str
    tls_certificate: str
    host_authorities: list[str]
    tls_authorities: str
    expires_at: str
    user: str
    user_id: str
    roles: list[str]
    logins: list[str]
    cluster: str


class WebLogin(BaseModel):
    access_token: str
    expires_at: str
    user: str


class EnrolmentOrder(Strict):
    token: str = Field(max_length=256)
    password: str = Field(max_length=1024)


class Enrolled(BaseModel):
    user: str


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the cluster is reached, as told to clients; `:port` leaves the host to whoever asks."""

    public: str | None
    auth: str
    ssh: str | None
    tunnel: str
    web: str


BEARER = HTTPBearer(auto_error=False, description="the access_token of /v1/webapi/login")


def bearer(found: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]) -> str:
    if found is None:
        raise NotLoggedIn("log in first: POST /v1/webapi/login gives an access_token to send as a bearer")
    return found.credentials


def client_ip(request: Request) -> str:
    return peers.plain(request.client.host) if request.client else ""


def router(logins: Logins, addresses: Callable[[], Addresses], now: Callable[[], datetime]) -> APIRouter:
    """The routes under /v1/webapi that need no certificate."""
    routes = APIRouter(prefix="/v1/webapi")
    keyring = logins.desk.keyring

    @routes.get("/ping")
    async def ping() -> Discovery:
        where = addresses()
        return Discovery(
            cluster=keyring.cluster,
            version=mezite.__version__,
            public_addr=where.public,
            auth_addr=where.auth,
            ssh_addr=where.ssh,
            tunnel_addr=where.tunnel,
            web_addr=where.web,
            ca_pins=[keyring.ca_pin],
            tls_authorities=keyring.tls_authorities_pem,
            login_methods=["password", "totp"],
            time=rfc3339(now()),
        )

    @routes.post("/login", responses=documented(401, 413, 422, 429))
    async def login(order: Typed, request: Request) -> WebLogin:
        secret, token = await logins.web_token(_proof(order, request))
        user = await logins.who_bears(secret)
        return WebLogin(access_token=secret, expires_at=rfc3339(token.expires_at), user=user.name)

    @routes.post("/login/certificates", responses=documented(401, 413, 422, 429))
    async def login_certificates(order: CertificateOrder, request: Request) -> Certificates:
        keys = PublicKeys(tls_spki=_base64(order.tls_public_key), ssh_line=order.ssh_public_key)
        issued = await logins.certificates(
            _proof(order, request), keys, timedelta(seconds=order.ttl_s) if order.ttl_s else None
        )
        return _certificates(issued, keyring)

    @routes.post("/token/certificates", responses=documented(401, 413, 422, 429))
    async def token_certificates(order: TokenOrder, request: Request) -> Certificates:
        keys = PublicKeys(tls_spki=_base64(order.tls_public_key), ssh_line=order.ssh_public_key or "")
        issued = await logins.exchange(access_token.parse(order.token), keys, client_ip(request))
        return _certificates(issued, keyring)

    @routes.post("/enrol", responses=documented(401, 413, 422, 429))
    async def enrol(order: EnrolmentOrder, request: Request) -> Enrolled:
        user = await logins.enrol(order.token, order.password, client_ip(request))
        return Enrolled(user=user.name)

    @routes.post("/logout", status_code=204, responses=documented(401))
    async def logout(secret: Annotated[str, Depends(bearer)], request: Request) -> None:
        await logins.logout(secret, client_ip(request))

    return routes


def _proof(order: Typed, request: Request) -> Proof:
    return Proof(order.user, order.password, order.otp or "", client_ip(request))


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise Invalid("tls_public_key is not base64") from None


def _certificates(issued: Issued, keyring: Keyring) -> Certificates:
    return Certificates(
        ssh_certificate=issued.ssh_line,
        tls_certificate=issued.tls_pem,
        host_authorities=list(keyring.host_authorities),
        tls_authorities=keyring.tls_authorities_pem,
        expires_at=rfc3339(issued.identity.expires_at),
        user=issued.user.name,
        user_id=issued.user.id,
        roles=list(issued.identity.roles),
        logins=list(issued.logins),
        cluster=keyring.cluster,
    )
