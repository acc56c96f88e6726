"""Commands of the control plane: JSON in, JSON out, and one sentence for what is wrong with them."""

import json
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from devstack.stripe_simulator.calls import Json
from devstack.stripe_simulator.errors import ApiError
from devstack.stripe_simulator.refunds import WrongStatusError

Handler = Callable[[Request], Awaitable[Json]]


class BadCommandError(Exception):
    """A command that the control plane cannot read."""


def answering(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Send what a command results in, or why it was not carried out."""

    async def answer(request: Request) -> Response:
        try:
            return JSONResponse(await handler(request))
        except BadCommandError as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        except ApiError as error:
            return JSONResponse({"error": error.message}, status_code=error.status)
        except WrongStatusError as error:
            return JSONResponse({"error": str(error)}, status_code=409)

    return answer


async def read_command(request: Request, known: Collection[str]) -> dict[str, Any]:
    """Read the JSON object in the body; no body is an empty one, and unknown fields are refused."""
    body = await request.body()
    try:
        command = json.loads(body) if body else {}
    except ValueError as error:
        raise BadCommandError(f"the body is not JSON: {error}") from error
    if not isinstance(command, dict):
        raise BadCommandError("the body is not a JSON object")
    unknown = sorted(set(command) - set(known))
    if unknown:
        raise BadCommandError(f"unknown fields: {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    return command


def choice(command: dict[str, Any], name: str, allowed: Collection[str], *, default: str | None) -> str:
    """Read one of a closed list of words."""
    value = command.get(name, default)
    if not isinstance(value, str) or value not in allowed:
        raise BadCommandError(f"{name} must be one of {', '.join(allowed)}")
    return value


def whole_number(command: dict[str, Any], name: str, *, at_least: int, default: int | None = None) -> int:
    """Read a whole number."""
    value = command.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < at_least:
        raise BadCommandError(f"{name} must be a whole number, {at_least} or more")
    return value


def number_of_seconds(command: dict[str, Any], name: str, *, default: float) -> float:
    """Read a duration."""
    value = command.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise BadCommandError(f"{name} must be a number of seconds, 0 or more")
    return float(value)


def flag(command: dict[str, Any], name: str, *, default: bool) -> bool:
    """Read true or false."""
    value = command.get(name, default)
    if not isinstance(value, bool):
        raise BadCommandError(f"{name} must be true or false")
    return value


def texts(command: dict[str, Any], name: str, *, default: list[str]) -> list[str]:
    """Read a list of strings with something in it, none of them empty."""
    value = command.get(name, default)
    if not isinstance(value, list) or not value or not all(isinstance(item, str) and item for item in value):
        raise BadCommandError(f"{name} must be a list of strings, one or more")
    return value


def optional_text(command: dict[str, Any], name: str) -> str | None:
    """Read a string that may be absent or null, but not empty."""
    value = command.get(name)
    if value is not None and (not isinstance(value, str) or not value):
        raise BadCommandError(f"{name} must be a string with something in it")
    return value
