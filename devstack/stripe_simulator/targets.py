"""Where webhooks go, and with which secrets they are signed."""

import fnmatch
import json
from dataclasses import dataclass

from devstack.stripe_simulator.calls import Json, new_id
from devstack.stripe_simulator.store import COMMAND_LINE_TARGET, Tables

EVERY_EVENT = ["*"]
TIMEOUT_SECONDS_DEFAULT = 5.0
# With the wait doubling from 0.2 s up to 15 s, twelve tries are over after a minute and a half.
TRIES_MAX_DEFAULT = 12
RETRY_SECONDS_DEFAULT = 0.2


@dataclass(frozen=True, kw_only=True)
class Target:
    """One receiver; two secrets while the first is being replaced by the second."""

    id: str
    url: str
    secrets: list[str]
    enabled_events: list[str]
    timeout_seconds: float = TIMEOUT_SECONDS_DEFAULT
    tries_max: int = TRIES_MAX_DEFAULT
    retry_seconds: float = RETRY_SECONDS_DEFAULT

    def wants(self, event_type: str) -> bool:
        """Whether it is subscribed to events of this type."""
        return any(fnmatch.fnmatchcase(event_type, pattern) for pattern in self.enabled_events)

    def as_json(self) -> Json:
        """Show it without its secrets."""
        return {
            "id": self.id,
            "url": self.url,
            "secrets": len(self.secrets),
            "enabled_events": self.enabled_events,
            "timeout_seconds": self.timeout_seconds,
            "tries_max": self.tries_max,
            "retry_seconds": self.retry_seconds,
        }


def new_target_id(tables: Tables, url: str) -> str:
    """Find the id of the target at this address, or make one."""
    row = tables.connection.execute("SELECT id FROM webhook_targets WHERE url = ?", (url,)).fetchone()
    return new_id("we_1") if row is None else str(row[0])


def keep_target(tables: Tables, target: Target) -> None:
    """Add a target, or change the one with its id or address; what waits for it is kept."""
    tables.connection.execute(
        "UPDATE deliveries SET target = ? WHERE target IN (SELECT id FROM webhook_targets WHERE url = ?)",
        (target.id, target.url),
    )
    tables.connection.execute("DELETE FROM webhook_targets WHERE id = ? OR url = ?", (target.id, target.url))
    tables.connection.execute(
        "INSERT INTO webhook_targets (id, url, secrets, enabled_events, timeout_seconds, tries_max, retry_seconds) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            target.id,
            target.url,
            json.dumps(target.secrets),
            json.dumps(target.enabled_events),
            target.timeout_seconds,
            target.tries_max,
            target.retry_seconds,
        ),
    )


def remove_target(tables: Tables, target_id: str) -> bool:
    """Remove a target with everything that waits for it, and say whether it was there."""
    tables.connection.execute("DELETE FROM deliveries WHERE target = ?", (target_id,))
    return tables.connection.execute("DELETE FROM webhook_targets WHERE id = ?", (target_id,)).rowcount > 0


def set_command_line_target(
    tables: Tables, url: str | None, secrets: list[str], enabled_events: list[str] | None = None
) -> None:
    """Make the target of the command line what the process was started with, also if that is none."""
    if url is None:
        remove_target(tables, COMMAND_LINE_TARGET)
        return
    events = enabled_events or EVERY_EVENT
    target = Target(id=COMMAND_LINE_TARGET, url=url, secrets=secrets, enabled_events=events)
    keep_target(tables, target)


def list_targets(tables: Tables) -> list[Target]:
    """Read all targets."""
    rows = tables.connection.execute(
        "SELECT id, url, secrets, enabled_events, timeout_seconds, tries_max, retry_seconds "
        "FROM webhook_targets ORDER BY rowid"
    )
    return [
        Target(
            id=target_id,
            url=url,
            secrets=json.loads(secrets),
            enabled_events=json.loads(enabled_events),
            timeout_seconds=timeout_seconds,
            tries_max=tries_max,
            retry_seconds=retry_seconds,
        )
        for target_id, url, secrets, enabled_events, timeout_seconds, tries_max, retry_seconds in rows
    ]
