"""The HTTPS server on 3080: the app, its limits, its door, and uvicorn inside the hub's own loop and life."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from socket import socket
from typing import Final

import uvicorn
from fastapi import FastAPI

import mezite
from daemons.health import Check
from daemons.hub.desk.logins import Logins
from daemons.hub.metrics import Metrics
from daemons.hub.web import health, login, problem
from daemons.hub.web.door import Door, Limits
from daemons.hub.web.limits import Bounded, Impatient
from daemons.hub.web.login import Addresses
from daemons.lifecycle import crew

GRACE_S: Final = 5


def application(
    logins: Logins,
    metrics: Metrics,
    checks: Mapping[str, Check],
    addresses: Callable[[], Addresses],
    now: Callable[[], datetime],
) -> FastAPI:
    """The web API. OpenAPI is served and the pages that would load scripts from elsewhere are not."""
    app = FastAPI(title="Mezite", version=mezite.__version__, docs_url=None, redoc_url=None)
    app.include_router(login.router(logins, addresses, now))
    app.include_router(health.router(logins, metrics, checks))
    problem.install(app)
    return app


class _Server(uvicorn.Server):
    """Signals are the lifecycle's, not the web server's."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(
    app: FastAPI, bound: socket, context: ssl.SSLContext, limits: Limits | None = None
) -> AsyncIterator[None]:
    """Serves HTTPS on a bound socket until left."""
    config = uvicorn.Config(
        Bounded(app),
        http=Impatient,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=GRACE_S,
    )
    config.load()
    server = _Server(config)

    def protocol() -> Impatient:
        return Impatient(config=config, server_state=server.server_state, app_state={})

    async with crew() as start:
        serve = start(server.serve(sockets=[]), name="web")
        accepting = start(
            Door(protocol, context, limits or Limits.affordable(), start).accept(bound), name="web accepting"
        )
        try:
            yield
        finally:
            accepting.cancel()
            server.should_exit = True
            await serve
