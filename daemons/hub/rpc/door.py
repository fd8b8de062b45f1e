"""The one door of 3025: who calls, and how a refusal leaves.

1. TLS has checked that the client's certificate is from our authority. Here it is judged whole, by the rules
   of `mezite.ca.trust`, and the desk asks at each call whether it has ended: a channel outlives certificates.
2. Every servicer method goes through `unary` or `stream`; a test fails on one that does not.
3. What is not one of our errors is a bug: it is logged here with its trace, and the caller is told nothing.
"""

from __future__ import annotations

import functools
import logging
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn, Protocol, TypeVar
from urllib.parse import unquote

import grpc

from daemons.hub import peers
from daemons.hub.desk.desk import Desk
from daemons.hub.desk.who import Caller
from daemons.hub.metrics import Metrics
from mezite.api.status import answer
from mezite.ca import tls_certs
from mezite.errors import MeziteError, NotLoggedIn, OurFault
from mezite.model.identity import Identity

log = logging.getLogger(__name__)

Q = TypeVar("Q")
A = TypeVar("A")
S = TypeVar("S", bound="HasDoor")

CACHED: Final = 4_096
"""Certificates whose signature was checked; a look-up then costs no public-key arithmetic."""


@dataclass(slots=True)
class Door:
    desk: Desk
    metrics: Metrics
    _checked: OrderedDict[bytes, Identity] = field(default_factory=OrderedDict)

    def caller(self, context: grpc.aio.ServicerContext[Any, Any]) -> Caller:
        """Who the client certificate says this is; `NotLoggedIn` if it says nothing we believe."""
        pem = context.auth_context().get("x509_pem_cert")
        if not pem:
            raise NotLoggedIn("no client certificate; run `msh login`")
        return Caller(self._identity(next(iter(pem))), client_ip=address_of(context.peer()))

    def _identity(self, pem: bytes) -> Identity:
        known = self._checked.get(pem)
        now = self.desk.clock.now()
        if known is not None:
            self._checked.move_to_end(pem)
            return known
        keyring = self.desk.keyring
        identity = tls_certs.check_client(
            pem, trusted=keyring.tls_authorities, cluster=keyring.cluster, now=now
        )
        self._checked[pem] = identity
        if len(self._checked) > CACHED:
            self._checked.popitem(last=False)
        return identity


class HasDoor(Protocol):
    door: Door


def unary(
    method: Callable[[S, Caller, Q], Awaitable[A]],
) -> Callable[[S, Q, grpc.aio.ServicerContext[Q, A]], Awaitable[A]]:
    """Turns `method(self, caller, request)` into what gRPC calls."""

    @functools.wraps(method)
    async def guarded(self: S, request: Q, context: grpc.aio.ServicerContext[Q, A]) -> A:
        try:
            with self.door.metrics.timing("rpc"):
                return await method(self, self.door.caller(context), request)
        except MeziteError as error:
            await refuse(context, error)
        except Exception:  # a bug of ours: told to the log in full, to the caller not at all
            log.exception("%s failed", method.__qualname__)
            await refuse(context, OurFault("unexpected"))

    guarded.guarded = True  # type: ignore[attr-defined]  # what the test looks for
    return guarded


def stream(
    method: Callable[[S, Caller, Q], AsyncGenerator[A, None]],
) -> Callable[[S, Q, grpc.aio.ServicerContext[Q, A]], AsyncIterator[A]]:
    """The same for `method` that yields answers."""

    @functools.wraps(method)
    async def guarded(self: S, request: Q, context: grpc.aio.ServicerContext[Q, A]) -> AsyncIterator[A]:
        try:
            async with aclosing(method(self, self.door.caller(context), request)) as answers:
                async for answer_ in answers:
                    yield answer_
        except MeziteError as error:
            await refuse(context, error)
        except Exception:  # as above
            log.exception("%s failed", method.__qualname__)
            await refuse(context, OurFault("unexpected"))

    guarded.guarded = True  # type: ignore[attr-defined]
    return guarded


async def refuse(context: grpc.aio.ServicerContext[Any, Any], error: MeziteError) -> NoReturn:
    if isinstance(error, OurFault):
        log.error("%s", error)
    told = answer(error)
    await context.abort(grpc.StatusCode[told.status], told.message, told.metadata)
    raise AssertionError("abort always raises")


def address_of(peer: str) -> str:
    """`ipv4:127.0.0.1:5000` or `ipv6:%5B::1%5D:5000` to the address alone."""
    scheme, _, rest = unquote(peer).partition(":")
    if scheme not in ("ipv4", "ipv6"):
        return ""
    return peers.plain(rest.rpartition(":")[0].strip("[]"))
