"""Who may call what: every gRPC method and HTTP route, each kind of caller, in one table that is the test.

The table is held against a real hub over its real ports. A method or route without a row fails, as does a row
without a method, and a servicer method that does not go through the door.
"""

from __future__ import annotations

import base64
import importlib
import itertools
import json
import pkgutil
import ssl
import typing
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any, Final

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message

import mezite.api.generated
from daemons.hub.desk.logins import Logins
from daemons.hub.metrics import Metrics
from daemons.hub.rpc.server import Services
from daemons.hub.web import server as web_server
from mezite.api.generated import (
    access_pb2,
    audit_pb2,
    authorities_pb2,
    common_pb2,
    feed_pb2,
    identity_pb2,
    locks_pb2,
    nodes_pb2,
    roles_pb2,
    users_pb2,
)
from mezite.api.status import CODE_KEY
from mezite.client import methods
from mezite.client.hub import Hub
from mezite.client.keypairs import ssh_pair, tls_pair
from mezite.client.profile import Pass
from tests.support.hub import EMPTY, PASSWORD, LiveHub, hub_settings, live_hub

KINDS: Final = ("nobody", "expired", "locked", "deleted", "plain", "auditor", "admin", "node", "local")
LATER: Final = timedelta(hours=25)
"""Beyond every certificate and bearer: the hub's clock is set so for the calls of the expired one."""


class Cast:
    """The callers of the table, and things for them to call about."""

    def __init__(self, live: LiveHub) -> None:
        self.live = live
        self.fresh = (f"thing-{number}" for number in itertools.count())
        live.enrol_first()
        self.admin = live.dial(live.log_in("admin"))
        for name, role in (
            ("expired", "admin"),
            ("locked", "admin"),
            ("deleted", "admin"),
            ("plain", "access"),
            ("auditor", "auditor"),
        ):
            live.create(self.admin, name, role)
        users = KINDS[1:7]
        self.passes: dict[str, Pass] = {name: live.log_in(name).as_pass() for name in users}
        self.passes |= {"node": live.as_node("node"), "local": live.as_local()}
        self.bearers = {name: self.bearer(name) for name in users}
        self.tokens = {name: self.token(name) for name in users}
        self.lock = self.admin.call(
            methods.LOCKS_CREATE, locks_pb2.CreateLockRequest(target="user", name="locked")
        )
        self.admin.call(methods.USERS_DELETE, users_pb2.UserName(name="deleted"))
        self.channels = {name: self._channel(name) for name in KINDS}
        # Shaken hands while it is good: from then on only the hub can say that a certificate has ended.
        grpc.channel_ready_future(self.channels["expired"]).result(10)

    def close(self) -> None:
        for channel in self.channels.values():
            channel.close()
        self.admin.__exit__(None, None, None)

    def _channel(self, kind: str) -> grpc.Channel:
        who = self.passes.get(kind)
        credentials = grpc.ssl_channel_credentials(
            root_certificates=self.live.tls_authorities.encode(),
            private_key=who.key.encode() if who else None,
            certificate_chain=who.certificate.encode() if who else None,
        )
        options = [("grpc.ssl_target_name_override", f"hub.{self.live.running.desk.cluster}.mezite")]
        return grpc.secure_channel(self.live.auth_addr, credentials, options)

    def bearer(self, name: str) -> str:
        answer = self.live.contact.web.post("/v1/webapi/login", {"user": name, "password": PASSWORD})
        return str(answer["access_token"])

    def token(self, name: str) -> str:
        with Hub(self.passes[name]) as hub:
            made = hub.call(
                methods.IDENTITY_CREATE_ACCESS_TOKEN, identity_pb2.CreateAccessTokenRequest(ttl_s=3600)
            )
        return made.token

    def user(self) -> str:
        name = next(self.fresh)
        self.admin.call(methods.USERS_CREATE, users_pb2.CreateUserRequest(name=name))
        return name

    def invitation(self) -> str:
        request = users_pb2.CreateUserRequest(name=next(self.fresh))
        return self.admin.call(methods.USERS_CREATE, request).enrolment_token

    def role(self) -> str:
        name = next(self.fresh)
        self.admin.call(methods.ROLES_PUT, roles_pb2.PutRolesRequest(text=role_text(name)))
        return name

    def a_lock(self) -> str:
        request = locks_pb2.CreateLockRequest(target="login", name="nobody")
        return self.admin.call(methods.LOCKS_CREATE, request).id

    def a_token(self) -> str:
        request = nodes_pb2.CreateTokenRequest(roles=["node"], ttl_s=3600)
        return self.admin.call(methods.TOKENS_CREATE, request).token.id

    def a_node(self) -> str:
        name = next(self.fresh)
        self.live.as_node(name)
        return name

    @cached_property
    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self.live.tls_authorities)


def role_text(name: str) -> str:
    return f"kind: role\nmetadata: {{name: {name}}}\nspec: {{}}\n"


@pytest.fixture(scope="module")
def cast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cast]:
    with live_hub(hub_settings(tmp_path_factory.mktemp("deny") / "data")) as live:
        cast = Cast(live)
        try:
            yield cast
        finally:
            cast.close()


@dataclass(frozen=True)
class Row:
    """What is asked, and the answer each kind gets; `word:code` also names the code."""

    answers: str
    ask: Callable[[Cast], Message] = field(default=lambda _cast: EMPTY)

    def expected(self, kind: str) -> str:
        return dict(zip(KINDS, self.answers.split(), strict=True))[kind]


# fmt: off
WORDS: Final = {
    "ok": "OK", "out": "UNAUTHENTICATED", "deny": "PERMISSION_DENIED", "none": "NOT_FOUND",
    "shut": "UNAVAILABLE",  # TLS itself lets nobody in who shows no certificate
}

# Each row: what nobody, expired, locked and deleted get | a plain user, the auditor, the admin | a node, and
# whoever sits at the hub's machine.
OUT: Final = "shut out:expired out:locked out"
RPC: Final = {
    "Access/Explain": Row(f"{OUT} deny ok ok deny ok", lambda cast: access_pb2.ExplainRequest(
        user="admin", action="ssh", login="root", node="node")),
    "Audit/List": Row(f"{OUT} deny ok ok deny ok", lambda cast: audit_pb2.ListEventsRequest()),
    "Audit/Tail": Row(f"{OUT} deny ok ok deny ok", lambda cast: audit_pb2.TailEventsRequest(from_start=True)),
    "Audit/Export": Row(f"{OUT} deny ok ok deny ok", lambda cast: audit_pb2.ExportEventsRequest()),
    "Audit/Verify": Row(f"{OUT} deny ok ok deny ok", lambda cast: audit_pb2.VerifyRequest()),
    "Audit/Head": Row(f"{OUT} deny ok ok deny ok"),
    "Authorities/Export": Row(f"{OUT} ok ok ok ok ok", lambda cast: authorities_pb2.ExportAuthorityRequest(
        kind="user")),
    "Authorities/Sign": Row(f"{OUT} deny deny ok deny ok", lambda cast: authorities_pb2.SignRequest(
        user="plain", tls_public_key=tls_pair().public, ttl_s=60)),
    "Feed/Watch": Row(f"{OUT} ok ok ok ok ok", lambda cast: feed_pb2.WatchRequest()),
    "Identity/WhoAmI": Row(f"{OUT} ok ok ok ok ok"),
    "Identity/Renew": Row(f"{OUT} ok ok ok deny:not_a_user deny:not_a_user", lambda cast: (
        identity_pb2.RenewRequest(tls_public_key=tls_pair().public))),
    "Identity/ChangePassword": Row(
        f"{OUT} deny:wrong_password deny:wrong_password deny:wrong_password deny:not_a_user deny:not_a_user",
        lambda cast: identity_pb2.ChangePasswordRequest(old="not it", new="another battery")),
    "Identity/BeginTotp": Row(
        f"{OUT} deny:wrong_password deny:wrong_password deny:wrong_password deny:not_a_user deny:not_a_user",
        lambda cast: identity_pb2.BeginTotpRequest(password="not it")),
    "Identity/ConfirmTotp": Row(f"{OUT} none none none deny:not_a_user deny:not_a_user", lambda cast: (
        identity_pb2.OtpCode(otp="000000"))),
    "Identity/RemoveTotp": Row(f"{OUT} none none none deny:not_a_user deny:not_a_user", lambda cast: (
        identity_pb2.OtpCode(otp="000000"))),
    "Identity/CreateAccessToken": Row(f"{OUT} ok ok ok deny:not_a_user deny:not_a_user", lambda cast: (
        identity_pb2.CreateAccessTokenRequest())),
    "Identity/ListAccessTokens": Row(f"{OUT} deny ok ok deny ok", lambda cast: (
        identity_pb2.ListAccessTokensRequest(user="admin"))),
    "Identity/RevokeAccessToken": Row(f"{OUT} none none none none none", lambda cast: (
        identity_pb2.AccessTokenId(id="tok_nothing"))),
    "Locks/Create": Row(f"{OUT} deny deny ok deny ok", lambda cast: locks_pb2.CreateLockRequest(
        target="login", name="nobody")),
    "Locks/List": Row(f"{OUT} deny ok ok deny ok", lambda cast: common_pb2.Page()),
    "Locks/Delete": Row(f"{OUT} deny deny ok deny ok", lambda cast: locks_pb2.LockId(id=cast.a_lock())),
    "Nodes/List": Row(f"{OUT} ok ok ok ok ok", lambda cast: nodes_pb2.ListNodesRequest()),
    "Nodes/Get": Row(f"{OUT} ok ok ok none ok", lambda cast: nodes_pb2.NodeName(name="node")),
    "Nodes/Remove": Row(f"{OUT} deny deny ok deny ok", lambda cast: nodes_pb2.NodeName(name=cast.a_node())),
    "Roles/Put": Row(f"{OUT} deny deny ok deny ok", lambda cast: roles_pb2.PutRolesRequest(
        text=role_text(next(cast.fresh)))),
    "Roles/Get": Row(f"{OUT} deny ok ok deny ok", lambda cast: roles_pb2.RoleName(name="reviewer")),
    "Roles/List": Row(f"{OUT} deny ok ok deny ok", lambda cast: common_pb2.Page()),
    "Roles/Delete": Row(f"{OUT} deny deny ok deny ok", lambda cast: roles_pb2.RoleName(name=cast.role())),
    "Status/Get": Row(f"{OUT} deny ok ok deny ok"),
    "Tokens/Create": Row(f"{OUT} deny deny ok deny ok", lambda cast: nodes_pb2.CreateTokenRequest(
        roles=["node"], ttl_s=3600)),
    "Tokens/List": Row(f"{OUT} deny ok ok deny ok", lambda cast: common_pb2.Page()),
    "Tokens/Delete": Row(f"{OUT} deny deny ok deny ok", lambda cast: nodes_pb2.TokenId(id=cast.a_token())),
    "Users/Create": Row(f"{OUT} deny deny ok deny ok", lambda cast: users_pb2.CreateUserRequest(
        name=next(cast.fresh))),
    "Users/Get": Row(f"{OUT} deny ok ok deny ok", lambda cast: users_pb2.UserName(name="admin")),
    "Users/List": Row(f"{OUT} deny ok ok deny ok", lambda cast: common_pb2.Page()),
    "Users/Update": Row(f"{OUT} deny deny ok deny ok", lambda cast: users_pb2.UpdateUserRequest(
        name=cast.user(), add_roles=["access"])),
    "Users/Delete": Row(f"{OUT} deny deny ok deny ok", lambda cast: users_pb2.UserName(name=cast.user())),
    "Users/Reset": Row(f"{OUT} deny deny ok deny ok", lambda cast: users_pb2.ResetUserRequest(
        name=cast.user())),
}
# fmt: on


def services() -> list[ServiceDescriptor]:
    found: list[ServiceDescriptor] = []
    for module in pkgutil.iter_modules(mezite.api.generated.__path__):
        if module.name.endswith("_pb2"):
            file = importlib.import_module(f"mezite.api.generated.{module.name}").DESCRIPTOR
            found += file.services_by_name.values()
    return found


METHODS: Final[dict[str, MethodDescriptor]] = {
    f"{service.name}/{method.name}": method for service in services() for method in service.methods
}


def test_every_method_has_its_row_and_every_row_its_method() -> None:
    assert sorted(RPC) == sorted(METHODS)


def test_every_servicer_method_goes_through_the_door() -> None:
    served = {kind.__name__: kind for kind in typing.get_type_hints(Services).values()}
    for service in services():
        servicer = served.pop(service.name)
        for method in service.methods:
            assert getattr(getattr(servicer, method.name), "guarded", False), f"{service.name}/{method.name}"
    assert not served


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", RPC)
def test_methods(cast: Cast, name: str, kind: str) -> None:
    word, _, code = RPC[name].expected(kind).partition(":")
    request = RPC[name].ask(cast)
    with cast.live.clock.shifted(LATER) if kind == "expired" else nullcontext():
        status, told = answered(cast.channels[kind], METHODS[name], request)
    assert status == WORDS[word]
    if code:
        assert told == code


def answered(channel: grpc.Channel, method: MethodDescriptor, request: Message) -> tuple[str, str]:
    """(status, our code) of the first answer."""
    from google.protobuf import message_factory

    path = f"/{method.containing_service.full_name}/{method.name}"
    answers = message_factory.GetMessageClass(method.output_type)
    kind = channel.unary_stream if method.server_streaming else channel.unary_unary
    ask: Any = kind(
        path,
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=answers.FromString,
    )
    try:
        answer = ask(request, timeout=20)
        if method.server_streaming:
            next(answer)
            answer.cancel()
    except grpc.RpcError as error:
        call: Any = error
        trailing = dict(call.trailing_metadata() or ())
        return call.code().name, trailing.get(CODE_KEY, "")
    return "OK", ""


@dataclass(frozen=True)
class Route:
    """The status each kind gets. What a kind shows is its own bearer, password or token; none has none."""

    answers: str
    body: Callable[[Cast, str], dict[str, Any]] | None = None
    bearer: Callable[[Cast, str], str | None] = field(default=lambda cast, kind: cast.bearers.get(kind))

    def expected(self, kind: str) -> int:
        return int(dict(zip(KINDS, self.answers.split(), strict=True))[kind])


def login_body(_cast: Cast, kind: str) -> dict[str, Any]:
    return {"user": kind, "password": PASSWORD}


def keys_body() -> dict[str, Any]:
    tls = base64.b64encode(tls_pair().public).decode()
    return {"tls_public_key": tls, "ssh_public_key": ssh_pair().public}


def token_body(cast: Cast, kind: str) -> dict[str, Any]:
    return {"token": cast.tokens.get(kind, "mzt_no"), **keys_body()}


def fresh_bearer(cast: Cast, kind: str) -> str | None:
    """One of its own, since logging out ends it."""
    return cast.bearer(kind) if kind in ("plain", "auditor", "admin") else cast.bearers.get(kind)


# fmt: off
# Each row: nobody, expired, locked, deleted | plain, auditor, admin | node, local (which have no bearer).
# An expired login is no reason not to log in again, an invitation belongs to whoever was handed it, and the
# numbers are free for this machine, where all of these are.
HTTP: Final = {
    "GET /v1/webapi/ping": Route("200 200 200 200 200 200 200 200 200"),
    "POST /v1/webapi/login": Route("401 200 401 401 200 200 200 401 401", login_body),
    "POST /v1/webapi/login/certificates": Route("401 200 401 401 200 200 200 401 401", lambda cast, kind: (
        {**login_body(cast, kind), **keys_body()})),
    "POST /v1/webapi/token/certificates": Route("401 401 401 401 200 200 200 401 401", token_body),
    "POST /v1/webapi/enrol": Route("200 401 200 200 200 200 200 200 200", lambda cast, kind: (
        {"token": cast.invitation(), "password": PASSWORD})),
    "POST /v1/webapi/logout": Route("401 401 401 401 204 204 204 401 401", bearer=fresh_bearer),
    "GET /healthz": Route("200 200 200 200 200 200 200 200 200"),
    "GET /readyz": Route("200 200 200 200 200 200 200 200 200"),
    "GET /openapi.json": Route("200 200 200 200 200 200 200 200 200"),
    "GET /metrics": Route("200 401 401 401 403 200 200 200 200"),
}
# fmt: on


def test_every_route_has_its_row_and_every_row_its_route(cast: Cast) -> None:
    logins = Logins(cast.live.running.desk, passwords=None)  # type: ignore[arg-type]  # nobody logs in here
    app = web_server.application(
        logins, Metrics(), {}, lambda: cast.live.running.addresses, cast.live.clock.now
    )
    routes = {f"{method} {path}" for path, operations in app.openapi()["paths"].items() for method in
              (verb.upper() for verb in operations)}  # fmt: skip
    walked = {
        f"{method} {route.path}"
        for route in flat(app.routes)
        for method in sorted(getattr(route, "methods", None) or {"ANY"})
        if method != "HEAD"
    }
    assert sorted(walked) == sorted(HTTP)
    assert routes == walked - {"GET /openapi.json"}, "OpenAPI tells of every route"


def flat(routes: Any) -> Iterator[Any]:
    for route in routes:
        inner = getattr(route, "routes", None) or getattr(
            getattr(route, "original_router", None), "routes", None
        )
        if inner and not hasattr(route, "endpoint"):
            yield from flat(inner)
        else:
            yield route


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", HTTP)
def test_routes(cast: Cast, name: str, kind: str) -> None:
    route = HTTP[name]
    body, bearer = route.body and route.body(cast, kind), route.bearer(cast, kind)
    with cast.live.clock.shifted(LATER) if kind == "expired" else nullcontext():
        status, content_type, content = fetch(cast, name, body, bearer)
    assert status == route.expected(kind), content
    if status >= 400:
        assert content_type == "application/problem+json"
        told = json.loads(content)
        assert set(told) == {"type", "title", "status", "detail", "code"}
        assert told["status"] == status


def fetch(cast: Cast, name: str, body: dict[str, Any] | None, bearer: str | None) -> tuple[int, str, bytes]:
    method, path = name.split()
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {bearer}"} if bearer else {})
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(  # an address of our own making
        f"https://{cast.live.proxy}{path}", data, headers, method=method
    )
    try:
        with urllib.request.urlopen(request, context=cast.tls, timeout=20) as answer:  # noqa: S310
            return answer.status, answer.headers.get("content-type", ""), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers.get("content-type", ""), error.read()
