"""The two worlds that the contract tests ask the same of: our simulator, and Stripe's own test mode."""

import os
import time
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
import stripe
from pydantic import SecretStr

from domain.payouts import CardPayout
from gateways.stripe.client import STRIPE_API_BASE
from gateways.stripe.gateway import StripeGateway
from tests.gateways.stripe_endpoints import TEST_KEY, Payment, Simulator

KEY_VARIABLE = "STRIPE_TEST_KEY"
AMOUNT_MINOR = 2000
PATIENCE_SECONDS = 90.0  # in test mode refunds and disputes move within seconds, and by themselves
POLL_SECONDS = 1.0
READ_SECONDS_MAX = 30.0

Answer = TypeVar("Answer")


def key_of_test_mode() -> str:
    """Return the key of Stripe's test mode; skip without one, and refuse any other key unseen."""
    key = os.environ.get(KEY_VARIABLE, "")
    if not key:
        pytest.skip(f"{KEY_VARIABLE} holds no key of Stripe's test mode")
    if not key.startswith("sk_test_"):
        pytest.fail(f"{KEY_VARIABLE} must hold an sk_test_ key: no other key may ever be tested with", pytrace=False)
    return key


class World:
    """Card payments, refunds and disputes as they are made there, and our gateway to it."""

    def __init__(self, url: str, key: str, simulator: Simulator | None = None) -> None:
        self.url, self._key, self._simulator = url, key, simulator
        self.gateway = StripeGateway(SecretStr(key), mode="test", api_base=url, read_seconds_max=READ_SECONDS_MAX)
        self.client = stripe.StripeClient(
            key,
            base_addresses={"api": url},
            max_network_retries=2,
            http_client=stripe.RequestsClient(timeout=READ_SECONDS_MAX),
        )
        # Nobody else may have used these keys in a test mode that many share.
        self.refund_id = "rf_" + uuid.uuid4().hex[:24]

    def pay(self, card: str = "pm_card_visa") -> Payment:
        """Let a test card pay."""
        intent = self.client.v1.payment_intents.create(
            {
                "amount": AMOUNT_MINOR,
                "currency": "usd",
                "payment_method": card,
                "payment_method_types": ["card"],
                "confirm": True,
            }
        )
        assert isinstance(intent.latest_charge, str)
        return Payment(intent.id, intent.latest_charge, AMOUNT_MINOR)

    def refund(self, payment: Payment, amount_minor: int, key: str | None = None, **metadata: str) -> Any:
        """Refund as anybody with access to the account could, past our gateway."""
        return self.client.v1.refunds.create(
            {"payment_intent": payment.intent, "amount": amount_minor, "metadata": metadata},
            {"idempotency_key": f"{self.refund_id}/{key}"} if key else {},
        )

    def refunds(self, payment: Payment) -> list[Any]:
        """List what stands there, newest first."""
        return list(self.client.v1.refunds.list({"payment_intent": payment.intent, "limit": 100}).data)

    def payout(self, payment: Payment, attempt: int = 1) -> CardPayout:
        return CardPayout(
            refund_id=self.refund_id,
            attempt=attempt,
            payment_intent=payment.intent,
            amount_minor=payment.amount_minor,
            currency="USD",
        )

    def until(self, look: Callable[[], Answer], is_so: Callable[[Answer], bool]) -> Answer:
        """Let time pass until a look shows it: in the simulator by its clock, in test mode by waiting."""
        if self._simulator is not None:
            self._simulator.control("refund_timing", moves_after_seconds=1)
            self._simulator.control("clock", advance_seconds=2)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            seen = look()
            if is_so(seen):
                return seen
            assert time.monotonic() < deadline, f"waited in vain; at last it was {seen}"
            time.sleep(POLL_SECONDS)  # the one place where the condition is somebody else's server


def simulated(simulator: Simulator) -> World:
    return World(simulator.url, TEST_KEY, simulator)


def in_test_mode() -> World:
    return World(STRIPE_API_BASE, key_of_test_mode())
