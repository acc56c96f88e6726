"""The HTTP application, put together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio.to_thread
from fastapi import FastAPI

from api import (
    billing,
    books,
    checks,
    documents,
    findings,
    health,
    hooks,
    metrics,
    operating,
    operators,
    problems,
    rails,
    refunds,
)
from api.edge import Edge
from api.metrics import Metrics
from api.services import Services
from api.telling import Telling

# Below what the database lends out (5 connections and 10 more), so that no thread ever waits for a connection.
THREADS = 12


def create_app(services: Services) -> FastAPI:
    """Return the application that answers with these services."""
    telling = Telling(services)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        await services.runs.connect()
        sweep = asyncio.create_task(telling.sweep_for_ever())
        yield
        sweep.cancel()
        with suppress(asyncio.CancelledError):
            await sweep

    # No page of documentation: it would load scripts from elsewhere. No guessing of slashes either.
    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.services, app.state.telling, app.state.metrics = services, telling, Metrics(services.figures)
    app.state.is_draining = False
    for it in (refunds, checks, operating, findings, rails, operators, billing, books, hooks, health, metrics):
        app.include_router(it.routes)
    documents.install(app)
    problems.install(app)
    app.add_middleware(Edge, metrics=app.state.metrics)
    return app
