"""Calls the API and tells its three kinds of answers apart: done, refused by a rule, not reachable."""

import os
from typing import Any, Self
from urllib.parse import quote

import httpx2

from cli.exits import CommandFailed, Exit
from cli.output import plain

DEFAULT_URL = "http://127.0.0.1:8000"
TIMEOUT_SECONDS = 30.0
NOT_THE_API = "Is it the refund API? See REFUNDS_API_URL."
PROBLEMS = "/problems/"  # the type of every error answer of the API begins with it
TOLD_LENGTH_MAX = 200
LOOPBACK = frozenset(["127.0.0.1", "localhost", "::1"])


class Refused(CommandFailed):
    """The API refused the call and said why."""

    def __init__(self, problem: dict[str, Any]) -> None:
        self.detail = str(problem.get("detail") or problem.get("title") or "The call was refused.")
        self.field, self.rule = problem.get("field"), problem.get("rule")
        self.type = str(problem.get("type", "")).rpartition("/")[2]
        named = [f"{name} {value}" for name, value in (("field", self.field), ("rule", self.rule)) if value]
        named.append(f"request {problem.get('request_id')}")
        super().__init__(Exit.REFUSED, f"{self.type}: {self.detail} ({', '.join(named)})")


class NotReachable(CommandFailed):
    """Nobody answered, or not the API, or it could not do its work now."""

    def __init__(self, message: str, *, is_passing: bool = False) -> None:
        super().__init__(Exit.NOT_REACHABLE, message)
        self.is_passing = is_passing
        """Whether the API itself asked to try again."""


class Answer(dict[str, Any]):
    """What was answered; a part that every answer of the API has is missing only where something else answers."""

    def __init__(self, body: dict[str, Any], source: str) -> None:
        super().__init__(body)
        self._source = source

    def __missing__(self, name: str) -> Any:
        raise NotReachable(f"{self._source} without `{name}`. {NOT_THE_API}")


class Api:
    """The API as this person may use it."""

    def __init__(self, url: str, token: str) -> None:
        try:
            address = httpx2.URL(url)
        except httpx2.InvalidURL:
            address = httpx2.URL("")
        if address.scheme not in ("http", "https") or not address.host:
            raise CommandFailed(Exit.USAGE, "REFUNDS_API_URL must be an address such as http://127.0.0.1:8000.")
        if not (token.isascii() and token.isprintable()):
            raise CommandFailed(Exit.USAGE, "REFUNDS_TOKEN holds characters that no token has.")
        self._url, self._token = url.rstrip("/"), token
        self._http = httpx2.Client(
            headers={"Authorization": f"Bearer {token}"},
            timeout=TIMEOUT_SECONDS,
            trust_env=address.host not in LOOPBACK,  # a proxy cannot reach this machine's own addresses
        )

    @classmethod
    def from_environment(cls) -> Self:
        """Read where the API is and who is calling."""
        token = os.environ.get("REFUNDS_TOKEN", "").strip()
        if not token:
            raise CommandFailed(Exit.USAGE, "REFUNDS_TOKEN is missing: the token that `operators add` printed.")
        return cls(os.environ.get("REFUNDS_API_URL") or DEFAULT_URL, token)

    def get(self, path: str, query: dict[str, Any] | None = None, *, timeout_seconds: float = TIMEOUT_SECONDS) -> Any:
        given = {name: it for name, it in (query or {}).items() if it is not None}
        return self._call("GET", path, params=given, timeout=timeout_seconds)

    def put(self, path: str, body: Any) -> Any:
        return self._call("PUT", path, json=body)

    def post(self, path: str, body: Any) -> Any:
        return self._call("POST", path, json=body)

    def _call(self, method: str, path: str, **more: Any) -> Any:
        try:
            answer = self._http.request(method, self._url + path, **more)
        except httpx2.HTTPError as error:
            raise NotReachable(f"The API at {self._url} does not answer ({type(error).__name__}).") from None
        source = f"{self._url} answered {method} {path} with {answer.status_code}"
        try:
            body = answer.json()
        except ValueError:
            raise NotReachable(f"{source} and {self._in_short(answer)}. {NOT_THE_API}") from None
        if answer.is_success and isinstance(body, dict):
            return Answer(body, source)
        if not (isinstance(body, dict) and str(body.get("type", "")).startswith(PROBLEMS)):
            raise NotReachable(f"{source} and {self._in_short(answer)}. {NOT_THE_API}")
        if answer.is_client_error:
            raise Refused(body)
        told = f"The API answered {answer.status_code}: {body.get('detail') or 'no reason given'}"
        raise NotReachable(told, is_passing=answer.status_code == 503)

    def _in_short(self, answer: httpx2.Response) -> str:
        """Quote the beginning of an answer that we do not understand; some services repeat what they were sent."""
        words = plain(" ".join(answer.text.replace(self._token, "***").split()))
        kept = words if len(words) <= TOLD_LENGTH_MAX else f"{words[:TOLD_LENGTH_MAX]}…"
        return f"`{kept}`" if kept else "no content"


def refund_path(refund_id: str, act: str = "") -> str:
    """Return the path of a refund, or of what can be done to it."""
    return f"/v1/refunds/{quote(refund_id, safe='')}" + (f"/{act}" if act else "")
