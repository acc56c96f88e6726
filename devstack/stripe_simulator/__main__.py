"""Start the simulator: `python -m devstack.stripe_simulator --port P --database FILE`."""

import argparse
import os
import signal
import sys
from pathlib import Path

import uvicorn

from devstack.stripe_simulator import profiles
from devstack.stripe_simulator.app import build_app
from devstack.stripe_simulator.changes import write_events
from devstack.stripe_simulator.connection import BreakableConnection
from devstack.stripe_simulator.profiles import Profile
from devstack.stripe_simulator.store import Store

HOST = "127.0.0.1"
# A call that hangs on purpose must not keep the process alive.
SHUTDOWN_SECONDS_MAX = 1


def main() -> None:
    """Serve until SIGTERM or SIGINT, then exit with status 0."""
    arguments = _parse_arguments()
    store = Store(
        arguments.database,
        observe=write_events,
        clock_offset_seconds=arguments.clock_offset_seconds,
        settings={profiles.SETTING: arguments.profile},
    )
    server = uvicorn.Server(
        uvicorn.Config(
            build_app(
                store,
                webhook_url=arguments.webhook_url,
                webhook_secrets=arguments.webhook_secrets,
                webhook_events=arguments.webhook_events,
            ),
            host=HOST,
            port=arguments.port,
            http=BreakableConnection,
            loop="asyncio",
            ws="none",
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS_MAX,
        )
    )
    # uvicorn raises the signal once more after its own shutdown; without a handler that would kill us.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    print(
        f"SIMULATED Stripe on http://{HOST}:{arguments.port}, state in {arguments.database}. No money moves.",
        file=sys.stderr,
        flush=True,
    )
    server.run()


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m devstack.stripe_simulator", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--database", type=Path, required=True, help="SQLite file, made when it is missing")
    parser.add_argument("--clock-offset-seconds", type=int, default=0, help="how far its clock runs ahead")
    parser.add_argument(
        "--profile",
        choices=tuple(Profile),
        default=Profile.FAITHFUL,
        help="permissive: no guard against over-refunds, no memory of idempotency keys",
    )
    parser.add_argument(
        "--webhook-url",
        default=os.environ.get("STRIPE_SIMULATOR_WEBHOOK_URL") or None,
        help="where to send events; nowhere without it (environment: STRIPE_SIMULATOR_WEBHOOK_URL)",
    )
    parser.add_argument(
        "--webhook-secret",
        dest="webhook_secrets",
        action="append",
        help="signs them; twice while one replaces the other "
        "(environment, where other users cannot see it: STRIPE_SIMULATOR_WEBHOOK_SECRET, several by commas)",
    )
    parser.add_argument(
        "--webhook-event",
        dest="webhook_events",
        action="append",
        help="sends only this type, or pattern; several times for several, all of them without it "
        "(environment: STRIPE_SIMULATOR_WEBHOOK_EVENTS, several by commas)",
    )
    arguments = parser.parse_args()
    if not arguments.webhook_events:
        given = os.environ.get("STRIPE_SIMULATOR_WEBHOOK_EVENTS", "").split(",")
        arguments.webhook_events = [event for event in given if event]
    if not arguments.webhook_secrets:
        given = os.environ.get("STRIPE_SIMULATOR_WEBHOOK_SECRET", "").split(",")
        arguments.webhook_secrets = [secret for secret in given if secret]
    if arguments.webhook_url and not arguments.webhook_secrets:
        parser.error("--webhook-url needs a --webhook-secret")
    return arguments


if __name__ == "__main__":
    main()
