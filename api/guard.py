"""Who may call which route, and how a body is read: nothing passes that was not asked for by name."""

import re
from collections.abc import Callable, Collection, Coroutine, Iterable
from functools import partial
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer

from api import strict_json
from api.idempotency import answer_once, key_of
from api.problems import ProblemError, ProblemType
from api.services import Services
from domain.errors import InvalidRequest, NotAllowed, NotAuthenticated
from domain.people import DECIDING, OPERATORS, Role
from ledger.clients import Caller

BODY_BYTES_MAX = 64 * 1024
DIGITS_MAX = 20  # of a length that is worth reading
TOKEN = re.compile(r"[\x21-\x7e]{1,256}", re.ASCII)
JSON_MEDIA_TYPE = re.compile(r"application/json\s*(;\s*charset=\"?utf-8\"?\s*)?", re.ASCII | re.IGNORECASE)

BILLING = frozenset([Role.BILLING])
HELPDESK = frozenset([Role.HELPDESK])
READERS = OPERATORS
DECIDERS = DECIDING
ADMINS = frozenset([Role.ADMIN])

bearer = HTTPBearer(auto_error=False, description="One token per client; only its hash is kept here.")


def only(roles: Iterable[Role], *, is_switch: bool = False) -> dict[str, Any]:
    """Say in a route, and in the OpenAPI document, which roles may call it.

    A switch, which only ever makes things safer, is carried out at each call, whatever its `Idempotency-Key`: a kept
    answer would say "stopped" of a rail that was started since.
    """
    return {"x-roles": sorted(role.value for role in roles)} | ({"x-switch": True} if is_switch else {})


class GuardedRoute(APIRoute):
    """A route that checks the caller before it reads a body. One without roles cannot be made."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        roles = frozenset(Role(name) for name in (self.openapi_extra or {}).get("x-roles", ()))
        if not roles:
            raise TypeError(f"{self.path} does not say who may call it")
        takes_body = self.body_field is not None
        is_switch = (self.openapi_extra or {}).get("x-switch", False)
        in_query = {it.alias for it in get_flat_params(self.dependant)} - set(self.param_convertors)

        async def guarded(request: Request) -> Response:
            caller = await _authenticate(request)
            request.state.caller, request.state.caller_name = caller, caller.name
            if caller.role not in roles:
                raise NotAllowed(f"This needs the role {' or '.join(sorted(roles))}.", rule="role")
            _check_query(request, in_query)
            key = key_of(request)
            value = strict_json.parse(await _read(request)) if takes_body else None
            call = partial(handle, _ParsedRequest(request, value) if takes_body else request)
            return await (
                call() if key is None or is_switch else answer_once(request, caller, self.path, key, value, call)
            )

        return guarded


async def _authenticate(request: Request) -> Caller:
    given = request.headers.getlist("authorization")
    scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    if scheme.lower() != "bearer" or not TOKEN.fullmatch(token):
        raise NotAuthenticated  # also for two: a proxy in front may have looked at the other one
    services: Services = request.app.state.services
    caller = await run_in_threadpool(services.clients.by_token, token)
    if caller is None:
        raise NotAuthenticated
    return caller


def _check_query(request: Request, known: Collection[str]) -> None:
    """Refuse what would be ignored: who misspells a filter, or an audit head's `hash`, would believe the answer."""
    names = [name for name, _ in request.query_params.multi_items()]
    for name in names:
        if name not in known:
            raise InvalidRequest(name or "query", "extra_forbidden", "is not a parameter here")
        if names.count(name) > 1:
            raise InvalidRequest(name, "once", "must be given once")


async def _read(request: Request) -> bytes:
    """Read the body as it comes and stop at the limit, whatever its declared length says."""
    media_types = request.headers.getlist("content-type")
    encodings = request.headers.getlist("content-encoding") or ["identity"]
    is_json = len(media_types) == 1 and JSON_MEDIA_TYPE.fullmatch(media_types[0].strip())
    if not is_json or encodings != ["identity"]:
        raise ProblemError(
            ProblemType.UNSUPPORTED_MEDIA_TYPE,
            "The body must be sent as application/json in UTF-8, not compressed.",
            field="Content-Type",
            rule="application_json",
        )
    too_large = ProblemError(
        ProblemType.BODY_TOO_LARGE,
        f"The body may hold {BODY_BYTES_MAX} bytes at most.",
        field="body",
        rule="body_bytes_max",
    )
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and (len(declared) > DIGITS_MAX or int(declared) > BODY_BYTES_MAX):
        raise too_large  # at once: who waits for the whole of it keeps a connection open for nothing
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise too_large
    return bytes(body)


class _ParsedRequest(Request):
    """A request whose body was read strictly; FastAPI gets the value instead of reading again."""

    def __init__(self, request: Request, value: Any) -> None:
        super().__init__(request.scope, request.receive)
        self._value = value

    async def body(self) -> bytes:
        return b"read"  # FastAPI asks only whether there is one

    async def json(self) -> Any:
        return self._value


async def caller_of(request: Request) -> Caller:
    """Return who calls; the route has checked them."""
    caller: Caller = request.state.caller
    return caller


CallerNow = Annotated[Caller, Depends(caller_of)]
