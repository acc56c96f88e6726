"""Commands about the account: its profile, its balance, and how refunds move by themselves."""

from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from devstack.stripe_simulator import balance, outcomes, profiles, refund_life
from devstack.stripe_simulator.balance import WhenShort
from devstack.stripe_simulator.calls import Json
from devstack.stripe_simulator.commands import BadCommandError, answering, choice, read_command, whole_number
from devstack.stripe_simulator.profiles import Profile
from devstack.stripe_simulator.store import Store, Tables


class AccountControl:
    """The commands `/_sim/profile`, `/_sim/balance` and `/_sim/refund_timing`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[Route]:
        """List the commands."""
        return [
            Route("/_sim/profile", answering(self._set_profile), methods=["POST"]),
            Route("/_sim/balance", answering(self._set_balance), methods=["POST"]),
            Route("/_sim/refund_timing", answering(self._set_timing), methods=["POST"]),
        ]

    async def _set_profile(self, request: Request) -> Json:
        profile = choice(await read_command(request, {"profile"}), "profile", tuple(Profile), default=None)

        def set_profile(tables: Tables) -> Json:
            tables.set_setting(profiles.SETTING, profile)
            return {"profile": profiles.current_profile(tables)}

        return await self._store.transaction(set_profile)

    async def _set_balance(self, request: Request) -> Json:
        """Set the balance or top it up; a balance that was set is meant to run short, so refunds then wait."""
        command = await read_command(request, {"currency", "available_minor", "top_up_minor", "when_short"})
        currency = _currency(command)
        set_to, top_up = _amount(command, "available_minor"), _amount(command, "top_up_minor")
        default = None if set_to is None else WhenShort.PENDING.value
        behaviour = None
        if default is not None or "when_short" in command:
            behaviour = WhenShort(choice(command, "when_short", tuple(WhenShort), default=default))

        def book(tables: Tables) -> Json:
            if set_to is not None:
                balance.adjust(tables, currency, set_to - balance.available(tables).get(currency, 0))
            if top_up is not None:
                balance.adjust(tables, currency, top_up)
            if behaviour is not None:
                balance.set_when_short(tables, behaviour)
            refund_life.fund_waiting(tables)
            return show_balance(tables)

        return await self._store.transaction(book)

    async def _set_timing(self, request: Request) -> Json:
        command = await read_command(request, {"moves_after_seconds", "reversal_window_seconds"})

        def set_timing(tables: Tables) -> Json:
            if "moves_after_seconds" in command:
                is_off = command["moves_after_seconds"] is None
                seconds = None if is_off else whole_number(command, "moves_after_seconds", at_least=0)
                tables.set_setting(refund_life.MOVES_AFTER, seconds)
            if "reversal_window_seconds" in command:
                window = whole_number(command, "reversal_window_seconds", at_least=0)
                outcomes.set_reversal_window(tables, window)
            refund_life.pass_time(tables)
            return show_timing(tables)

        return await self._store.transaction(set_timing)


def show_account(tables: Tables) -> Json:
    """Show how the account is set up."""
    return {
        "profile": profiles.current_profile(tables),
        "balance": show_balance(tables),
        "refund_timing": show_timing(tables),
        "next_refunds": outcomes.list_planned(tables),
    }


def show_balance(tables: Tables) -> Json:
    """Show what is available per currency, and what happens to a refund that it does not cover."""
    return {"available_minor": balance.available(tables), "when_short": balance.when_short(tables)}


def show_timing(tables: Tables) -> Json:
    """Show how refunds move by themselves."""
    return {
        "moves_after_seconds": tables.setting(refund_life.MOVES_AFTER, None),
        "reversal_window_seconds": outcomes.reversal_window_seconds(tables),
    }


def _currency(command: dict[str, Any]) -> str:
    value = command.get("currency", "usd")
    if not isinstance(value, str) or not value.isalpha() or len(value) != 3:
        raise BadCommandError("currency must be three letters")
    return value.lower()


def _amount(command: dict[str, Any], name: str) -> int | None:
    value = command.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise BadCommandError(f"{name} must be a whole number")
    return value
