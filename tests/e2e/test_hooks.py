"""Webhooks on the whole stack: the simulator sends them signed, and the refund moves without being looked at."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from devstack.demo.town import Town, wait_for
from devstack.stack import Stack

pytestmark = pytest.mark.stack

TWENTY_DOLLARS_MINOR = 2000


def control(stack: Stack, path: str, **command: Any) -> Any:
    return httpx2.post(f"{stack.info['stripe']}/_sim/{path}", json=command).raise_for_status().json()


def deliveries(stack: Stack, **query: str) -> list[dict[str, Any]]:
    answer = httpx2.get(f"{stack.info['stripe']}/_sim/webhooks/deliveries", params=query)
    return list(answer.raise_for_status().json()["deliveries"])


def paid(town: Town) -> tuple[str, str]:
    """Pay one refund, and return it with its reference at the processor."""
    account, _ = town.open_account()
    payment = town.pay_by_card(TWENTY_DOLLARS_MINOR)
    card = {"rail": "card", "payment_intent": payment}
    town.deposit(account, TWENTY_DOLLARS_MINOR, card, datetime.now(UTC) - timedelta(days=1))
    refund = town.request(account={"id": account}, rail="card")
    town.approve(refund)
    town.until(refund, "refunded")
    (made,) = town.refunds_at_stripe(payment)
    return refund, made["id"]


def reopened(town: Town, refund: str) -> dict[str, Any]:
    """Wait, for as long as the next look by schedule would still be far away, until an operator has the refund."""

    def seen() -> dict[str, Any] | None:
        try:
            shown = town.refund(refund)
        except httpx2.TransportError:  # the API is being started again
            return None
        return shown if shown["status"] == "needs_attention" else None

    return wait_for(seen, f"{refund} to be reopened")


def counted(stack: Stack, outcome: str) -> float:
    text = httpx2.get(f"{stack.info['api']}/metrics").raise_for_status().text
    (line,) = [it for it in text.splitlines() if it.startswith(f'refunds_stripe_hook_total{{outcome="{outcome}"}}')]
    return float(line.split()[-1])


def test_a_late_failure_is_known_at_once_and_a_forged_one_wakes_nobody(stack: Stack, town: Town) -> None:
    refund, ref = paid(town)
    control(stack, f"refunds/{ref}/fail")

    assert reopened(town, refund)["status_reason"] == "payout_failed"

    event = [it["event"] for it in deliveries(stack) if it["type"] == "refund.failed"][-1]
    before = {it: counted(stack, it) for it in ("forged", "old", "future", "unsigned")}
    for kind in ("wrong_secret", "old", "future", "changed_body", "unsigned"):
        control(stack, f"events/{event}/forge", kind=kind)
    wait_for(lambda: deliveries(stack, status="waiting") == [] or None, "the forger to be done")
    forged = [it for it in deliveries(stack, event=event) if it["forgery"] is not None]
    assert [(it["status"], it["answer_status"]) for it in forged] == [("given_up", 400)] * 5
    assert [counted(stack, it) - before[it] for it in before] == [2, 1, 1, 1]
    (true,) = [it for it in deliveries(stack, event=event) if it["forgery"] is None]
    assert (true["status"], true["answer_status"]) == ("delivered", 200)


def test_events_made_while_the_api_is_down_come_when_it_is_back(stack: Stack, town: Town) -> None:
    refund, ref = paid(town)
    control(stack, "webhooks", held=True, ordering="reversed")
    control(stack, f"refunds/{ref}/fail")
    town.kill("api")
    control(stack, "webhooks", held=False, ordering="as_made")

    assert reopened(town, refund)["status_reason"] == "payout_failed"
    wait_for(lambda: deliveries(stack, status="waiting") == [] or None, "all to be delivered")
