"""Calls over real gRPC and TLS: what a hub raises arrives, and strangers are refused on both sides."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mezite.api import status
from mezite.api.generated import audit_pb2, common_pb2, users_pb2
from mezite.ca.tls_authority import to_pem
from mezite.ca.tls_certs import issue_client
from mezite.client.hub import Hub
from mezite.client.methods import AUDIT_EXPORT, STATUS_GET, USERS_GET, USERS_LIST
from mezite.client.profile import KnownHub, Pass
from mezite.errors import CallerError, Denied, Exists, MeziteError, NotLoggedIn, OurFault, Unavailable
from tests.support.authorities import ALICE, CLUSTER
from tests.support.https import fresh_authority, server_pem

OURS = fresh_authority("first")
Answer = Callable[[Any, grpc.ServicerContext], Any]


def pass_to(port: int, *, authority: str = "first", signed_by: str = "first") -> Pass:
    """Alice's, for a hub on this port; `authority` is whom she believes, `signed_by` who believes her."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    identity = replace(ALICE, issued_at=now, expires_at=now + timedelta(hours=1))
    certificate = issue_client(
        fresh_authority(signed_by), identity, public_key=key.public_key(), cluster=CLUSTER
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    roots = to_pem(fresh_authority(authority).certificate).decode()
    hub = KnownHub("127.0.0.1:3080", CLUSTER, f"127.0.0.1:{port}", None, roots)
    return Pass(hub, to_pem(certificate).decode(), private.decode(), identity.expires_at)


@contextmanager
def answering(path: str, answer: Answer, *, stream: bool = False, cluster: str = CLUSTER) -> Iterator[int]:
    """A hub with one call, whose faults a test writes by hand."""

    class One(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # generic in the stubs alone
        def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
            if details.method != path:
                return None
            make = grpc.unary_stream_rpc_method_handler if stream else grpc.unary_unary_rpc_method_handler
            return make(answer, response_serializer=lambda message: message.SerializeToString())

    server = grpc.server(ThreadPoolExecutor(2), handlers=[One()])
    root = to_pem(OURS.certificate)
    tls = grpc.ssl_server_credentials(
        [server_pem(OURS, cluster)], root_certificates=root, require_client_auth=True
    )
    port = server.add_secure_port("127.0.0.1:0", tls)
    server.start()
    try:
        yield port
    finally:
        server.stop(0).wait()


def refusing(error: MeziteError) -> Answer:
    def answer(_question: bytes, context: grpc.ServicerContext) -> None:
        told = status.answer(error)
        context.set_trailing_metadata(told.metadata)
        context.abort(grpc.StatusCode[told.status], told.message)

    return answer


def test_a_question_is_answered() -> None:
    with answering(USERS_GET.path, lambda question, _: users_pb2.User(name="alice")) as port:
        with Hub(pass_to(port)) as hub:
            assert hub.call(USERS_GET, users_pb2.UserName(name="alice")).name == "alice"


@pytest.mark.parametrize(
    "error",
    [
        Denied("no\nreally"), Exists("there is one", code="name_taken"), NotLoggedIn("gone", code="locked"),
        Unavailable("later"),
    ],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_what_the_hub_raises_is_raised_here(error: MeziteError) -> None:
    with answering(USERS_GET.path, refusing(error)) as port, Hub(pass_to(port)) as hub:
        with pytest.raises(type(error)) as raised:
            hub.call(USERS_GET, users_pb2.UserName())
    assert type(raised.value) is type(error)
    assert raised.value.code == error.code
    assert raised.value.message == error.message.replace("\n", "; ")


def test_a_crash_of_the_hub_is_its_fault() -> None:
    def crash(_question: bytes, _context: grpc.ServicerContext) -> None:
        raise RuntimeError("secret")

    with answering(USERS_GET.path, crash) as port, Hub(pass_to(port)) as hub:
        with pytest.raises(OurFault):
            hub.call(USERS_GET, users_pb2.UserName())


def test_a_call_that_the_hub_does_not_know_is_told() -> None:
    with answering(STATUS_GET.path, lambda *_: None) as port, Hub(pass_to(port)) as hub:
        with pytest.raises(CallerError, match="another version"):
            hub.call(USERS_GET, users_pb2.UserName())


def test_where_nothing_listens_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with (
        Hub(pass_to(port)) as hub,
        pytest.raises(Unavailable, match=r"cannot be reached \(connection refused\)"),
    ):
        hub.call(USERS_GET, users_pb2.UserName())


def test_a_hub_that_does_not_answer_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, Hub(pass_to(server.getsockname()[1])) as hub:
        with pytest.raises(Unavailable):
            hub.call(USERS_GET, users_pb2.UserName(), timeout_s=0.3)


def test_a_hub_of_another_authority_or_cluster_is_not_believed() -> None:
    with answering(USERS_GET.path, lambda *_: users_pb2.User()) as port:
        with Hub(pass_to(port, authority="another")) as hub, pytest.raises(CallerError) as refused:
            hub.call(USERS_GET, users_pb2.UserName())
    assert refused.value.code == "untrusted_hub"
    with answering(USERS_GET.path, lambda *_: users_pb2.User(), cluster="staging") as port:
        with Hub(pass_to(port)) as hub, pytest.raises(CallerError) as refused:
            hub.call(USERS_GET, users_pb2.UserName())
    assert refused.value.code == "untrusted_hub"


def test_a_stranger_gets_no_answer() -> None:
    with answering(USERS_GET.path, lambda *_: users_pb2.User()) as port:
        with Hub(pass_to(port, signed_by="another")) as hub, pytest.raises(MeziteError):
            hub.call(USERS_GET, users_pb2.UserName())


def test_all_pages_are_read() -> None:
    asked: list[str] = []

    def page(question: bytes, _context: grpc.ServicerContext) -> users_pb2.UserList:
        after = common_pb2.Page.FromString(question).after
        asked.append(after)
        names = {"": ["a", "b"], "b": ["c"]}[after]
        return users_pb2.UserList(users=[users_pb2.User(name=name) for name in names], more=not after)

    with answering(USERS_LIST.path, page) as port, Hub(pass_to(port)) as hub:
        rows = hub.pages(USERS_LIST, lambda answer: (answer.users, answer.more), lambda user: user.name)
        assert [user.name for user in rows] == ["a", "b", "c"]
    assert asked == ["", "b"]


def test_a_list_that_says_more_and_has_none_ends() -> None:
    with (
        answering(USERS_LIST.path, lambda *_: users_pb2.UserList(more=True)) as port,
        Hub(pass_to(port)) as hub,
    ):
        rows = hub.pages(USERS_LIST, lambda answer: (answer.users, answer.more), lambda user: user.name)
        assert list(rows) == []


def test_a_stream_ends_with_the_error_that_ended_it() -> None:
    def lines(_question: bytes, context: grpc.ServicerContext) -> Iterator[audit_pb2.Link]:
        yield audit_pb2.Link(head=audit_pb2.HeadText(text="x"))
        refusing(Denied("locked"))(b"", context)

    with answering(AUDIT_EXPORT.path, lines, stream=True) as port, Hub(pass_to(port)) as hub:
        answers = hub.stream(AUDIT_EXPORT, audit_pb2.ExportEventsRequest())
        assert next(answers).head.text == "x"
        with pytest.raises(Denied, match="locked"):
            next(answers)


def test_an_answer_over_the_bound_is_refused() -> None:
    huge = users_pb2.User(name="x" * (17 * 1024 * 1024))
    with answering(USERS_GET.path, lambda *_: huge) as port, Hub(pass_to(port)) as hub:
        with pytest.raises(MeziteError):
            hub.call(USERS_GET, users_pb2.UserName())
