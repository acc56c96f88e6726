"""Asks whether the part that this container runs is alive; for health checks, so quick and without opinions."""

import os
import re
import time
import urllib.error
import urllib.request

import httpx2

from cli.exits import CommandFailed, Exit
from cli.output import counted, say

API_SECONDS_MAX = 5.0
API_PORT_DEFAULT = "8000"
VARIABLE = "REFUNDS_WORKER_METRICS_ADDRESS"
AGE_SECONDS_MAX = 30.0  # the worker's loop shows itself every five seconds
ANSWER_SECONDS_MAX = 3.0
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - an address to listen on is none to call
ALIVE = re.compile(r"^refunds_worker_alive_at_seconds(?:\{[^}]*\})? (\S+)$", re.MULTILINE)


def require_worker() -> None:
    """Ask the worker of this machine, by its metrics, whether its loop turned lately; `CommandFailed` otherwise."""
    address = os.environ.get(VARIABLE)
    if not address:
        raise CommandFailed(Exit.USAGE, f"{VARIABLE} is needed: the worker is asked where it shows its metrics.")
    host, _, port = address.rpartition(":")
    url = f"http://{EVERYWHERE.get(host, host)}:{port}/metrics"
    try:
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(url, timeout=ANSWER_SECONDS_MAX) as answer:
            found = ALIVE.search(answer.read().decode())
    except (OSError, ValueError) as error:
        raise CommandFailed(Exit.NOT_REACHABLE, f"No worker answers at {address}: {error}") from None
    if found is None:
        raise CommandFailed(Exit.NOT_REACHABLE, f"What answers at {address} is no worker that has started.")
    age_seconds = time.time() - float(found.group(1))
    if age_seconds > AGE_SECONDS_MAX:
        raise CommandFailed(Exit.NOT_REACHABLE, f"The worker's loop has not turned for {age_seconds:.0f} seconds.")
    say(f"The worker is alive: its loop turned {counted(round(max(age_seconds, 0)), 'second')} ago.")


def require_api() -> None:
    """Ask the API of this machine whether it is ready; `CommandFailed` otherwise."""
    port = os.environ.get("REFUNDS_API_PORT") or API_PORT_DEFAULT
    try:
        answer = httpx2.get(f"http://127.0.0.1:{port}/readyz", timeout=API_SECONDS_MAX, trust_env=False)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise CommandFailed(Exit.NOT_REACHABLE, f"No API answers on port {port} ({type(error).__name__}).") from None
    if not answer.is_success:
        raise CommandFailed(Exit.NOT_REACHABLE, f"The API is not ready: {answer.text[:200]}")
