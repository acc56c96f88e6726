"""The stories of the demo. Each ends with where the money is, as Stripe and the chain tell it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from devstack.demo.town import DemoFailedError, Town

TWENTY_DOLLARS_MINOR = 2000
HUNDREDTH_OF_A_COIN_WEI = 10**16
WEI_PER_COIN = 10**18


@dataclass(frozen=True)
class Told:
    """What a story has to tell at its end."""

    happened: str
    money: str


@dataclass(frozen=True)
class Story:
    """One story: what was asked, and how it goes."""

    asked: str
    play: Callable[[Town], Told]


def card_refund(town: Town) -> Told:
    """A card deposit of two days ago, unused: approved and back on the card."""
    account, _ = town.open_account()
    payment = town.pay_by_card(TWENTY_DOLLARS_MINOR)
    town.deposit(account, TWENTY_DOLLARS_MINOR, _card(payment), _days_ago(2))
    refund = town.request(account={"id": account}, rail="card")
    town.approve(refund)
    return Told(_status(town.until(refund, "refunded")), _on_the_card(town, payment))


def crypto_refund(town: Town) -> Told:
    """A crypto deposit: back on chain, to the very address that sent it."""
    account, _ = town.open_account()
    tx_hash = town.pay_by_crypto(HUNDREDTH_OF_A_COIN_WEI)
    payment = {
        "rail": "crypto",
        "chain_id": town.chain_id,
        "tx_hash": tx_hash,
        "asset": "native",
        "amount_base_units": str(HUNDREDTH_OF_A_COIN_WEI),
    }
    town.deposit(account, 3000, payment, datetime.now(UTC))
    before = town.balance_wei()
    refund = town.request(account={"id": account}, rail="crypto", payment_proof=tx_hash)
    town.approve(refund)
    seen = town.until(refund, "refunded")
    received = town.balance_wei() - before
    if received != HUNDREDTH_OF_A_COIN_WEI:
        raise DemoFailedError(f"the sender's balance rose by {received} wei, not by {HUNDREDTH_OF_A_COIN_WEI}")
    sender = town.customer.address
    back = seen["payouts"][-1]["tx_hash"]
    return Told(_status(seen), f"chain: +{received / WEI_PER_COIN} coin at {sender} by transaction {back}")


def used_deposit(town: Town) -> Told:
    """One of the numbers got its SMS: the deposit was used and stays."""
    account, _ = town.open_account()
    payment = town.pay_by_card(TWENTY_DOLLARS_MINOR)
    town.deposit(account, TWENTY_DOLLARS_MINOR, _card(payment), _days_ago(2))
    town.order(account, 50, "pending", "charged")
    refund = town.request(account={"id": account}, rail="card")
    return Told(_refusal(town, refund), _on_the_card(town, payment))


def unreceived_sms(town: Town) -> Told:
    """The SMS never came: that number was never charged, so the deposit is unused."""
    account, _ = town.open_account()
    payment = town.pay_by_card(TWENTY_DOLLARS_MINOR)
    town.deposit(account, TWENTY_DOLLARS_MINOR, _card(payment), _days_ago(2))
    town.order(account, 50, "pending", "cancelled")
    refund = town.request(account={"id": account}, rail="card")
    town.approve(refund)
    return Told(_status(town.until(refund, "refunded")), _on_the_card(town, payment))


def day_fifteen(town: Town) -> Told:
    """The promise holds for 14 days; this customer asks on day 15."""
    account, _ = town.open_account()
    payment = town.pay_by_card(TWENTY_DOLLARS_MINOR)
    town.deposit(account, TWENTY_DOLLARS_MINOR, _card(payment), _days_ago(15))
    refund = town.request(account={"id": account}, rail="card")
    return Told(_refusal(town, refund), _on_the_card(town, payment))


def email_request(town: Town) -> Told:
    """A mail proves nothing: one operator confirms the ownership, another approves."""
    account, username = town.open_account()
    payment = town.pay_by_card(TWENTY_DOLLARS_MINOR)
    town.deposit(account, TWENTY_DOLLARS_MINOR, _card(payment), _days_ago(1))
    refund = town.request(channel="email", account={"username": username}, rail="card", payment_proof=payment)
    town.until(refund, "awaiting_ownership")
    confirmation = {
        "confirmation_id": town.name("confirmation"),
        "action": "confirm",
        "evidence": "called back on the number of the account; last four digits of the card agree",
    }
    town.must("approver_2", "POST", f"/v1/refunds/{refund}/ownership", confirmation)
    town.approve(refund, "approver_1")
    return Told(_status(town.until(refund, "refunded")), _on_the_card(town, payment))


STORIES = (
    Story("card deposit, two days old, unused", card_refund),
    Story("crypto deposit, unused", crypto_refund),
    Story("card deposit, one number got its SMS", used_deposit),
    Story("card deposit, the only SMS never came", unreceived_sms),
    Story("card deposit, asked on day 15", day_fifteen),
    Story("e-mail with username and payment id", email_request),
)


def _card(payment: str) -> dict[str, str]:
    return {"rail": "card", "payment_intent": payment}


def _days_ago(days: int) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)


def _status(seen: dict[str, object]) -> str:
    return f"{seen['status']}"


def _refusal(town: Town, refund: str) -> str:
    seen = town.until(refund, "ineligible")
    reasons = [rule["reason"] for rule in seen["verdict"]["rules"] if rule["outcome"] == "fail"]
    return f"ineligible: {' '.join(reasons)}"


def _on_the_card(town: Town, payment: str) -> str:
    """Return in words what Stripe's own ledger says of a payment."""
    refunds = town.refunds_at_stripe(payment)
    if not refunds:
        return "Stripe: nothing moved"
    if len(refunds) > 1 or refunds[0]["status"] != "succeeded":
        raise DemoFailedError(f"Stripe shows {len(refunds)} refunds of {payment}")
    return f"Stripe: {refunds[0]['amount'] / 100:.2f} USD back to the card ({refunds[0]['id']})"
