"""The people and places of the demo: API clients by role, a card customer's bank, a crypto customer's wallet."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any, TypeVar

import httpx2
from eth_account import Account
from eth_account.signers.local import LocalAccount
from web3 import HTTPProvider, Web3
from web3.types import RPCEndpoint

from devstack.contracts.contract import Contract, at

POLL_SECONDS = 0.1
PATIENCE_SECONDS = 60
GAS_OF_A_TRANSFER = 21_000
GAS_OF_A_TOKEN_TRANSFER = 100_000
WEI_PER_COIN = 10**18

T = TypeVar("T")


class DemoFailedError(Exception):
    """The demo saw something that must not be; the message says what."""


@dataclass(frozen=True)
class Answer:
    """One answer of the API: its status and its JSON."""

    status: int
    body: dict[str, Any]


class Town:
    """What a story needs, on top of a running stack."""

    def __init__(self, info: dict[str, Any], kill: Callable[[str], None] | None = None) -> None:
        """`kill` ends one of the stack's processes with SIGKILL, by its name; only some stories need it."""
        self._info = info
        self._kill = kill
        self._http = httpx2.Client(timeout=30)
        self._chain = info["chains"][0]
        self._web3 = Web3(HTTPProvider(self._chain["rpc"], exception_retry_configuration=None))
        self._numbers = count(1)
        self._paying = threading.Lock()
        self.customer: LocalAccount = Account.from_key(self._chain["depositor_key"])

    def close(self) -> None:
        """Let the connections go."""
        self._http.close()

    # --- the API, as billing, help desk and operators use it ---

    def call(self, role: str, method: str, path: str, body: dict[str, Any] | None = None) -> Answer:
        """Call the service's HTTP API as one of its clients."""
        response = self._http.request(
            method,
            f"{self._info['api']}{path}",
            json=body,
            headers={"Authorization": f"Bearer {self._info['tokens'][role]}"},
        )
        return Answer(response.status_code, response.json() if response.content else {})

    def must(self, role: str, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Call the API and insist on success."""
        answer = self.call(role, method, path, body)
        if answer.status >= 400:
            raise DemoFailedError(f"{method} {path} as {role}: {answer.status} {answer.body.get('detail')}")
        return answer.body

    def name(self, kind: str) -> str:
        """Return a fresh id."""
        return f"{kind}_{next(self._numbers)}"

    def open_account(self) -> tuple[str, str]:
        """Let billing record a new account; return its id and username."""
        account = self.name("acct")
        username = f"user_{account}"
        self.must("billing", "PUT", f"/v1/accounts/{account}", {"username": username, "status": "active"})
        return account, username

    def deposit(self, account: str, amount_minor: int, payment: dict[str, Any], paid_at: datetime) -> str:
        """Let billing credit a payment."""
        deposit = self.name("dep")
        body = {
            "account_id": account,
            "amount_minor": amount_minor,
            "currency": "USD",
            "paid_at": paid_at.isoformat(),
            "payment": payment,
        }
        self.must("billing", "PUT", f"/v1/deposits/{deposit}", body)
        return deposit

    def order(self, account: str, amount_minor: int, *statuses: str) -> None:
        """Let billing record an order that goes through `statuses`."""
        order = self.name("ord")
        for status in statuses:
            body = {
                "account_id": account,
                "product": "sms",
                "amount_minor": amount_minor,
                "currency": "USD",
                "status": status,
                "created_at": datetime.now(UTC).isoformat(),
            }
            self.must("billing", "PUT", f"/v1/orders/{order}", body)

    def request(self, **fields: Any) -> str:
        """Let the help desk start a refund for a fresh ticket; return the refund's id."""
        body = {
            "ticket": {"system": "demo", "id": self.name("ticket")},
            "channel": "ticket",
            "requested_at": datetime.now(UTC).isoformat(),
            "locale": "en",
        } | fields
        return str(self.must("helpdesk", "POST", "/v1/refunds", body)["id"])

    def refund(self, refund: str) -> dict[str, Any]:
        """Read a refund."""
        return self.must("helpdesk", "GET", f"/v1/refunds/{refund}")

    def until(self, refund: str, *statuses: str) -> dict[str, Any]:
        """Wait until a refund stands in one of `statuses`; anything that ends elsewhere fails the demo."""

        def stands_there() -> dict[str, Any] | None:
            seen = self.refund(refund)
            if seen["status"] in statuses:
                return seen
            if seen["status"] in ("refunded", "ineligible", "rejected", "expired", "duplicate", "needs_attention"):
                raise DemoFailedError(f"{refund} is {seen['status']} ({seen['status_reason']})")
            return None

        return wait_for(stands_there, f"{refund} to be {' or '.join(statuses)}")

    def approve(self, refund: str, operator: str = "approver_1") -> None:
        """Let an operator approve exactly what they see."""
        seen = self.until(refund, "awaiting_approval")
        body = {"decision_id": self.name("decision"), "action": "approve", "digest": seen["digest"]}
        self.must(operator, "POST", f"/v1/refunds/{refund}/decisions", body)

    def reject(self, refund: str, reason: str, operator: str = "approver_1") -> None:
        """Let an operator reject what they see."""
        seen = self.until(refund, "awaiting_approval")
        body = {
            "decision_id": self.name("decision"),
            "action": "reject",
            "digest": seen["digest"],
            "reason": reason,
        }
        self.must(operator, "POST", f"/v1/refunds/{refund}/decisions", body)

    def balance(self, account: str) -> dict[str, Any]:
        """Read what an account holds in its one currency."""
        (balance,) = self.must("billing", "GET", f"/v1/accounts/{account}/balance")["balances"]
        return dict(balance)

    def kill(self, process: str) -> None:
        """End a process of the stack at once, as a power cut would."""
        if self._kill is None:
            raise DemoFailedError("this town may not kill anything")
        self._kill(process)

    # --- the card customer and Stripe ---

    def pay_by_card(self, amount_minor: int) -> str:
        """Pay at Stripe; return the payment intent."""
        response = self._http.post(
            f"{self._info['stripe']}/v1/payment_intents",
            data={
                "amount": str(amount_minor),
                "currency": "usd",
                "payment_method": "pm_card_visa",
                "confirm": "true",
            },
            headers={"Authorization": f"Bearer {self._info['stripe_key']}"},
        )
        if response.status_code != 200:
            raise DemoFailedError(f"Stripe did not take the payment: {response.status_code}")
        return str(response.json()["id"])

    def refunds_at_stripe(self, payment_intent: str) -> list[dict[str, Any]]:
        """List what Stripe's own ledger knows of refunds of a payment."""
        response = self._http.get(
            f"{self._info['stripe']}/v1/refunds",
            params={"payment_intent": payment_intent},
            headers={"Authorization": f"Bearer {self._info['stripe_key']}"},
        )
        return list(response.json()["data"])

    def lose_next_answer(self, seconds: float) -> None:
        """Let Stripe take the next refund and keep its answer to itself for so long."""
        fault = {"method": "POST", "path_prefix": "/v1/refunds", "kind": "hang_after", "hang_seconds": seconds}
        answer = self._http.post(f"{self._info['stripe']}/_sim/faults", json=fault)
        if answer.status_code != 200:
            raise DemoFailedError(f"the simulator arms no fault: {answer.text}")

    def let_happen(self, what: str, **how: Any) -> dict[str, Any]:
        """Let Stripe's simulator, or a customer's bank behind it, do something."""
        answer = self._http.post(f"{self._info['stripe']}/_sim/{what}", json=how)
        if answer.status_code != 200:
            raise DemoFailedError(f"the simulator does not {what}: {answer.text}")
        return dict(answer.json())

    def charge_of(self, payment_intent: str) -> str:
        """Name the charge of a payment, as Stripe does."""
        response = self._http.get(
            f"{self._info['stripe']}/v1/payment_intents/{payment_intent}",
            headers={"Authorization": f"Bearer {self._info['stripe_key']}"},
        )
        return str(response.json()["latest_charge"])

    # --- crypto customers and the chain ---

    def new_customer(self) -> LocalAccount:
        """Return a customer with a coin at an address of their own, so that balances tell of one story alone."""
        customer: LocalAccount = Account.create()
        self._send(self.customer, customer.address, WEI_PER_COIN)
        return customer

    def pay_by_crypto(self, amount_wei: int, customer: LocalAccount | None = None) -> str:
        """Send coins to the merchant's deposit address; return the transaction hash once it is final."""
        tx_hash, block = self._send(customer or self.customer, self._chain["deposit_address"], amount_wei)
        self._until_final(block)
        return tx_hash

    def pay_by_token(self, symbol: str, amount_base_units: int, customer: LocalAccount) -> str:
        """Send tokens, which the customer got before, to the merchant's deposit address; return the final hash."""
        self._move_tokens(self.customer, customer.address, symbol, amount_base_units)
        tx_hash, block = self._move_tokens(customer, self._chain["deposit_address"], symbol, amount_base_units)
        self._until_final(block)
        return tx_hash

    def token_balance(self, symbol: str, customer: LocalAccount) -> int:
        """Return what a customer's address holds of a token now, in base units, as the token says."""
        return int(self._token(symbol).ask("balanceOf", customer.address))

    def token_address(self, symbol: str) -> str:
        return str(self._chain["tokens"][symbol])

    def _move_tokens(self, sender: LocalAccount, to: str, symbol: str, amount_base_units: int) -> tuple[str, int]:
        data = self._token(symbol).data("transfer", to, amount_base_units)
        return self._send(sender, self.token_address(symbol), 0, data=data, gas=GAS_OF_A_TOKEN_TRANSFER)

    def _token(self, symbol: str) -> Contract:
        return at(self.node, {"USDC": "UsdcLike", "USDT": "UsdtLike"}[symbol], self.token_address(symbol))

    def node(self, method: str, *params: Any) -> Any:
        """Ask the chain's node, its test methods included."""
        answer = self._web3.provider.make_request(RPCEndpoint(method), list(params))
        if "error" in answer:
            raise DemoFailedError(f"{method}: {answer['error']}")
        return answer["result"]

    def _until_final(self, block: int) -> None:
        wait_for(
            lambda: self._web3.eth.get_block("finalized")["number"] >= block or None,
            "the deposit's block to be final",
        )

    def _send(
        self, sender: LocalAccount, to: str, amount_wei: int, *, data: str = "0x", gas: int = GAS_OF_A_TRANSFER
    ) -> tuple[str, int]:
        """Send a chain transaction; return its hash and its block. One at a time: two would take the same nonce."""
        with self._paying:
            transaction = {
                "type": 2,
                "chainId": self._chain["chain_id"],
                "nonce": self._web3.eth.get_transaction_count(sender.address),
                "to": to,
                "value": amount_wei,
                "data": data,
                "gas": gas,
                "maxFeePerGas": 3 * self._web3.eth.gas_price,
                "maxPriorityFeePerGas": self._web3.eth.max_priority_fee,
            }
            signed = sender.sign_transaction(transaction)
            tx_hash = self._web3.eth.send_raw_transaction(signed.raw_transaction)
            receipt = self._web3.eth.wait_for_transaction_receipt(
                tx_hash, timeout=PATIENCE_SECONDS, poll_latency=POLL_SECONDS
            )
        return str(tx_hash.to_0x_hex()), int(receipt["blockNumber"])

    def balance_wei(self, customer: LocalAccount | None = None) -> int:
        """Return what a customer's address holds now, as the chain says."""
        return int(self._web3.eth.get_balance((customer or self.customer).address))

    def payouts_sent(self) -> int:
        """Return how many transactions the merchant's wallet has sent, as the chain says."""
        return int(self._web3.eth.get_transaction_count(self._chain["wallet"]))

    @property
    def chain_id(self) -> int:
        return int(self._chain["chain_id"])


def wait_for(condition: Callable[[], T | None], what: str) -> T:
    """Ask again and again until there is an answer; give up with a sentence."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        answer = condition()
        if answer is not None:
            return answer
        time.sleep(POLL_SECONDS)
    raise DemoFailedError(f"waited {PATIENCE_SECONDS} s in vain for {what}")
