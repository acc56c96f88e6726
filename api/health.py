"""Is the process alive, and can it do its work?"""

import asyncio

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from api import problems
from api.documents import problems_of
from api.pictures import Health
from api.problems import ProblemType
from api.services import ServicesNow
from domain.errors import TryAgain
from ledger.database import Database
from ledger.migrate import is_current

routes = APIRouter(tags=["operations"])


@routes.get("/livez", responses=problems_of(400, 500))
async def livez() -> Health:
    """Answer while the process answers at all."""
    return Health()


@routes.get("/readyz", response_model=Health, responses=problems_of(400, 500, 503))
async def readyz(request: Request, services: ServicesNow) -> Response:
    """Answer 200 when the database has this version's schema, Temporal can be reached, and nobody stops us."""
    if request.app.state.is_draining:
        return problems.answer(
            request.state.request_id, ProblemType.NOT_READY, "This process is stopping.", rule="ready"
        )
    database, is_reachable = await asyncio.gather(
        run_in_threadpool(_missing_database, services.database), services.runs.is_reachable()
    )
    missing = [name for name in (database, None if is_reachable else "temporal") if name]
    if not missing:
        return JSONResponse(Health().model_dump())
    detail = f"Missing: {', '.join(missing)}."
    return problems.answer(request.state.request_id, ProblemType.NOT_READY, detail, rule="ready")


def _missing_database(database: Database) -> str | None:
    try:
        return None if is_current(database) else "database schema of this version"
    except TryAgain:
        return "database"
