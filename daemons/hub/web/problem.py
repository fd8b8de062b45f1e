"""How a refusal looks over HTTP: problem+json (RFC 9457), with our own `code` for programs."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from mezite.api.status import answer, one_line
from mezite.errors import MeziteError, OurFault

log = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
LONGEST_FAULTS: Final = 500
_CODES: Final = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}


class Problem(BaseModel):
    """What every refusal looks like."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str


def problem(status: int, detail: str, code: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(body_of(status, detail, code), status, headers, media_type=MEDIA_TYPE)


def body_of(status: int, detail: str, code: str) -> dict[str, Any]:
    told = Problem(title=HTTPStatus(status).phrase, status=status, detail=one_line(detail), code=code)
    return told.model_dump()


def refusal(error: MeziteError) -> JSONResponse:
    told = answer(error)
    headers = {"WWW-Authenticate": "Bearer"} if told.http == HTTPStatus.UNAUTHORIZED else None
    return problem(told.http, told.message, told.code, headers)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The refusals of a route, for OpenAPI."""
    return {status: {"model": Problem, "content": {MEDIA_TYPE: {}}} for status in statuses}


def install(app: FastAPI) -> None:
    """Every way a request can fail leaves as a problem."""

    @app.exception_handler(MeziteError)
    async def ours(_request: Request, error: MeziteError) -> JSONResponse:
        if isinstance(error, OurFault):
            log.error("%s", error)
        return refusal(error)

    @app.exception_handler(RequestValidationError)
    async def malformed(_request: Request, error: RequestValidationError) -> JSONResponse:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc'][1:]) or 'body'}: {fault['msg']}"
            for fault in error.errors()[:5]
        )
        return problem(422, faults[:LONGEST_FAULTS], "invalid")

    @app.exception_handler(HTTPException)
    async def plain(_request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == HTTPStatus.BAD_REQUEST:
            # The framework's word for a body that breaks its parser: too deep, or a number without end.
            return problem(422, "the body does not read as JSON", "invalid")
        code = _CODES.get(error.status_code, "refused")
        return problem(error.status_code, str(error.detail), code, dict(error.headers or {}))

    @app.exception_handler(Exception)
    async def bug(_request: Request, error: Exception) -> JSONResponse:
        log.error("a request failed by a fault of ours", exc_info=error)
        return refusal(OurFault("unexpected"))
