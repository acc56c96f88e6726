"""The stories of the demo. Each ends with where the money is, as Stripe and the chain tell it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from eth_account.signers.local import LocalAccount

from devstack.demo.town import WEI_PER_COIN, DemoFailedError, Town, wait_for

TWENTY_DOLLARS_MINOR = 2000
HUNDREDTH_OF_A_COIN_WEI = 10**16
TWENTY_TOKENS = 20 * 10**6
DEAR_GAS_WEI = 20 * 10**9


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
    _, refund, payment = _request_by_card(town)
    town.approve(refund)
    return Told(_status(town.until(refund, "refunded")), _on_the_card(town, payment))


def crypto_refund(town: Town) -> Told:
    """A crypto deposit: back on chain, to the very address that sent it."""
    customer = town.new_customer()
    refund = _request_by_crypto(town, customer)
    before = town.balance_wei(customer)
    town.approve(refund)
    seen = town.until(refund, "refunded")
    return Told(_status(seen), f"{_on_chain(town, customer, before)} by transaction {seen['payouts'][-1]['tx_hash']}")


def token_refund(symbol: str) -> Callable[[Town], Told]:
    """Return a story of tokens: back to the owner that the token's own log names."""

    def play(town: Town) -> Told:
        customer = town.new_customer()
        account, _ = town.open_account()
        tx_hash = town.pay_by_token(symbol, TWENTY_TOKENS, customer)
        payment = {
            "rail": "crypto",
            "chain_id": town.chain_id,
            "tx_hash": tx_hash,
            "asset": town.token_address(symbol),
            "amount_base_units": str(TWENTY_TOKENS),
        }
        town.deposit(account, TWENTY_DOLLARS_MINOR, payment, datetime.now(UTC))
        refund = town.request(account={"id": account}, rail="crypto")
        town.approve(refund)
        seen = town.until(refund, "refunded")
        received = town.token_balance(symbol, customer)
        if received != TWENTY_TOKENS:
            raise DemoFailedError(f"the sender holds {received} base units of {symbol}, not {TWENTY_TOKENS}")
        return Told(_status(seen), f"chain: +20 {symbol} at {customer.address}")

    return play


def dear_gas_and_reorg(town: Town) -> Told:
    """No block takes the payout until its fee is raised; then the block that took it is undone."""
    customer = town.new_customer()
    refund = _request_by_crypto(town, customer)
    before, payouts = town.balance_wei(customer), town.payouts_sent()
    town.node("evm_setIntervalMining", 0)
    town.approve(refund)
    first = wait_for(lambda: _payout_hash(town, refund), "the payout to be signed")
    town.node("anvil_setNextBlockBaseFeePerGas", hex(DEAR_GAS_WEI))  # far above what was just bid
    town.node("evm_setIntervalMining", 1)
    wait_for(lambda: "payout.fee_raised" in _events(town, refund) or None, "its fee to be raised")
    wait_for(lambda: town.balance_wei(customer) > before or None, "a block to take it")
    town.node("anvil_reorg", 1, [])
    if town.balance_wei(customer) != before:
        raise DemoFailedError("the block was not undone")
    seen = town.until(refund, "refunded")
    if town.payouts_sent() != payouts + 1:
        raise DemoFailedError(f"the wallet sent {town.payouts_sent() - payouts} transactions for one payout")
    if seen["payouts"][-1]["tx_hash"] == first:
        raise DemoFailedError("the payout was mined without a higher fee")
    happened = f"{_status(seen)}, with a higher fee under the same nonce, and sent again after the lost block"
    return Told(happened, f"{_on_chain(town, customer, before)}, once")


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


def rejection(town: Town) -> Told:
    """An operator says no: the balance is the customer's again, to the cent."""
    account, refund, payment = _request_by_card(town)
    town.reject(refund, "the account holder asked for something else on the phone")
    seen = town.until(refund, "rejected")
    return Told(_status(seen), f"{_on_the_card(town, payment)}; {_spendable(town, account)}")


def withdrawal(town: Town) -> Told:
    """The customer changes their mind before anybody approved."""
    account, refund, payment = _request_by_card(town)
    town.until(refund, "awaiting_approval")
    town.must("helpdesk", "POST", f"/v1/refunds/{refund}/withdraw", {"reason": "wants to keep the balance"})
    seen = town.until(refund, "withdrawn")
    return Told(_status(seen), f"{_on_the_card(town, payment)}; {_spendable(town, account)}")


def worker_killed(town: Town) -> Told:
    """The worker dies while it pays on both rails at once: another goes on, and the money has moved once."""
    customer = town.new_customer()
    by_crypto = _request_by_crypto(town, customer)
    _, by_card, payment = _request_by_card(town)
    balance, payouts = town.balance_wei(customer), town.payouts_sent()
    town.lose_next_answer(seconds=60)
    town.approve(by_card)
    town.approve(by_crypto)
    wait_for(lambda: town.refunds_at_stripe(payment) or None, "Stripe to have taken the refund")
    wait_for(lambda: _payout_hash(town, by_crypto), "the payout to be signed")
    if {town.refund(refund)["status"] for refund in (by_card, by_crypto)} & {"refunded"}:
        raise DemoFailedError("a refund was done before the worker could be killed in the middle of it")
    town.kill("worker")
    seen = [town.until(refund, "refunded") for refund in (by_card, by_crypto)]
    if town.payouts_sent() != payouts + 1:
        raise DemoFailedError(f"the wallet sent {town.payouts_sent() - payouts} transactions for one payout")
    money = f"{_on_the_card(town, payment)}, once; {_on_chain(town, customer, balance)}, once"
    return Told(" and ".join(_status(it) for it in seen), money)


def late_failure(town: Town) -> Told:
    """The refund succeeded, and the customer's bank sends it back: the case opens again, its money held."""
    account, refund, payment = _request_by_card(town)
    town.approve(refund)
    paid = town.until(refund, "refunded")["payouts"][-1]["provider_ref"]
    town.let_happen(f"refunds/{paid}/fail", failure_reason="expired_or_canceled_card")
    seen = wait_for(lambda: _reason_is(town, refund, "payout_failed"), "the late failure to reopen the case")
    if town.refunds_at_stripe(payment)[0]["status"] != "failed":
        raise DemoFailedError("Stripe shows the refund as paid")
    if "came back to us" not in seen["messages"][-1]["text"]:
        raise DemoFailedError("the customer was not told that the refund came back")
    happened = f"refunded; the bank sent it back: {_status(seen)}, the customer was told"
    return Told(happened, f"Stripe: {paid} failed; books: {_book(town, account, 'held')}")


def double_loss(town: Town) -> Told:
    """A chargeback after the refund: the customer has both. It is lost, and an operator takes the loss."""
    account, refund, payment = _request_by_card(town)
    town.approve(refund)
    town.until(refund, "refunded")
    town.let_happen("clock", advance_seconds=300)  # a chargeback that comes sooner makes the refund fail instead
    dispute = town.let_happen(f"charges/{town.charge_of(payment)}/dispute", status="needs_response")["id"]
    wait_for(lambda: _reason_is(town, refund, "payout_disputed"), "the chargeback to reopen the case")
    town.let_happen(f"disputes/{dispute}/lose")
    seen = wait_for(lambda: _reason_is(town, refund, "dispute_lost"), "the lost dispute to be seen")
    (loss,) = seen["disputes"]
    resolution = {"resolution_id": town.name("resolution"), "action": "accept_loss", "reason": "finance knows"}
    town.must("approver_1", "POST", f"/v1/refunds/{refund}/resolution", resolution)
    wait_for(lambda: _reason_is(town, refund, "loss_accepted"), "the loss to be booked")
    happened = "refunded; a chargeback reopened the case, it was lost, and an operator accepted the loss"
    lost = f"{loss['withdrawn_minor'] / 100:.2f} USD withdrawn by {dispute}"
    return Told(happened, f"{_on_the_card(town, payment)}; {lost}; books: {_book(town, account, 'charged_back')}")


def reconciliation(town: Town) -> Told:
    """Finance asks whether books, Stripe and chain agree, about everything up to this moment."""
    asked = {"reconciliation_id": town.name("reconciliation"), "grace_seconds": 0}
    town.must("viewer", "POST", "/v1/reconciliations", asked)

    def finished() -> Any:
        return town.must("viewer", "GET", f"/v1/reconciliations/{asked['reconciliation_id']}")["report"]

    report = wait_for(finished, "the reconciliation to be finished")
    if report["outcome"] != "clean" or not all(scope["compared"] for scope in report["scopes"]):
        raise DemoFailedError(f"the reconciliation is {report}")
    places = ", ".join(f"{scope['compared']} in {scope['scope']}" for scope in report["scopes"])
    return Told("no difference", f"compared: {places}")


def audit(town: Town) -> Told:
    """An auditor computes every hash of the trail again."""
    seen = town.must("viewer", "GET", "/v1/audit/verification")
    if not seen["is_whole"]:
        raise DemoFailedError(f"the audit trail is broken: {seen['broken']}")
    return Told("nobody touched it", f"{seen['entries']} entries, each change with who, when and why")


STORIES = (
    Story("card deposit, two days old, unused", card_refund),
    Story("crypto deposit, unused", crypto_refund),
    Story("deposit of a USDC-like token", token_refund("USDC")),
    Story("deposit of a USDT-like token, which answers nothing", token_refund("USDT")),
    Story("card deposit, one number got its SMS", used_deposit),
    Story("card deposit, the only SMS never came", unreceived_sms),
    Story("card deposit, asked on day 15", day_fifteen),
    Story("e-mail with username and payment id", email_request),
    Story("card deposit, an operator says no", rejection),
    Story("card deposit, the customer changes their mind", withdrawal),
    Story("card refund that the customer's bank sends back later", late_failure),
)

# Played one after the other when those are done: the first would disturb them, the others look back at all.
AFTERWARDS = (
    Story("one by card, one by crypto: worker killed while it pays", worker_killed),
    Story("crypto deposit: gas gets dear, and then a block is undone", dear_gas_and_reorg),
    Story("finance compares books, Stripe and chain", reconciliation),
    Story("an auditor walks the audit trail", audit),
    # Moves the simulator's clock, so nothing may look back at Stripe afterwards.
    Story("card refund, and a chargeback on top of it", double_loss),
)


def _request_by_card(town: Town) -> tuple[str, str, str]:
    """Let a new customer pay by card and ask for it back; return account, refund and payment."""
    account, _ = town.open_account()
    payment = town.pay_by_card(TWENTY_DOLLARS_MINOR)
    town.deposit(account, TWENTY_DOLLARS_MINOR, _card(payment), _days_ago(2))
    return account, town.request(account={"id": account}, rail="card"), payment


def _request_by_crypto(town: Town, customer: LocalAccount) -> str:
    """Let a customer pay by crypto and ask for it back; return the refund."""
    account, _ = town.open_account()
    tx_hash = town.pay_by_crypto(HUNDREDTH_OF_A_COIN_WEI, customer)
    payment = {
        "rail": "crypto",
        "chain_id": town.chain_id,
        "tx_hash": tx_hash,
        "asset": "native",
        "amount_base_units": str(HUNDREDTH_OF_A_COIN_WEI),
    }
    town.deposit(account, 3000, payment, datetime.now(UTC))
    return town.request(account={"id": account}, rail="crypto", payment_proof=tx_hash)


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


def _payout_hash(town: Town, refund: str) -> str | None:
    payouts = town.refund(refund)["payouts"]
    return str(payouts[-1]["tx_hash"]) if payouts and payouts[-1]["tx_hash"] else None


def _events(town: Town, refund: str) -> list[str]:
    return [it["event"] for it in town.refund(refund)["timeline"]]


def _spendable(town: Town, account: str) -> str:
    """Return in words what the account can spend, after checking that all of the deposit is there again."""
    balance = town.balance(account)
    if balance["spendable_minor"] != balance["deposited_minor"]:
        raise DemoFailedError(f"the account holds {balance}")
    return f"balance: {balance['spendable_minor'] / 100:.2f} {balance['currency']} to spend again"


def _on_chain(town: Town, customer: LocalAccount, before_wei: int) -> str:
    """Return in words what came back to the sender, after checking that it is exactly what was paid."""
    received = town.balance_wei(customer) - before_wei
    if received != HUNDREDTH_OF_A_COIN_WEI:
        raise DemoFailedError(f"the sender's balance rose by {received} wei, not by {HUNDREDTH_OF_A_COIN_WEI}")
    return f"chain: +{received / WEI_PER_COIN} coin at {customer.address}"


def _on_the_card(town: Town, payment: str) -> str:
    """Return in words what Stripe's own ledger says of a payment."""
    refunds = town.refunds_at_stripe(payment)
    if not refunds:
        return "Stripe: nothing moved"
    if len(refunds) > 1 or refunds[0]["status"] != "succeeded":
        raise DemoFailedError(f"Stripe shows {len(refunds)} refunds of {payment}")
    return f"Stripe: {refunds[0]['amount'] / 100:.2f} USD back to the card ({refunds[0]['id']})"


def _reason_is(town: Town, refund: str, reason: str) -> dict[str, Any] | None:
    seen = town.refund(refund)
    return seen if seen["status_reason"] == reason else None


def _book(town: Town, account: str, book: str) -> str:
    """Say how much of an account's money stands in a book."""
    (balance,) = town.must("billing", "GET", f"/v1/accounts/{account}/balance")["balances"]
    amount = balance[f"{book}_minor"]
    if amount != TWENTY_DOLLARS_MINOR:
        raise DemoFailedError(f"{amount} of {account} stand in {book}")
    return f"{amount / 100:.2f} USD {book.replace('_', ' ')}"
