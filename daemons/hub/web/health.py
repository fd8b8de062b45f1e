"""Alive, ready, and the numbers. Alive and ready say nothing that a stranger may not know."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.security import HTTPAuthorizationCredentials

from daemons.health import Check, ask
from daemons.hub.desk.logins import Logins
from daemons.hub.desk.who import Caller
from daemons.hub.metrics import Metrics
from daemons.hub.web.login import BEARER, client_ip
from daemons.hub.web.problem import documented
from mezite.errors import NotLoggedIn
from mezite.model.role import Verb


def router(logins: Logins, metrics: Metrics, checks: Mapping[str, Check]) -> APIRouter:
    routes = APIRouter()

    @routes.get("/healthz", response_class=PlainTextResponse)
    async def healthz() -> str:
        return "ok"

    @routes.get("/readyz", responses={503: {"description": "not ready; says which checks do not hold"}})
    async def readyz() -> JSONResponse:
        health = await ask(checks)
        return JSONResponse(
            {"ready": health.ready, "faults": dict(health.faults)}, 200 if health.ready else 503
        )

    @routes.get("/metrics", response_class=PlainTextResponse, responses=documented(401, 403))
    async def numbers(
        request: Request, found: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]
    ) -> Response:
        """From this machine freely, from elsewhere with a bearer whose user may read the cluster."""
        await _may_read(request, found)
        return Response(metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def _may_read(request: Request, found: HTTPAuthorizationCredentials | None) -> None:
        address = client_ip(request)
        if found is None and address and ipaddress.ip_address(address).is_loopback:
            return
        if found is None:
            raise NotLoggedIn("the metrics are for this machine, or for a bearer who may read the cluster")
        caller = Caller(await logins.who_bears(found.credentials), address)
        await logins.desk.look(caller, lambda _tx, who: who.require("cluster", Verb.READ))

    return routes
