"""What finance and auditors ask: is the audit trail whole, and do books, card processor and chain agree?"""

from datetime import datetime
from threading import Lock
from typing import Annotated, Any, Literal

from anyio import from_thread
from fastapi import APIRouter, Depends, Path, Query

from api.documents import problems_of
from api.fields import Body, QueryNumber
from api.guard import READERS, CallerNow, GuardedRoute, bearer, only
from api.pictures import Picture
from api.services import ServicesNow
from domain.book_runs import (
    DAILY_PREFIX,
    GRACE_SECONDS_DEFAULT,
    WINDOW_DAYS_DEFAULT,
    Days,
    OpenBooks,
    ReconcileRequest,
    Seconds,
)
from domain.differences import DifferenceKind
from domain.errors import InvalidRequest, TryAgain
from domain.refunds import Identifier
from ledger.audit_chain import BreakKind, Head, prove, read_head

routes = APIRouter(route_class=GuardedRoute, dependencies=[Depends(bearer)], tags=["books"])

READ = problems_of(400, 401, 403, 404, 422, 500, 503)
LATEST_MAX = 50

_verifying = Lock()  # a walk keeps a processor busy: one at a time, so that refunds are answered meanwhile


class AuditHead(Picture):
    """The end of the audit trail now. Kept where nobody of us can write, it proves the trail later."""

    seq: int
    hash: str


class AuditBreak(Picture):
    """The first place where the trail is not what was written."""

    kind: BreakKind
    first_seq: int
    last_seq: int
    detail: str


class AuditVerification(Picture):
    """What a walk over the whole trail found; `broken` is null where every entry is as it was written."""

    is_whole: bool
    entries: int
    head: AuditHead
    broken: AuditBreak | None


class ReconciliationBody(Body):
    """Asks to compare the last `days`; what is younger than `grace_seconds` counts as under way."""

    reconciliation_id: Identifier
    days: Days = WINDOW_DAYS_DEFAULT
    grace_seconds: Seconds = GRACE_SECONDS_DEFAULT


class DifferenceAnswer(Picture):
    """One difference with its finding; `is_open` is false where a person closed it."""

    finding_id: int
    kind: DifferenceKind
    refund_id: str | None
    deposit_id: str | None
    is_open: bool


class ScopeAnswer(Picture):
    """What was compared of one place: `card`, `chain/{id}` or `ledger`."""

    scope: str
    is_read: bool
    is_whole: bool
    compared: int
    under_way_count: int
    under_way: list[str]


class ReconciliationReport(Picture):
    """What a reconciliation found. Money under way is no difference."""

    outcome: Literal["clean", "differences", "incomplete"]
    since: datetime
    compared: int
    under_way_count: int
    scopes: list[ScopeAnswer]
    differences: list[DifferenceAnswer]
    closed_findings: list[int]


class ReconciliationAnswer(Picture):
    """One reconciliation; `report` is null until it is finished."""

    id: str
    status: Literal["requested", "running", "clean", "differences", "incomplete"]
    requested_by: str
    days: int
    grace_seconds: int
    requested_at: datetime
    finished_at: datetime | None
    report: ReconciliationReport | None


class ReconciliationList(Picture):
    """The latest reconciliations, newest first."""

    items: list[ReconciliationAnswer]


ReconciliationId = Annotated[Identifier, Path(description="as it was asked for, or `daily-` and its moment")]
HeadSeq = Annotated[
    QueryNumber | None, Query(ge=0, le=2**62, description="`seq` of a head that was exported earlier")
]
HeadHash = Annotated[str | None, Query(pattern=r"^[0-9a-f]{64}$", description="`hash` of that head")]


@routes.get("/v1/audit/head", openapi_extra=only(READERS), responses=problems_of(400, 401, 403, 500, 503))
def audit_head(services: ServicesNow) -> AuditHead:
    """Export the end of the audit trail."""
    with services.database.read() as session:
        head = read_head(session)
    return AuditHead(seq=head.seq, hash=head.hash)


@routes.get("/v1/audit/verification", openapi_extra=only(READERS), responses=READ)
def verify_audit(services: ServicesNow, seq: HeadSeq = None, hash: HeadHash = None) -> AuditVerification:
    """Walk the whole audit trail; with an exported head, prove that it is still part of it."""
    if (seq is None) != (hash is None):
        raise InvalidRequest("hash" if hash is None else "seq", "both", "a head is a seq and a hash")
    anchor = None if seq is None or hash is None else Head(seq, hash)
    if not _verifying.acquire(blocking=False):
        raise TryAgain("another walk over the trail is under way", after_seconds=5)
    try:
        with services.database.read() as session:
            proof = prove(session, anchor)
    finally:
        _verifying.release()
    broken = proof.broken
    return AuditVerification(
        is_whole=broken is None,
        entries=proof.entries,
        head=AuditHead(seq=proof.head.seq, hash=proof.head.hash),
        broken=broken
        and AuditBreak(kind=broken.kind, first_seq=broken.first, last_seq=broken.last, detail=str(broken)),
    )


@routes.post(
    "/v1/reconciliations",
    status_code=202,
    openapi_extra=only(READERS),
    responses=problems_of(400, 401, 403, 409, 413, 415, 422, 500, 503),
)
def reconcile(body: ReconciliationBody, services: ServicesNow, caller: CallerNow) -> ReconciliationAnswer:
    """Compare books, card processor and chains now; the same id again is the same reconciliation."""
    if body.reconciliation_id.startswith(DAILY_PREFIX):
        raise InvalidRequest("reconciliation_id", "reserved", f"{DAILY_PREFIX} is how the schedule names its own")
    asked = OpenBooks(**body.model_dump())
    row = services.reconciliations.request(asked, requested_by=caller.name)
    if row["report"] is None:
        from_thread.run(services.runs.reconcile, ReconcileRequest(**body.model_dump()))
    return _answer(row)


@routes.get("/v1/reconciliations", openapi_extra=only(READERS), responses=problems_of(400, 401, 403, 500, 503))
def list_reconciliations(services: ServicesNow) -> ReconciliationList:
    """List the latest reconciliations, those by schedule too."""
    return ReconciliationList(items=[_answer(row) for row in services.reconciliations.latest(LATEST_MAX)])


@routes.get("/v1/reconciliations/{reconciliation_id:path}", openapi_extra=only(READERS), responses=READ)
def show_reconciliation(reconciliation_id: ReconciliationId, services: ServicesNow) -> ReconciliationAnswer:
    """Read one reconciliation, and its report once it is finished."""
    return _answer(services.reconciliations.get(reconciliation_id))


def _answer(row: dict[str, Any]) -> ReconciliationAnswer:
    return ReconciliationAnswer.model_validate(row)
