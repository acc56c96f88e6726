"""Money that the bank may take back is not given back to the balance meanwhile."""

import json
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from devstack.demo.town import Town, wait_for
from devstack.stack import Stack

pytestmark = pytest.mark.stack

TWENTY_DOLLARS_MINOR = 2000


def dispute(stack: Stack, payment: str) -> None:
    """Let the customer's bank open a dispute at the Stripe simulator."""
    base = stack.info["stripe"]
    with urllib.request.urlopen(f"{base}/_sim/state") as answer:  # noqa: S310 - our own loopback address
        charges = json.load(answer)["charges"]
    (charge,) = (it["id"] for it in charges if it["payment_intent"] == payment)
    body = json.dumps({"status": "needs_response"}).encode()
    call = urllib.request.Request(  # noqa: S310
        f"{base}/_sim/charges/{charge}/dispute", data=body, headers={"content-type": "application/json"}
    )
    with urllib.request.urlopen(call):  # noqa: S310
        return


def balance(town: Town, account: str) -> dict[str, Any]:
    answer = town.must("billing", "GET", f"/v1/accounts/{account}/balance")
    return dict(answer["balances"][0])


@pytest.mark.parametrize("is_disputed", [False, True], ids=["clean", "disputed"])
def test_a_withdrawn_refund_frees_the_money_only_if_nobody_disputes_it(
    stack: Stack, town: Town, is_disputed: bool
) -> None:
    account, _ = town.open_account()
    payment = town.pay_by_card(TWENTY_DOLLARS_MINOR)
    card = {"rail": "card", "payment_intent": payment}
    town.deposit(account, TWENTY_DOLLARS_MINOR, card, datetime.now(UTC) - timedelta(days=1))
    refund = town.request(account={"id": account}, rail="card")
    town.until(refund, "awaiting_approval")
    if is_disputed:
        dispute(stack, payment)

    town.must("helpdesk", "POST", f"/v1/refunds/{refund}/withdraw", {"reason": "changed my mind"})

    wanted = "payout_disputed" if is_disputed else "customer_withdrew"
    wait_for(lambda: town.refund(refund)["status_reason"] == wanted or None, f"the refund to be {wanted}")
    books = balance(town, account)
    freed = 0 if is_disputed else TWENTY_DOLLARS_MINOR
    assert (books["spendable_minor"], books["held_minor"]) == (freed, TWENTY_DOLLARS_MINOR - freed)
    assert town.refunds_at_stripe(payment) == []
