"""The feed that resumes: nothing missed, nothing twice, and breaks are told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from hypothesis import given
from hypothesis import strategies as st

from mezite.api.generated import feed_pb2
from mezite.ca.tls_authority import to_pem
from mezite.client.methods import FEED_WATCH
from mezite.client.watch import (
    LONGEST_PAUSE_S,
    Changed,
    Lost,
    News,
    Reset,
    Resumed,
    UpToDate,
    lines_of,
    pause_s,
    watch,
)
from mezite.errors import Denied, MeziteError, Unavailable
from tests.client.test_hub import OURS, pass_to
from tests.support.authorities import CLUSTER
from tests.support.https import server_pem


def change(revision: int) -> feed_pb2.FeedLine:
    return feed_pb2.FeedLine(
        change=feed_pb2.Change(revision=revision, kind="user", key=f"u{revision}", op="put")
    )


def here(revision: int) -> feed_pb2.FeedLine:
    return feed_pb2.FeedLine(here=feed_pb2.Here(revision=revision))


def reset(revision: int) -> feed_pb2.FeedLine:
    return feed_pb2.FeedLine(reset=feed_pb2.Reset(revision=revision))


async def gathered(watched: AsyncIterator[News]) -> list[News]:
    """Everything that was told until the hub refused."""
    found: list[News] = []
    try:
        async for news in watched:
            found.append(news)  # noqa: PERF401  # a comprehension would lose what came before the refusal
    except Denied:
        return found
    raise AssertionError("a watch goes on until it is refused")


class Feed:
    """Connections one after another: the lines of each, and the error that ends it; the last is a refusal."""

    def __init__(self, *connections: Sequence[feed_pb2.FeedLine | MeziteError]) -> None:
        self._connections = iter(connections)
        self.asked: list[int] = []
        self.slept: list[float] = []

    async def lines(self, after: int) -> AsyncIterator[feed_pb2.FeedLine]:
        self.asked.append(after)
        for line in next(self._connections):
            if isinstance(line, MeziteError):
                raise line
            yield line

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def told(self, *, after: int = 0) -> list[News]:
        return await gathered(watch(self.lines, after=after, sleep=self.sleep, chance=lambda: 0.5))


LOCKED = Denied("locked")


def changed(revision: int) -> Changed:
    return Changed(revision, "user", f"u{revision}", "put")


async def test_it_goes_on_where_it_broke_off_and_says_so() -> None:
    feed = Feed(
        [here(4), change(5), Unavailable("away")], [Unavailable("away")], [change(6), here(6), LOCKED]
    )
    assert await feed.told() == [UpToDate(4), changed(5), Lost("away"), Resumed(), changed(6), UpToDate(6)]
    assert feed.asked == [0, 5, 5]
    assert feed.slept[1] > feed.slept[0]


async def test_a_line_that_comes_again_is_passed_over() -> None:
    feed = Feed([change(5), change(5), change(4), change(6), LOCKED])
    assert await feed.told(after=4) == [changed(5), changed(6)]


async def test_a_place_that_is_no_longer_kept_is_a_reset() -> None:
    feed = Feed([Unavailable("away")], [reset(900), change(901), LOCKED])
    assert await feed.told(after=3) == [Lost("away"), Resumed(), Reset(900), changed(901)]


async def test_a_break_before_anything_was_seen_may_have_hidden_something() -> None:
    feed = Feed([here(0), Unavailable("away")], [here(7), LOCKED])
    assert await feed.told() == [UpToDate(0), Lost("away"), Resumed(), Reset(7)]


async def test_a_feed_that_ends_by_itself_is_opened_again_after_a_pause() -> None:
    feed = Feed([here(1)], [], [LOCKED])
    assert await feed.told() == [UpToDate(1), Lost("the hub ended the feed")]
    assert len(feed.slept) == 2


async def test_lines_of_a_later_version_are_passed_over() -> None:
    assert await Feed([feed_pb2.FeedLine(), here(1), LOCKED]).told() == [UpToDate(1)]


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_pauses_grow_to_a_bound_and_differ(failures: int, chance: float) -> None:
    assert 0.1 <= pause_s(failures, chance) <= LONGEST_PAUSE_S
    assert pause_s(failures, 0.0) < pause_s(failures, 0.9)
    assert pause_s(failures + 1, chance) >= pause_s(failures, chance)


@given(st.lists(st.lists(st.integers(1, 9), max_size=6), max_size=6))
async def test_whatever_breaks_every_change_comes_once_and_in_order(breaks: list[list[int]]) -> None:
    """A hub that keeps changes 1 to 20 and drops the line after some of them, now and then repeating one."""
    cuts = iter([*breaks, None])
    asked: list[int] = []

    async def lines(after: int) -> AsyncIterator[feed_pb2.FeedLine]:
        asked.append(after)
        cut = next(cuts)
        for revision in range(after + 1, 21):
            yield change(revision)
            if cut and revision in cut:
                yield change(revision)
                raise Unavailable("cut")
        if cut is None or after >= 20:
            raise LOCKED

    async def sleep(_seconds: float) -> None:
        pass

    told = await gathered(watch(lines, sleep=sleep))
    assert [news.revision for news in told if isinstance(news, Changed)] == list(range(1, 21))


async def test_over_real_grpc_a_hub_that_restarts_is_found_again() -> None:
    asked: list[int] = []

    class One(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # generic in the stubs alone
        def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
            def answer(question: bytes, context: grpc.ServicerContext) -> object:
                after = feed_pb2.WatchRequest.FromString(question).after
                asked.append(after)
                if after == 0:
                    yield change(1)
                    context.abort(grpc.StatusCode.UNAVAILABLE, "going down")
                yield here(after)
                context.set_trailing_metadata((("mezite-code", "denied"),))
                context.abort(grpc.StatusCode.PERMISSION_DENIED, "locked")

            assert details.method == FEED_WATCH.path
            return grpc.unary_stream_rpc_method_handler(
                answer, response_serializer=lambda message: message.SerializeToString()
            )

    server = grpc.server(ThreadPoolExecutor(2), handlers=[One()])
    tls = grpc.ssl_server_credentials(
        [server_pem(OURS, CLUSTER)], root_certificates=to_pem(OURS.certificate), require_client_auth=True
    )
    port = server.add_secure_port("127.0.0.1:0", tls)
    server.start()

    async def sleep(_seconds: float) -> None:
        pass

    try:
        seen = await gathered(watch(lines_of(lambda: pass_to(port)), sleep=sleep))
    finally:
        server.stop(0).wait()
    assert asked == [0, 1]
    assert [type(news) for news in seen] == [Changed, Lost, Resumed, UpToDate]
