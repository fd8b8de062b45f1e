"""What nodes say about users' connections on their control lines, and what they hear back.

Questions are answered beside the line, as they may wait for a commit; reports in turn, one at a time, which
is all the speed a node gets: its spool waits, not this hub's memory.
"""

from __future__ import annotations

import logging
from typing import Final

from daemons.hub.desk import sessions
from daemons.hub.desk.desk import Desk
from daemons.hub.proxy.dials import Dials
from daemons.hub.proxy.lines import ControlLine
from daemons.hub.proxy.live import LiveConnections
from daemons.lifecycle import Start
from mezite.api import status
from mezite.api.tunnel.messages import AnyMessage, sentence
from mezite.api.tunnel.orders import Answer, Ask, Declined, Heard, Holding, Report
from mezite.errors import MeziteError

log = logging.getLogger(__name__)

MOST_ASKED: Final = 256
"""Questions of one node under way at once; one more is a no."""


class Orders:
    def __init__(self, desk: Desk, dials: Dials, live: LiveConnections, start: Start) -> None:
        self._desk = desk
        self._dials = dials
        self._live = live
        self._start = start
        self._asked: dict[str, int] = {}

    async def heard(self, line: ControlLine, message: AnyMessage) -> None:
        match message:
            case Ask():
                self._ask(line, message)
            case Report():
                await self._report(line, message)
            case Declined():
                self._dials.declined(line, message)
            case Holding():
                await self._live.holding(line, message)
            case _:
                # A pong: that it was heard is all there is to it.
                pass

    def left(self, line: ControlLine) -> None:
        self._dials.line_lost(line)

    def _ask(self, line: ControlLine, question: Ask) -> None:
        if self._asked.get(line.id, 0) >= MOST_ASKED:
            _answer(line, question, "too much is asked at once; try again")
            return
        self._asked[line.id] = self._asked.get(line.id, 0) + 1
        self._start(self._decide(line, question), name=f"question of {line.id}")

    async def _decide(self, line: ControlLine, question: Ask) -> None:
        try:
            await sessions.answer(self._desk, line.node_id, question)
        except MeziteError as refusal:
            _answer(line, question, status.answer(refusal).message or "refused")
        except Exception:
            # A question that breaks must not take the hub with it; without an answer the node says no.
            log.exception("a question of node %s could not be answered", line.node_id)
        else:
            _answer(line, question, "")
        finally:
            left = self._asked.pop(line.id) - 1
            if left:
                self._asked[line.id] = left

    async def _report(self, line: ControlLine, report: Report) -> None:
        try:
            number = await sessions.heard(self._desk, line.node_id, report)
        except MeziteError as error:
            # Not heard: the node will tell it again.
            log.warning("a report of node %s could not be written down: %s", line.node_id, error)
        else:
            line.line.send(Heard(number=number))


def _answer(line: ControlLine, question: Ask, refusal: str) -> None:
    if not line.line.talk.ended:
        line.line.send(Answer(number=question.number, allowed=not refusal, message=sentence(refusal)))
