"""A console without a hub: news is told to it by hand, and its questions are answered by the test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from textual.pilot import Pilot

from mezite.api.generated import access_pb2
from mezite.audit.events import Event, Kind
from mezite.client.profiles import Profiles
from mezite.clock import SystemClock
from mezite.errors import MeziteError
from tui.app import Console
from tui.messages import Entry, EventsCame, Introduced, LinkUp, News, Node, NodesRead, Person
from tui.state import State
from tui.themes import DARK, Theme

NOW = datetime(2026, 11, 21, 2, 14, 7, tzinfo=UTC)


class StillClock(SystemClock):
    def __init__(self, now: datetime = NOW) -> None:
        self.moment = now

    def now(self) -> datetime:
        return self.moment


class FakeLink:
    """Answers questions about access with what a test says."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str, tuple[str, ...]]] = []
        self.answer: access_pb2.Explanation | MeziteError = explanation()
        self.retries = 0

    def retry(self) -> None:
        self.retries += 1

    async def explain(self, user: str, login: str, node: str, roles: Sequence[str]) -> access_pb2.Explanation:
        self.asked.append((user, login, node, tuple(roles)))
        if isinstance(self.answer, MeziteError):
            raise self.answer
        return self.answer


class TestConsole(Console):
    """The console on a `FakeLink`, past its login form."""

    __test__ = False

    def __init__(self, home: Path, theme: Theme = DARK, *, ascii_only: bool = False) -> None:
        self.still = StillClock()
        super().__init__(Profiles(home), self.still, theme, ascii_only=ascii_only)
        self.fake = FakeLink()

    def begin(self, *news: News) -> None:
        self.state = State()
        self.link = self.fake  # type: ignore[assignment]  # the part of a link that screens use
        self.go("Nodes")
        for each in news:
            self.hear(each)


@asynccontextmanager
async def opened(
    home: Path, size: tuple[int, int] = (120, 36), theme: Theme = DARK, *news: News, ascii_only: bool = False
) -> AsyncIterator[tuple[TestConsole, Pilot[None]]]:
    app = TestConsole(home, theme, ascii_only=ascii_only)
    async with app.run_test(size=size) as pilot:
        app.begin(*(news or usual()))
        await pilot.pause()
        yield app, pilot


def usual() -> tuple[News, ...]:
    return (
        Introduced(Person("dana.r", "prod-eu", ("admin",))),
        NodesRead(nodes()),
        EventsCame(events(40)),
        LinkUp(NOW - timedelta(seconds=2)),
    )


def nodes() -> tuple[Node, ...]:
    def node(number: int, name: str, logins: tuple[str, ...], *, online: bool = True, **labels: str) -> Node:
        joined = datetime(2026, 3, 24, 10, 0, number, tzinfo=UTC)
        return Node(
            f"5f1c2a3b-0000-4000-8000-{number:012}", name, online, "node", "0.1.0", f"10.20.8.{number}",
            joined, tuple(sorted(labels.items())), logins,
        )  # fmt: skip

    return (
        node(1, "db-1", ("postgres", "root"), env="production", team="data", sensitivity="high"),
        node(2, "db-2", ("postgres",), env="production", team="data", online=False),
        node(3, "k8s-cp-1", ("sre",), env="production", team="platform"),
        node(4, "staging-01", ("dana", "ubuntu"), env="staging", team="platform", os="ubuntu"),
        node(5, "web-server-01", ("deploy", "ubuntu"), env="production", team="platform", os="ubuntu"),
        node(6, "web-server-02", (), env="production", team="platform", os="ubuntu"),
    )


_KINDS = (
    (Kind.USER_LOGIN, "alice.wu", "", "", "10.20.4.17", ""),
    (Kind.CERT_ISSUED, "alice.wu", "", "", "10.20.4.17", "login"),
    (Kind.SESSION_START, "ci-deploy", "web-server-01", "deploy", "10.30.0.5", ""),
    (Kind.ACCESS_DENIED, "p.novak", "db-1", "root", "10.20.9.61", "no role allows login root on db-1"),
    (Kind.NODE_JOINED, "node:k8s-cp-1", "k8s-cp-1", "", "10.40.2.7", ""),
    (Kind.ROLE_UPDATED, "dana.r", "", "", "10.20.1.4", "quarterly review"),
)


def events(count: int, first: int = 1) -> tuple[Entry, ...]:
    def entry(seq: int) -> Entry:
        kind, user, node, login, address, reason = _KINDS[seq % len(_KINDS)]
        event = Event(
            id=f"0de1486a-fdf3-4f95-a799-{seq:012}", time=NOW - timedelta(seconds=count + first - seq),
            kind=kind, user=user, node=node, login=login, client_ip=address, reason=reason,
            success=kind is not Kind.ACCESS_DENIED, details={"serial": str(2403990446383629597 + seq)},
        )  # fmt: skip
        return Entry(seq, event)

    return tuple(entry(seq) for seq in range(first, first + count))


def explanation() -> access_pb2.Explanation:
    said = (
        ("ssh-production", "deny.node_labels", "deny", "sensitivity is high"),
        ("ssh-production", "allow.node_labels", "allow", "env is production"),
        ("ssh-production", "allow.logins", "allow", "ubuntu is listed"),
        ("ssh-staging", "allow.node_labels", "no", "env is production, which is not staging"),
        ("ssh-staging", "allow.logins", "allow", "ubuntu is listed"),
    )
    return access_pb2.Explanation(
        allowed=False,
        clauses=[access_pb2.Clause(role=a, rule=b, verdict=c, reason=d) for a, b, c, d in said],
        decided_by="denied by ssh-production: deny.node_labels",
    )


def shown(app: Console) -> list[str]:
    """The screen as text, row by row."""
    compositor = app.screen._compositor
    update = compositor.render_update(full=True, screen_stack=app._background_screens, simplify=False)
    strips = update.strips  # type: ignore[union-attr]  # a full update has strips
    return ["".join(segment.text for part in strip for segment in part) for strip in strips]
