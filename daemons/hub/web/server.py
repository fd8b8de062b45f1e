"""The HTTPS server on 3080: the app, its limits, and uvicorn inside the hub's own loop and life."""

from __future__ import annotations

import asyncio
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
from daemons.hub.web.limits import CONNECTIONS, Bounded, Impatient
from daemons.hub.web.login import Addresses

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
async def serving(app: FastAPI, bound: socket, context: ssl.SSLContext) -> AsyncIterator[None]:
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
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=GRACE_S,
    )
    config.load()
    config.ssl = context
    server = _Server(config)
    async with asyncio.TaskGroup() as group:
        serve = group.create_task(server.serve(sockets=[bound]), name="web")
        try:
            yield
        finally:
            server.should_exit = True
            await serve
