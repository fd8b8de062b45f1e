"""One connection of the tunnel port, as messages: TLS below, frames and turns of talk kept, either end.

Whoever holds one reads from one task and may write from any. Whatever is wrong with what arrives is raised
by `receive`, typed; whoever hears it says why, if it may, and closes.
"""

from __future__ import annotations

from daemons.tls_lines import Raw, TlsLine
from mezite.api.tunnel.frames import FrameReader, frame
from mezite.api.tunnel.messages import AnyMessage, decode, encode
from mezite.api.tunnel.talk import End, Talk
from mezite.errors import Unavailable


class TunnelLine:
    """Made once the handshake is done."""

    __slots__ = ("_frames", "_payloads", "talk", "tls")

    def __init__(self, tls: TlsLine, me: End, peer: End) -> None:
        self.tls = tls
        self.talk = Talk(me, peer)
        self._frames = FrameReader()
        self._payloads: list[bytes] = []

    async def receive(self) -> AnyMessage:
        return (await self.receive_exactly())[0]

    async def receive_exactly(self) -> tuple[AnyMessage, bytes]:
        """The next message, and the payload it came in; `Unavailable` once the other end has gone."""
        while not self._payloads:
            data = await self.tls.read()
            if not data:
                raise Unavailable("the other end hung up", code="line_lost")
            self._payloads = self._frames.feed(data)
        payload = self._payloads.pop(0)
        message = decode(payload)
        self.talk.hear(message)
        return message, payload

    def send(self, message: AnyMessage) -> bytes:
        """Sends, and gives back the payload as it went."""
        payload = encode(message)
        framed = frame(payload)
        self.talk.say(message)
        self.tls.write(framed)
        return payload

    async def detach(self) -> Raw:
        """Once the talk is over on both sides: the connection as plain TCP."""
        if self._payloads or not self._frames.between_frames:
            raise Unavailable("the other end said more than was agreed", code="line_lost")
        return await self.tls.detach()

    def close(self, last_word: AnyMessage | None = None) -> None:
        """Ends the connection, after a last word if the talk is not over."""
        if last_word is not None and not self.talk.ended:
            self.send(last_word)
        self.tls.close()
