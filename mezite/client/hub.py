"""Calls to a hub for programs that ask and wait. The calls themselves are in `methods`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Final, TypeVar, cast

import grpc

from mezite.api.generated import common_pb2
from mezite.client.channel import credentials, options, raised
from mezite.client.methods import A, Method, Q, Stream
from mezite.client.profile import Pass

TIMEOUT_S: Final = 10.0
PAGE: Final = 500
"""Rows to a page when everything is wanted."""

Row = TypeVar("Row")


class Hub:
    """One connection, made at the first call, closed by `with`."""

    def __init__(self, who: Pass) -> None:
        self.who = who
        self._channel = grpc.secure_channel(who.hub.auth_addr, credentials(who), options(who))

    def __enter__(self) -> Hub:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._channel.close()

    def call(self, method: Method[Q, A], question: Q, *, timeout_s: float | None = TIMEOUT_S) -> A:
        """The answer, or the error that the hub raised. Without a time-out, waits while the hub is there."""
        ask = self._channel.unary_unary(
            method.path,
            request_serializer=method.asks.SerializeToString,
            response_deserializer=method.answers.FromString,
        )
        try:
            return cast(A, ask(question, timeout=timeout_s))
        except grpc.RpcError as error:
            raise raised(error, self.who) from None

    def stream(self, method: Stream[Q, A], question: Q) -> Iterator[A]:
        """Answers as they come, without a time-out; ends when the hub ends it or the iterator is closed."""
        ask = self._channel.unary_stream(
            method.path,
            request_serializer=method.asks.SerializeToString,
            response_deserializer=method.answers.FromString,
        )
        answers = ask(question)
        try:
            yield from answers
        except grpc.RpcError as error:
            raise raised(error, self.who) from None
        finally:
            cast("grpc.Future[A]", answers).cancel()

    def pages(
        self,
        method: Method[common_pb2.Page, A],
        rows: Callable[[A], tuple[Iterable[Row], bool]],
        key: Callable[[Row], str],
    ) -> Iterator[Row]:
        """Every row of a list, page after page. `rows` says what a page holds and whether there are more."""
        after = ""
        while True:
            answer = self.call(method, common_pb2.Page(after=after, limit=PAGE))
            found, more = rows(answer)
            page = list(found)
            yield from page
            if not more or not page:
                return
            after = key(page[-1])
