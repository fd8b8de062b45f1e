"""Streams of a hub for programs that stay: one connection each, read on the event loop.

A stream that ends is told by its error or its end; going on where it broke off is the reader's business.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final, cast

import grpc
import grpc.aio

from mezite.client.channel import credentials, options, raised
from mezite.client.methods import A, Q, Stream
from mezite.client.profile import Pass

KEEPALIVE_MS: Final = 20_000
"""A connection that died without a word is noticed within two of these."""


async def streamed(bearer: Pass, method: Stream[Q, A], question: Q) -> AsyncGenerator[A, None]:
    """Answers as they come, until the hub ends it; raises errors of ours. Closing it hangs up."""
    keepalive = [("grpc.keepalive_time_ms", KEEPALIVE_MS), ("grpc.keepalive_timeout_ms", KEEPALIVE_MS)]
    target = bearer.hub.auth_addr
    async with grpc.aio.secure_channel(
        target, credentials(bearer), [*options(bearer), *keepalive]
    ) as channel:
        ask = channel.unary_stream(
            method.path,
            request_serializer=method.asks.SerializeToString,
            response_deserializer=method.answers.FromString,
        )
        try:
            async for answer in ask(question):
                yield cast(A, answer)
        except grpc.RpcError as error:
            raise raised(error, bearer) from None
