"""Composition root of HTTP: settings in, one listening process out."""

import gc
import signal
import socket
import sys
import time
from types import FrameType

import structlog
import uvicorn
from fastapi import FastAPI
from sqlalchemy.exc import SQLAlchemyError
from temporalio.envconfig import ClientConfig, ClientConnectConfig
from temporalio.runtime import Runtime, TelemetryConfig

import logs
from api.app import create_app
from api.runs import Runs
from api.services import Services
from config import MissingSettingsError, Settings
from domain.errors import TryAgain
from ledger.card_events import CardEvents
from ledger.clients import Clients
from ledger.database import Database
from ledger.feed import Feed
from ledger.figures import Figures
from ledger.findings import Findings
from ledger.idempotency import KeyedAnswers
from ledger.intake import Intake
from ledger.migrate import NewerSchemaError, is_current, upgrade
from ledger.news import News
from ledger.previews import Previews
from ledger.rails import Rails
from ledger.reconciliations import Reconciliations
from ledger.records import Records
from ledger.views import Views

STOP_SECONDS_MAX = 10
BACKLOG = 2048
# A help desk waits three to five seconds; who is told to try again by then has kept no thread from the others.
WRITE_SECONDS_MAX = 3.0


def serve(settings: Settings, *, migrate: bool) -> None:
    """Answer HTTP until a signal comes; raise `MissingSettingsError` where the process cannot start."""
    settings.require_hook()
    logs.set_up(settings.secrets())
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=logs.of_temporal())))
    database = _open(settings.database_url, migrate=migrate)
    app = create_app(compose(settings, database))
    listener = listen(settings.api_host, settings.api_port)
    structlog.get_logger().info("server.started", host=settings.api_host, port=listener.getsockname()[1])
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=STOP_SECONDS_MAX,
    )
    # uvicorn sends itself the signal once more after it has stopped in good order: that is no reason to be killed.
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    gc.freeze()  # what is loaded by now stays: no collection need walk over it
    try:
        DrainingServer(config, app, settings.api_drain_seconds).run(sockets=[listener])
    finally:
        database.close()


class DrainingServer(uvicorn.Server):
    """Once it is told to stop, says for a while that it is not ready, so that nobody sends it more; then stops."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, drain_seconds: float) -> None:
        super().__init__(config)
        self._app, self._drain_seconds = app, drain_seconds
        self._drained_at = 0.0
        self._is_told = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain; a second signal changes nothing about it."""
        if not self._app.state.is_draining:
            self._app.state.is_draining = True
            self._drained_at = time.monotonic() + self._drain_seconds
        super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Tell whether to stop now."""
        is_to_stop = await super().on_tick(counter)
        if is_to_stop and not self._is_told:
            self._is_told = True
            structlog.get_logger().info("server.stopping", drain_seconds=self._drain_seconds)
        return is_to_stop and (self.force_exit or time.monotonic() >= self._drained_at)


def migrate(settings: Settings) -> None:
    """Bring the database to this version's schema; raise `MissingSettingsError` where it cannot be used."""
    logs.set_up(settings.secrets())
    _open(settings.database_url, migrate=True).close()


def _stop(*_: object) -> None:
    sys.exit(0)


def compose(settings: Settings, database: Database) -> Services:
    """Put the services together."""
    policy = settings.load_policy()
    return Services(
        database=database,
        intake=Intake(database, policy),
        records=Records(database, policy),
        feed=Feed(database, policy),
        views=Views(database),
        clients=Clients(database),
        answers=KeyedAnswers(database),
        findings=Findings(database),
        rails=Rails(database),
        previews=Previews(database, policy),
        news=News(database),
        figures=Figures(database, policy),
        reconciliations=Reconciliations(database),
        card_events=CardEvents(database),
        runs=Runs(_temporal_config()),
        hook_secrets=settings.stripe_webhook_secrets,
        hook_is_live=None if settings.stripe_mode is None else settings.stripe_mode == "live",
    )


def _open(url: str, *, migrate: bool) -> Database:
    """Return the database once it has this version's schema."""
    try:
        database = Database(url, wait_seconds_max=WRITE_SECONDS_MAX)
        database.listeners.append(logs.write_change)
        if migrate:
            _migrate(url)
        elif not is_current(database):
            raise MissingSettingsError(
                "The database does not have this version's schema. "
                "`refunds migrate` brings it there, `refunds serve --migrate` before it starts."
            )
    except NewerSchemaError as error:
        raise MissingSettingsError(str(error)) from None
    except (TryAgain, SQLAlchemyError) as error:
        cause = type(error.__cause__ or error).__name__  # the words of a driver may hold the password
        raise MissingSettingsError(f"REFUNDS_DATABASE_URL: the database cannot be used ({cause}).") from None
    return database


def _migrate(url: str) -> None:
    """Another process may be migrating: that is worth a longer wait than a caller's."""
    database = Database(url)
    try:
        upgrade(database)
    finally:
        database.close()


def _temporal_config() -> ClientConnectConfig:
    try:
        return ClientConfig.load_client_connect_config()
    except (RuntimeError, ValueError, OSError) as error:
        raise MissingSettingsError(f"Temporal's settings are wrong: {error}") from None


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
        # asyncio sets this only on sockets made for TCP by name; without it each answer waits 40 ms for an ACK.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        where = f"REFUNDS_API_HOST and REFUNDS_API_PORT: cannot listen on {host}:{port}"
        raise MissingSettingsError(f"{where} ({error.strerror or error})") from None
