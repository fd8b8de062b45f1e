"""What the hub's TLS listeners show. The certificate is short, made in memory, and renewed while serving."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from daemons.hub.keyring import SERVER_TTL, Keyring, ServerPair
from daemons.tls_lines import load_pair
from mezite.clock import Clock

RENEW_AFTER: Final = SERVER_TTL / 2


@dataclass(slots=True)
class ServerTls:
    keyring: Keyring
    hub_id: str
    clock: Clock
    names: Sequence[str]
    """DNS names and addresses by which people reach this hub, beside `hub.CLUSTER.mezite`."""
    _pair: ServerPair | None = field(default=None, repr=False)
    _made_at: datetime | None = None
    _contexts: list[ssl.SSLContext] = field(default_factory=list, repr=False)

    @property
    def authorities(self) -> bytes:
        return self.keyring.tls_authorities_pem.encode()

    @property
    def present(self) -> ServerPair | None:
        """The pair in use, as it is: whoever asks from another thread must not be the one to renew it."""
        return self._pair

    def pair(self) -> ServerPair:
        """The present pair; a fresh one once half of its life is over, which every context then shows too."""
        now = self.clock.now()
        if self._pair is None or self._made_at is None or now - self._made_at >= RENEW_AFTER:
            self._pair, self._made_at = self.keyring.server_pair(self.hub_id, now, self.names), now
            for context in self._contexts:
                load_pair(context, self._pair.key, self._pair.chain)
        return self._pair

    def context(self, *, client_certificates: ssl.VerifyMode = ssl.CERT_NONE) -> ssl.SSLContext:
        """A context for a listener. With client certificates, only those of our own authority are taken."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if client_certificates is not ssl.CERT_NONE:
            context.verify_mode = client_certificates
            context.load_verify_locations(cadata=self.keyring.tls_authorities_pem)
        pair = self.pair()
        load_pair(context, pair.key, pair.chain)
        self._contexts.append(context)
        return context
