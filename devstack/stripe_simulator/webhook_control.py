"""The part of the control plane that sends webhooks somewhere, disturbs them, and forges them."""

from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.routing import Route

from devstack.stripe_simulator import deliveries, targets
from devstack.stripe_simulator.calls import Json
from devstack.stripe_simulator.commands import (
    BadCommandError,
    answering,
    choice,
    flag,
    number_of_seconds,
    read_command,
    texts,
    whole_number,
)
from devstack.stripe_simulator.deliveries import Ordering, Settings
from devstack.stripe_simulator.errors import no_such
from devstack.stripe_simulator.events import show_event
from devstack.stripe_simulator.signatures import Forgery
from devstack.stripe_simulator.store import Store, Tables
from devstack.stripe_simulator.targets import Target

_TARGET_FIELDS = ("url", "secrets", "enabled_events", "timeout_seconds", "tries_max", "retry_seconds")
COPIES_MAX = 100


class WebhookControl:
    """Commands about targets, deliveries and events."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[Route]:
        """List the commands."""
        return [
            Route("/_sim/webhooks", answering(self._show), methods=["GET"]),
            Route("/_sim/webhooks", answering(self._set), methods=["POST"]),
            Route("/_sim/webhooks/targets", answering(self._keep_target), methods=["POST"]),
            Route("/_sim/webhooks/targets/{id}", answering(self._remove_target), methods=["DELETE"]),
            Route("/_sim/webhooks/deliveries", answering(self._list), methods=["GET"]),
            Route("/_sim/events/{id}/redeliver", answering(self._redeliver), methods=["POST"]),
            Route("/_sim/events/{id}/forge", answering(self._forge), methods=["POST"]),
        ]

    async def _show(self, _: Request) -> Json:
        return await self._store.transaction(_show)

    async def _set(self, request: Request) -> Json:
        command = await read_command(request, {"held", "ordering", "seed", "copies"})

        def change(tables: Tables) -> Json:
            deliveries.write_settings(tables, _read_settings(command, deliveries.read_settings(tables)))
            return _show(tables)

        return await self._store.transaction(change)

    async def _keep_target(self, request: Request) -> Json:
        command = await read_command(request, _TARGET_FIELDS)

        def keep(tables: Tables) -> Json:
            target = _read_target(tables, command)
            targets.keep_target(tables, target)
            return target.as_json()

        return await self._store.transaction(keep)

    async def _remove_target(self, request: Request) -> Json:
        target_id = request.path_params["id"]
        if not await self._store.transaction(lambda tables: targets.remove_target(tables, target_id)):
            raise no_such("webhook_endpoint", target_id)
        return {"id": target_id, "deleted": True}

    async def _list(self, request: Request) -> Json:
        event, status = request.query_params.get("event"), request.query_params.get("status")
        return await self._store.transaction(
            lambda tables: {"deliveries": deliveries.list_deliveries(tables, event=event, status=status)}
        )

    async def _redeliver(self, request: Request) -> Json:
        command = await read_command(request, {"target"})
        return await self._send_again(request.path_params["id"], command.get("target"), None)

    async def _forge(self, request: Request) -> Json:
        command = await read_command(request, {"kind", "target"})
        kind = Forgery(choice(command, "kind", tuple(Forgery), default=None))
        return await self._send_again(request.path_params["id"], command.get("target"), kind)

    async def _send_again(self, event_id: str, target_id: str | None, forgery: Forgery | None) -> Json:
        def send(tables: Tables) -> Json:
            show_event(tables, event_id)
            chosen = [it for it in targets.list_targets(tables) if target_id in (None, it.id)]
            if not chosen:
                raise BadCommandError("there is no such webhook target")
            made = {deliveries.add(tables, event_id, target, forgery=forgery) for target in chosen}
            shown = deliveries.list_deliveries(tables, event=event_id)
            return {"deliveries": [delivery for delivery in shown if delivery["id"] in made]}

        return await self._store.transaction(send)


def _show(tables: Tables) -> Json:
    return {
        **asdict(deliveries.read_settings(tables)),
        "targets": [target.as_json() for target in targets.list_targets(tables)],
    }


def _read_settings(command: dict[str, Any], before: Settings) -> Settings:
    settings = Settings(
        held=flag(command, "held", default=before.held),
        ordering=Ordering(choice(command, "ordering", tuple(Ordering), default=before.ordering)),
        seed=whole_number(command, "seed", at_least=0, default=before.seed),
        copies=whole_number(command, "copies", at_least=1, default=before.copies),
    )
    if settings.copies > COPIES_MAX:
        raise BadCommandError(f"copies must be {COPIES_MAX} or less")
    return settings


def _read_target(tables: Tables, command: dict[str, Any]) -> Target:
    url = command.get("url")
    if not isinstance(url, str) or urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise BadCommandError("url must be an address that begins with http:// or https://")
    return Target(
        id=targets.new_target_id(tables, url),
        url=url,
        secrets=texts(command, "secrets", default=[]),
        enabled_events=texts(command, "enabled_events", default=targets.EVERY_EVENT),
        timeout_seconds=number_of_seconds(command, "timeout_seconds", default=targets.TIMEOUT_SECONDS_DEFAULT),
        tries_max=whole_number(command, "tries_max", at_least=1, default=targets.TRIES_MAX_DEFAULT),
        retry_seconds=number_of_seconds(command, "retry_seconds", default=targets.RETRY_SECONDS_DEFAULT),
    )
