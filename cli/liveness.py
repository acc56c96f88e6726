"""Asks whether the part that this container runs is alive; for health checks, so quick and without opinions."""

import importlib
import os

import httpx2

from cli.exits import CommandFailed, Exit

SECONDS_MAX = 5.0
DEFAULT_PORT = "8000"


def require_api() -> None:
    """Ask the API of this machine whether it is ready; `CommandFailed` otherwise."""
    port = os.environ.get("REFUNDS_API_PORT") or DEFAULT_PORT
    try:
        answer = httpx2.get(f"http://127.0.0.1:{port}/readyz", timeout=SECONDS_MAX, trust_env=False)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise CommandFailed(Exit.NOT_REACHABLE, f"No API answers on port {port} ({type(error).__name__}).") from None
    if not answer.is_success:
        raise CommandFailed(Exit.NOT_REACHABLE, f"The API is not ready: {answer.text[:200]}")


def require_worker() -> None:
    """Ask Temporal whether a worker of this machine fetches tasks; `CommandFailed` otherwise."""
    temporal = importlib.import_module("cli.checkup.temporal")
    if not temporal.is_this_machine_polling():
        raise CommandFailed(Exit.NOT_REACHABLE, "Temporal does not answer, or sees no worker of this machine.")
