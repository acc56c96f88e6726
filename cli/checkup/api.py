"""How the API is, as its callers see it: ready, which role the token has, and what waits for a person."""

import time
from collections import Counter
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

import httpx2

from cli.calls import LOOPBACK, PROBLEMS, Api, NotReachable, Refused
from cli.checkup.report import CALL_SECONDS_MAX, Check, away, ok, skew, warning, wrong
from cli.output import plain

SKEW_SECONDS_MAX = 30  # the policy allows minutes; half a minute is no chance any more
PAGE = 200
# The first of these calls that the API lets the token make tells whose it is. All of them only read.
ROLES = (("an operator", "/v1/findings"), ("a help desk", "/v1/refunds"), ("billing", "/v1/accounts/-/balance"))


def examine(url: str, token: str) -> Iterator[Check]:
    """Look at the API from outside; without a token only at whether it is ready."""
    address = httpx2.URL(url)
    with httpx2.Client(timeout=CALL_SECONDS_MAX, trust_env=address.host not in LOOPBACK) as http:
        try:
            answer = http.get(f"{url.rstrip('/')}/readyz")
        except httpx2.HTTPError as error:
            yield away(
                "api.ready",
                f"The API at {url} does not answer ({type(error).__name__}).",
                "Start it (`refunds serve`), or mend REFUNDS_API_URL.",
            )
            return
    ready = _ready(url, answer)
    yield ready
    if not ready.is_reachable:
        return
    if "date" in answer.headers:
        behind = time.time() - parsedate_to_datetime(answer.headers["date"]).timestamp()
        yield skew("api.clock", behind, SKEW_SECONDS_MAX, "The API's clock")
    if token:
        yield from _known(Api(url, token))
    else:
        yield warning("api.token", "REFUNDS_TOKEN is not set.", "Set it to a token that `operators add` printed.")


def _ready(url: str, answer: httpx2.Response) -> Check:
    try:
        body = answer.json()
    except ValueError:
        body = None
    if not isinstance(body, dict) or not (answer.is_success or str(body.get("type")).startswith(PROBLEMS)):
        return away("api.ready", f"{url} answers, but it is not the API.", "Mend REFUNDS_API_URL.")
    if answer.is_success:
        return ok("api.ready", f"The API at {url} is ready.")
    return wrong(
        "api.ready",
        f"The API is not ready: {plain(body.get('detail'))}",
        "Start what is missing, or run `refunds migrate` for a missing schema; the API goes on by itself.",
    )


def _known(api: Api) -> Iterator[Check]:
    for role, path in ROLES:
        try:
            answer = api.get(path, timeout_seconds=CALL_SECONDS_MAX)
        except Refused as refusal:
            if refusal.type == "not-authenticated":
                yield wrong(
                    "api.token",
                    "The API does not know this token.",
                    "Set REFUNDS_TOKEN to a token of this installation; `refunds operators add` makes one.",
                )
                return
            if refusal.type == "not-allowed":
                continue
            answer = None  # who may ask for what is not there, may ask
        except NotReachable as error:
            yield away("api.token", error.message, "See why the API cannot look at its database.")
            return
        yield ok("api.token", f"The token belongs to {role}.")
        if path == "/v1/findings":
            yield from _waiting(api, answer["items"])
        return
    yield wrong("api.token", "The token may not call anything.", "Add a caller with a role that this version knows.")


def _waiting(api: Api, findings: list[dict[str, object]]) -> Iterator[Check]:
    if findings:
        kinds = ", ".join(f"{count} {plain(kind)}" for kind, count in Counter(it["kind"] for it in findings).items())
        yield warning(
            "api.findings",
            f"Open findings: {kinds}.",
            "A person must look at each: `refunds findings` says what may be done, docs/operations.md how.",
        )
    else:
        yield ok("api.findings", "No finding is open.")
    try:
        page = api.get("/v1/refunds", {"status": "needs_attention", "limit": PAGE}, timeout_seconds=CALL_SECONDS_MAX)
    except NotReachable as error:
        yield away("api.refunds", error.message, "See why the API cannot look at its database.")
        return
    count = len(page["items"])
    if count:
        many = f"{count}{' or more' if page['next_cursor'] else ''}"
        yield warning(
            "api.refunds",
            f"Refunds that need attention: {many}.",
            "`refunds list --status needs_attention`, `refunds show ID`, then docs/operations.md by its reason.",
        )
    else:
        yield ok("api.refunds", "No refund needs attention.")
