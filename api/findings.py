"""What a person must look at, what they may do about it, and closing it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from pydantic import Field

from api.documents import READ, WRITE, problems_of
from api.fields import Body, QueryFlag, QueryNumber, Text
from api.guard import DECIDERS, READERS, CallerNow, GuardedRoute, bearer, only
from api.pictures import Picture
from api.services import ServicesNow
from domain.errors import InvalidRequest
from domain.findings import ADVICE, OUTLIVES_ITS_REFUND, FindingKind, Remedy, remedies
from domain.refunds import END_STATES, Identifier, RefundStatus, StatusReason

routes = APIRouter(route_class=GuardedRoute, dependencies=[Depends(bearer)], tags=["findings"])

ID_MAX = 2**63 - 1
FindingId = Annotated[QueryNumber, Path(ge=1, le=ID_MAX, description="the finding's number")]


class RemedyCall(Picture):
    """The call that carries a remedy out. What stands in braces is to be filled in."""

    method: str
    path: str
    body: dict[str, str | int] = Field(description="what the body must say at least")


class RemedyAnswer(Picture):
    """What a person may do. Without a call it is done outside this service."""

    remedy: Remedy
    words: str
    call: RemedyCall | None


class Finding(Picture):
    """Something a person must look at. `openings` counts how often the same matter was found anew.

    `refund_status` and `status_reason` say where its refund stands now, which may be past what was found.
    """

    id: int
    kind: FindingKind
    refund_id: str | None
    refund_status: RefundStatus | None
    status_reason: StatusReason | None
    evidence: dict[str, Any]
    remedies: list[RemedyAnswer]
    openings: int
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    closed_reason: str | None


class FindingList(Picture):
    """One page of findings, oldest first; `next_cursor` leads to the next page and is null on the last."""

    items: list[Finding]
    next_cursor: str | None


class FindingFilters(Body):
    """Which findings to list."""

    kind: FindingKind | None = None
    refund_id: Identifier | None = None
    open: QueryFlag = Field(default=True, description="`false` lists those that were closed")
    cursor: Annotated[str, Field(max_length=20)] | None = None
    limit: Annotated[QueryNumber, Field(ge=1, le=200)] = 50


class CloseBody(Body):
    """Why the matter is settled."""

    reason: Text


@routes.get("/v1/findings", openapi_extra=only(READERS), responses=problems_of(*READ))
def list_findings(filters: Annotated[FindingFilters, Query()], services: ServicesNow) -> FindingList:
    """List what a person must look at, with the evidence and what may be done."""
    rows = services.views.findings(
        kind=filters.kind,
        refund_id=filters.refund_id,
        is_open=filters.open,
        after=_read_cursor(filters.cursor),
        limit=filters.limit + 1,
    )
    items = [finding_of(row) for row in rows[: filters.limit]]
    return FindingList(items=items, next_cursor=str(items[-1].id) if len(rows) > filters.limit else None)


@routes.post("/v1/findings/{finding_id}/close", openapi_extra=only(DECIDERS), responses=problems_of(*WRITE, 404))
def close_finding(finding_id: FindingId, body: CloseBody, services: ServicesNow, caller: CallerNow) -> Finding:
    """Close a finding. A matter that still stands by our own books is refused; one found again opens again."""
    services.findings.close(finding_id, body.reason, operator=caller.name)
    return finding_of(services.views.finding(finding_id))


def finding_of(row: Mapping[str, Any]) -> Finding:
    """Return a finding with what its refund still allows to do, each call filled in as far as the finding knows."""
    kind = FindingKind(row["kind"])
    status = None if row["refund_status"] is None else RefundStatus(row["refund_status"])
    known = {"id": row["id"], "refund_id": row["refund_id"], **row["evidence"]}
    offered = [_remedy(remedy, known) for remedy in remedies(kind, status)]
    if status in END_STATES and kind not in OUTLIVES_ITS_REFUND:
        close = offered[-1]
        ended = f"The refund has ended, {status} ({row['status_reason']}). {close.words}"
        offered[-1] = close.model_copy(update={"words": ended})
    return Finding.model_validate({**row, "remedies": offered})


def _remedy(remedy: Remedy, known: Mapping[str, Any]) -> RemedyAnswer:
    advice = ADVICE[remedy]
    if advice.call is None:
        return RemedyAnswer(remedy=remedy, words=advice.words, call=None)
    method, path = advice.call
    for name in ("id", "refund_id", "rail"):
        if known.get(name) is not None:
            path = path.replace("{" + name + "}", str(known[name]))
    body: dict[str, Any] = dict(advice.body)
    if remedy == Remedy.START_RAIL and known.get("chain_id") is not None:
        body["chain_id"] = known["chain_id"]
    return RemedyAnswer(remedy=remedy, words=advice.words, call=RemedyCall(method=method, path=path, body=body))


def _read_cursor(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit()) or int(cursor) > ID_MAX:
        raise InvalidRequest("cursor", "cursor", "is not a cursor that a list returned")
    return int(cursor)
