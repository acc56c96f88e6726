"""`Idempotency-Key`: the same call again gets its first answer, whatever has happened since."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool

from api import problems
from api.problems import ProblemError, ProblemType
from api.services import Services
from domain.digests import canonical_json
from domain.errors import TryAgain
from ledger.clients import Caller
from ledger.idempotency import Claim, KeptAnswer

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
METHODS = frozenset(["POST", "PUT"])
KEY_LENGTH_MAX = 255
# Visible ASCII; the draft writes the key in quotes and most clients do not, so quotes around it mean nothing.
KEY = re.compile(r'"?([!#-\[\]-~]{1,' + str(KEY_LENGTH_MAX) + r'})"?', re.ASCII)
NOT_KEPT = frozenset([401, 403, 429])  # these speak of the caller or of the moment, not of the call

log = structlog.get_logger()


def key_of(request: Request) -> str | None:
    """Return the key of a call that may bring one; raise a problem that names the header."""
    if request.method not in METHODS:
        return None
    given = request.headers.getlist(HEADER)
    if not given:
        return None
    match = KEY.fullmatch(given[0].strip()) if len(given) == 1 else None
    if match is None:
        raise ProblemError(
            ProblemType.MALFORMED_REQUEST,
            f"{HEADER} is one key of 1 to {KEY_LENGTH_MAX} visible ASCII characters, without quotes in it.",
            field=HEADER,
            rule="idempotency_key",
        )
    return match.group(1)


async def answer_once(
    request: Request, caller: Caller, route: str, key: str, value: Any, call: Callable[[], Awaitable[Response]]
) -> Response:
    """Return the first answer to this call, or make the call and keep its answer."""
    services: Services = request.app.state.services
    said = canonical_json([request.method, request.url.path, request.url.query, value])
    found = await run_in_threadpool(services.answers.claim, caller.name, f"{request.method} {route}", key, said)
    if isinstance(found, KeptAnswer):
        media_type = problems.MEDIA_TYPE if found.status >= 400 else "application/json"
        return Response(found.body, found.status, media_type=media_type, headers={REPLAYED: "true"})
    try:
        response = await call()
    except Exception as error:
        known = problems.response_to(request, error)
        if known is None:
            await _close(services, found, None)
            raise
        response = known
    await _close(services, found, response)
    return response


async def _close(services: Services, claim: Claim, response: Response | None) -> None:
    """Keep or drop. The call is done and must be answered as such, also where this cannot be written."""
    answers = services.answers
    try:
        if response is None or response.status_code in NOT_KEPT or response.status_code >= 500:
            await run_in_threadpool(answers.drop, claim)
        else:
            body = bytes(response.body).decode()
            await run_in_threadpool(answers.keep, claim, response.status_code, body)
    except TryAgain:
        log.warning("answer.not_kept", route=claim.route)
