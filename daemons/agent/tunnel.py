"""The agent's life towards its hub: it joins once, calls, stays on the line, renews, and begins again.

What to do next is decided by two pure things: the table of phases, and `next_move`. Whatever goes wrong ends
in a pause and another try; only a fault of ours ends the agent. A change of what is wrong is one line in the
log; the same again is not.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Final, NoReturn, Protocol

from daemons.agent import dialling, joining
from daemons.agent.backoff import BackOff
from daemons.agent.identity import Membership, check_issued
from daemons.agent.joining import Wish, ended
from daemons.agent.sshd import Trust, trust_of
from daemons.agent.store import NodeStore
from daemons.tunnel_line import TunnelLine
from mezite import __version__
from mezite.api.tunnel.messages import (
    AnyMessage,
    Bye,
    Hello,
    Ping,
    Pong,
    Renew,
    Renewed,
    Welcome,
    check_version,
)
from mezite.api.tunnel.orders import Answer, Cut, Dial, Heard, Update
from mezite.api.tunnel.proof import TokenText
from mezite.clock import Clock, rfc3339
from mezite.config import Address
from mezite.errors import IllegalStep, MeziteError, NotLoggedIn, Unavailable

log = logging.getLogger(__name__)

HANDSHAKE_S: Final = 10.0
SILENT_KEEPALIVES: Final = 3
STABLE_S: Final = 10.0
"""A line that stood this long was worth having; the pauses begin small again."""
LONGEST_WAIT_S: Final = 30.0
"""How often the wall clock is looked at, which may be set while we wait."""
SAID_AGAIN_S: Final = 600.0

Order = Dial | Update | Cut | Answer | Heard


class Phase(Enum):
    RESTING = auto()
    JOINING = auto()
    CALLING = auto()
    ONLINE = auto()


class Turn(Enum):
    JOIN_DUE = auto()
    CALL_DUE = auto()
    JOINED = auto()
    WELCOMED = auto()
    FAILED = auto()


TURNS: Final[dict[tuple[Phase, Turn], Phase]] = {
    (Phase.RESTING, Turn.JOIN_DUE): Phase.JOINING,
    (Phase.RESTING, Turn.CALL_DUE): Phase.CALLING,
    (Phase.JOINING, Turn.JOINED): Phase.CALLING,
    (Phase.JOINING, Turn.FAILED): Phase.RESTING,
    (Phase.CALLING, Turn.WELCOMED): Phase.ONLINE,
    (Phase.CALLING, Turn.FAILED): Phase.RESTING,
    (Phase.ONLINE, Turn.FAILED): Phase.RESTING,
}


def after(phase: Phase, turn: Turn) -> Phase:
    try:
        return TURNS[phase, turn]
    except KeyError:
        raise IllegalStep(f"an agent that is {phase.name.lower()} cannot take {turn.name.lower()}") from None


REJOIN_ON: Final = frozenset({"not_logged_in", "expired", "certificate_refused", "untrusted_peer"})
"""What a hub says to a node that is none of its own (any more). A locked node is, and waits."""


def next_move(
    membership: Membership | None, token: TokenText | None, refusal: MeziteError | None, now: datetime
) -> Turn:
    """Call, unless there is nothing to call with, or the hub refused it and a token may help.

    `refusal` is what the last try met. After a join that failed the next try is a call again. A token that
    was joined with counts again only when the certificate simply ran out: a node that was removed stays so.
    """
    if membership is None:
        return Turn.JOIN_DUE
    if token is None or refusal is None or refusal.code not in REJOIN_ON:
        return Turn.CALL_DUE
    ran_out = now >= membership.expires_at
    return Turn.JOIN_DUE if ran_out or token.id != membership.token_id else Turn.CALL_DUE


@dataclass(frozen=True, slots=True)
class Terms:
    """What the agent was set up with."""

    address: Address
    name: str
    labels: Mapping[str, str]
    token: TokenText | None
    pins: tuple[str, ...] = ()


class Orders(Protocol):
    """Whoever acts on what the hub says about users' connections."""

    def line_is(self, say: Callable[[AnyMessage], object] | None) -> None:
        """A control line stands, and this is how to speak on it; or it is gone."""
        ...

    def hear(self, order: Order) -> None: ...


class Tunnel:
    def __init__(
        self,
        terms: Terms,
        store: NodeStore,
        clock: Clock,
        *,
        told: Callable[[Phase], None] = lambda _phase: None,
        back_off: BackOff | None = None,
    ) -> None:
        """`told` hears of every phase it comes to. Orders go to `orders`, once somebody is there."""
        self.orders: Orders | None = None
        self._terms = terms
        self._store = store
        self._clock = clock
        self._told = told
        self._back_off = back_off or BackOff()
        self._keys = store.keys()
        self._membership = self._saved = store.membership()
        self._phase = Phase.RESTING
        self._last_said = ("", 0.0)
        self._heard_at = clock.monotonic()

    @property
    def membership(self) -> Membership | None:
        return self._membership

    def silence(self) -> float:
        """Seconds since the hub was last heard."""
        return self._clock.monotonic() - self._heard_at

    async def dial(self) -> TunnelLine:
        """One more connection to the hub, as this node."""
        if self._membership is None:
            raise Unavailable("this machine has not joined")
        return await dialling.as_node(self._terms.address, self._membership, self._keys)

    def trust(self) -> Trust:
        """The node's side of a user's connection, by the certificates of this moment."""
        assert self._membership is not None, "who is on the line has joined"
        return trust_of(self._membership, self._keys, self._terms.labels)

    async def live(self) -> None:
        refusal: MeziteError | None = None
        while True:
            turn = next_move(self._membership, self._terms.token, refusal, self._clock.now())
            started = self._clock.monotonic()
            refusal = await self._try(turn)
            if self._clock.monotonic() - started >= STABLE_S:
                self._back_off.reset()
            await asyncio.sleep(self._back_off.next_s())

    async def _try(self, turn: Turn) -> MeziteError:
        """One try, and what ended it."""
        try:
            self._take(turn)
            if turn is Turn.JOIN_DUE:
                async with asyncio.timeout(HANDSHAKE_S):
                    await self._join()
                self._take(Turn.JOINED)
            await self._stay()
        except TimeoutError:
            return self._failed(Unavailable("the hub does not answer", code="silent"))
        except MeziteError as error:
            return self._failed(error)

    async def _join(self) -> None:
        terms = self._terms
        if terms.token is None:
            raise NotLoggedIn("this machine has not joined; set MEZITE_JOIN_TOKEN to a join token")
        wish = Wish(terms.name, terms.labels, __version__, terms.token, terms.pins)
        line = await dialling.to_join(terms.address)
        try:
            membership = await joining.join(line, wish, self._keys, self._membership)
        finally:
            line.close()
        await self._keep(membership)
        log.info("joined cluster %s as node %s", membership.issued.cluster, membership.issued.name)

    async def _stay(self) -> NoReturn:
        """Calls, and stays on the line until it is over, which is never a success."""
        membership = self._membership
        assert membership is not None, "an agent without one joins first"
        async with asyncio.timeout(HANDSHAKE_S):
            line = await dialling.as_node(self._terms.address, membership, self._keys)
            try:
                welcome = await self._greet(line)
            except BaseException:
                line.tls.abort()
                raise
        self._take(Turn.WELCOMED)
        log.info("online as %s at hub %s", membership.issued.name, welcome.hub_id)
        self._line_is(lambda message: None if line.talk.ended else line.send(message))
        try:
            await self._attend(line, silence_s=float(welcome.keepalive_s * SILENT_KEEPALIVES))
        finally:
            self._line_is(None)
            line.close(Bye())

    def _line_is(self, say: Callable[[AnyMessage], object] | None) -> None:
        if self.orders is not None:
            self.orders.line_is(say)

    async def _greet(self, line: TunnelLine) -> Welcome:
        line.send(Hello(agent_version=__version__, labels=dict(self._terms.labels)))
        answer = await line.receive()
        if not isinstance(answer, Welcome):
            raise ended(answer)
        check_version(answer.version)
        return answer

    async def _attend(self, line: TunnelLine, *, silence_s: float) -> NoReturn:
        """Answers pings and renews in time. One task: it awaits the next word or the next thing due."""
        self._heard_at = self._clock.monotonic()
        jitter = random.uniform(-0.05, 0.05)  # noqa: S311  parts the agents of one hour, guards nothing
        is_renewing = False
        while True:
            await self._save()
            silence_left = silence_s - self.silence()
            renewal_left = LONGEST_WAIT_S if is_renewing else self._renewal_left_s(jitter)
            if silence_left <= 0:
                raise Unavailable("the hub fell silent", code="silent")
            if renewal_left <= 0:
                line.send(Renew(ssh_public_key=self._keys.host_line))
                is_renewing = True
                continue
            try:
                async with asyncio.timeout(min(silence_left, renewal_left, LONGEST_WAIT_S)):
                    message = await line.receive()
            except TimeoutError:
                continue
            self._heard_at = self._clock.monotonic()
            match message:
                case Ping(number=number):
                    line.send(Pong(number=number))
                case Renewed():
                    await self._renewed(message)
                    is_renewing = False
                case Dial() | Update() | Cut() | Answer() | Heard():
                    if self.orders is not None:
                        self.orders.hear(message)
                case _:
                    raise ended(message)

    async def _renewed(self, message: Renewed) -> None:
        former = self._membership
        assert former is not None, "what it renews stands on it"
        issued = message.issued
        check_issued(issued, self._keys, name=former.issued.name, cluster=former.issued.cluster)
        membership = Membership(issued=issued, token_id=former.token_id, auth_addr=former.auth_addr)
        await self._keep(membership)
        log.info("certificates renewed until %s", rfc3339(membership.expires_at))

    async def _keep(self, membership: Membership) -> None:
        self._membership = membership
        await self._save()

    async def _save(self) -> None:
        """What is not on disk yet. A disk that is full does not end what works; it is tried again."""
        if self._membership is None or self._saved is self._membership:
            return
        try:
            await asyncio.to_thread(self._store.save, self._membership)
        except Unavailable as error:
            self._say(f"{error.message}; a restart would lose what this node was issued")
        else:
            self._saved = self._membership

    def _renewal_left_s(self, jitter: float) -> float:
        assert self._membership is not None, "only a node is on the line"
        return (self._membership.renewal_at(jitter) - self._clock.now()).total_seconds()

    def _take(self, turn: Turn) -> None:
        self._phase = after(self._phase, turn)
        self._told(self._phase)

    def _failed(self, error: MeziteError) -> MeziteError:
        self._take(Turn.FAILED)
        self._say(explained(error, self._membership, self._terms.token, self._clock.now()))
        return error

    def _say(self, line: str) -> None:
        said, at = self._last_said
        if line != said or self._clock.monotonic() - at >= SAID_AGAIN_S:
            self._last_said = (line, self._clock.monotonic())
            log.warning("%s; trying again", line)


def explained(
    error: MeziteError, membership: Membership | None, token: TokenText | None, now: datetime
) -> str:
    """What went wrong, and what to do about it that the error itself cannot know."""
    if membership is None or error.code not in REJOIN_ON:
        return error.message
    again = "make a token with `mezctl tokens create --roles=node`, set MEZITE_JOIN_TOKEN and restart mezd"
    if now >= membership.expires_at:
        return f"this node's certificate ran out at {rfc3339(membership.expires_at)}; to join again, {again}"
    what = error.message.partition(";")[0]
    if token is not None and token.id == membership.token_id:
        return f"{what}, and the token it joined with is not used again; {again}"
    return f"{what}; {again}"
