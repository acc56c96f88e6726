"""A town that goes on while its parts die: purses on both rails, patient calls, and what outsiders see."""

import json
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import httpx2
from eth_account import Account
from eth_account.signers.local import LocalAccount

from devstack.demo.town import GAS_OF_A_TRANSFER, POLL_SECONDS, Answer, Town

CREDIT_MINOR = 2000
PAID_WEI = 10**16
FUNDS_WEI = 10**18
PATIENCE_SECONDS = 60.0
BOOKS = ("spendable_minor", "held_minor", "used_minor", "refunded_minor", "charged_back_minor")
REFUNDED = dict.fromkeys(BOOKS, 0) | {"refunded_minor": CREDIT_MINOR}

T = TypeVar("T")


@dataclass(frozen=True)
class Purse:
    """One customer with one deposit, and the proof of its payment."""

    account: str
    username: str
    rail: str
    proof: str
    deposit: str
    customer: LocalAccount | None = None


class City(Town):
    """What outage tests do and see. Ports outlive processes, so one city serves a stack that is started again."""

    def __init__(self, info: dict[str, Any]) -> None:
        super().__init__(info)
        self.info = info

    # --- customers ---

    def pay_card(self, card: str = "pm_card_visa", days_ago: int = 1) -> Purse:
        """Open an account and credit a card payment to it."""
        account, username = self.open_account()
        answer = httpx2.post(
            f"{self.info['stripe']}/v1/payment_intents",
            data={"amount": str(CREDIT_MINOR), "currency": "usd", "payment_method": card, "confirm": "true"},
            headers={"Authorization": f"Bearer {self.info['stripe_key']}"},
            trust_env=False,
        )
        payment = str(answer.raise_for_status().json()["id"])
        paid_at = datetime.now(UTC) - timedelta(days=days_ago)
        deposit = self.deposit(account, CREDIT_MINOR, {"rail": "card", "payment_intent": payment}, paid_at)
        return Purse(account, username, "card", payment, deposit)

    def pay_coins(self, count: int) -> list[Purse]:
        """Let so many customers, each with an address of their own, pay on chain; nothing is final yet."""
        return [self._pay_coins() for _ in range(count)]

    def until_final(self, purses: list[Purse]) -> None:
        """Wait until the chain will not forget these deposits."""
        hashes = {purse.proof for purse in purses}

        def are_final() -> bool:
            receipts = [self.rpc("eth_getTransactionReceipt", it) for it in hashes]
            final = int(self.rpc("eth_getBlockByNumber", "finalized", False)["number"], 16)
            return all(it is not None and int(it["blockNumber"], 16) <= final for it in receipts)

        until(are_final, "the deposits to be final")

    def _pay_coins(self) -> Purse:
        account, username = self.open_account()
        customer: LocalAccount = Account.create()
        self.rpc("anvil_setBalance", customer.address, hex(FUNDS_WEI))
        price = int(self.rpc("eth_gasPrice"), 16)
        signed = customer.sign_transaction(
            {
                "type": 2,
                "chainId": self.chain_id,
                "nonce": 0,
                "to": self.info["chains"][0]["deposit_address"],
                "value": PAID_WEI,
                "gas": GAS_OF_A_TRANSFER,
                "maxFeePerGas": 3 * price,
                "maxPriorityFeePerGas": price // 2,
            }
        )
        tx_hash = str(self.rpc("eth_sendRawTransaction", "0x" + signed.raw_transaction.hex().removeprefix("0x")))
        until(lambda: self.rpc("eth_getTransactionByHash", tx_hash) is not None, "the deposit to be known")
        payment = {
            "rail": "crypto",
            "chain_id": self.chain_id,
            "tx_hash": tx_hash,
            "asset": "native",
            "amount_base_units": str(PAID_WEI),
        }
        deposit = self.deposit(account, CREDIT_MINOR, payment, datetime.now(UTC) - timedelta(seconds=1))
        return Purse(account, username, "crypto", tx_hash, deposit, customer)

    # --- what people do ---

    def ask(self, purse: Purse, **fields: Any) -> str:
        """Let the help desk ask for a purse's deposit, with another ticket each time."""
        return self.request(**({"account": {"id": purse.account}, "rail": purse.rail} | fields))

    def new_request(self, purse: Purse) -> dict[str, Any]:
        """Write one request, for callers who must send the very same again."""
        return {
            "ticket": {"system": "desk", "id": self.name("ticket")},
            "channel": "ticket",
            "account": {"id": purse.account},
            "rail": purse.rail,
            "requested_at": datetime.now(UTC).isoformat(),
        }

    def send(self, role: str, method: str, path: str, body: dict[str, Any] | None = None) -> httpx2.Response:
        """Make one call on a connection of its own, from any thread, and return its answer as it is."""
        headers = {"Authorization": f"Bearer {self.info['tokens'][role]}"}
        url = f"{self.info['api']}{path}"
        return httpx2.request(method, url, json=body, headers=headers, timeout=PATIENCE_SECONDS, trust_env=False)

    def ask_by_mail(self, purse: Purse) -> str:
        """Let an unknown writer ask, with the proof of payment."""
        return self.ask(purse, channel="email", account={"username": purse.username}, payment_proof=purse.proof)

    def insist(self, role: str, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Repeat one call until it is answered, as any client must: nothing but 503 and silence may come between."""
        answers: list[Answer] = []

        def is_answered() -> bool:
            try:
                answers.append(self.call(role, method, path, body))
            except httpx2.TransportError:
                return False
            assert answers[-1].status in (200, 201, 202, 503), answers[-1]
            return answers[-1].status != 503

        until(is_answered, f"{method} {path} to be answered")
        return answers[-1].body

    def seen(self, refund: str) -> dict[str, Any]:
        """Read a refund, however long the API is away."""
        return self.insist("helpdesk", "GET", f"/v1/refunds/{refund}")

    def stands(self, refund: str, status: str, reason: str | None = None) -> dict[str, Any]:
        """Wait until a refund stands in a status, wherever it has to pass before."""
        last: dict[str, Any] = {}

        def does() -> bool:
            last.update(self.seen(refund))
            return last["status"] == status and reason in (None, last["status_reason"])

        try:
            until(does, f"{refund} to be {status}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {last['status']} ({last['status_reason']})") from None
        return last

    def decide(self, refund: str, action: str = "approve", operator: str = "approver_1") -> None:
        """Let an operator decide what they see."""
        seen = self.stands(refund, "awaiting_approval")
        body = {"decision_id": self.name("decision"), "action": action, "digest": seen["digest"], "reason": "a test"}
        self.insist(operator, "POST", f"/v1/refunds/{refund}/decisions", body)

    def confirm(self, refund: str) -> None:
        """Let another operator than the approver confirm who asks."""
        self.stands(refund, "awaiting_ownership")
        body = {"confirmation_id": self.name("confirmation"), "action": "confirm", "evidence": "called back"}
        self.insist("approver_2", "POST", f"/v1/refunds/{refund}/ownership", body)

    def resolve(self, refund: str, action: str) -> None:
        """Let an operator resolve what needs attention."""
        self.stands(refund, "needs_attention")
        body = {"resolution_id": self.name("resolution"), "action": action, "reason": "a test"}
        self.insist("approver_2", "POST", f"/v1/refunds/{refund}/resolution", body)

    # --- what outsiders see ---

    def rpc(self, method: str, *params: Any) -> Any:
        """Ask the node itself."""
        question = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer = httpx2.post(self.info["chains"][0]["rpc"], json=question, timeout=10, trust_env=False).json()
        assert "error" not in answer, answer
        return answer["result"]

    def received(self, purse: Purse) -> int:
        """Return what came back to the customer, by Stripe's ledger or by the balance of their address."""
        if purse.rail == "card":
            return sum(it["amount"] for it in self.stripe_refunds(purse) if it["status"] == "succeeded")
        assert purse.customer is not None
        paid = self.rpc("eth_getTransactionReceipt", purse.proof)
        left = FUNDS_WEI - PAID_WEI - int(paid["gasUsed"], 16) * int(paid["effectiveGasPrice"], 16)
        return int(self.rpc("eth_getBalance", purse.customer.address, "latest"), 16) - left

    def assert_paid_once(self, purse: Purse) -> None:
        """Insist that all of the payment came back, once, and that our books say the same."""
        if purse.rail == "card":
            assert self.received(purse) == CREDIT_MINOR, self.stripe_refunds(purse)
            alive = [it for it in self.stripe_refunds(purse) if it["status"] not in ("failed", "canceled")]
            assert len(alive) == 1, alive
        else:
            assert self.received(purse) == PAID_WEI
        assert self.books(purse) == REFUNDED

    def assert_not_paid(self, purse: Purse) -> None:
        """Insist that nothing left, and that the books still hold the deposit somewhere."""
        assert self.received(purse) == 0
        assert sum(self.books(purse).values()) == CREDIT_MINOR

    def stripe_refunds(self, purse: Purse) -> list[dict[str, Any]]:
        """List the refunds of a purse's payment in the simulator's ledger."""
        return [it for it in self.simulator("state")["refunds"] if it["payment_intent"] == purse.proof]

    def simulator(self, path: str, command: dict[str, Any] | None = None) -> dict[str, Any]:
        """Read, or command, the Stripe simulator's control plane."""
        request = urllib.request.Request(  # noqa: S310 - our own loopback address
            f"{self.info['stripe']}/_sim/{path}",
            None if command is None else json.dumps(command).encode(),
            {"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return dict(json.load(answer))

    def are_faults_spent(self) -> bool:
        """Tell whether every armed fault has found its call."""
        return not self.simulator("state")["faults"]

    def books(self, purse: Purse) -> dict[str, int]:
        """Read where an account's money is."""
        answer = self.insist("billing", "GET", f"/v1/accounts/{purse.account}/balance")
        return {name: answer["balances"][0][name] for name in BOOKS}

    def wallet_nonce(self) -> int:
        """Return how many chain transactions the wallet ever made."""
        return int(self.rpc("eth_getTransactionCount", self.info["chains"][0]["wallet"], "latest"), 16)


def until(condition: Callable[[], bool], what: str, seconds_max: float = PATIENCE_SECONDS) -> float:
    """Wait until it is so; return how many seconds that took. A part that does not answer is asked again."""
    began = time.monotonic()
    while True:
        try:
            if condition():
                return time.monotonic() - began
        except (OSError, httpx2.TransportError):
            pass  # the part is away
        assert time.monotonic() - began < seconds_max, f"waited {seconds_max:.0f} s in vain for {what}"
        time.sleep(POLL_SECONDS)
