"""Tells the service manager how the process fares (sd_notify(3)); silent where there is none."""

from __future__ import annotations

import logging
import socket
from collections.abc import MutableMapping
from dataclasses import dataclass

log = logging.getLogger(__name__)

_VARIABLE = "NOTIFY_SOCKET"


@dataclass(frozen=True, slots=True)
class Notifier:
    path: str | None

    @classmethod
    def from_environment(cls, environ: MutableMapping[str, str]) -> Notifier:
        """Takes the variable away, so that no child speaks in our name."""
        return cls(environ.pop(_VARIABLE, None))

    def ready(self) -> None:
        self._tell("READY=1")

    def stopping(self) -> None:
        self._tell("STOPPING=1")

    def _tell(self, state: str) -> None:
        if self.path is None:
            return
        # "@" stands for the NUL of Linux's abstract socket names.
        address = "\0" + self.path[1:] if self.path.startswith("@") else self.path
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
                line.settimeout(0)
                line.sendto(state.encode(), address)
        except OSError as error:
            log.warning("the service manager does not hear %s: %s", state, error.strerror)
