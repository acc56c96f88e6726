"""Lets one worker at a time look and leap for a payout, whatever became of the worker before it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from activities.card import CardProcessor
from domain.disputes import FraudWarning
from domain.payouts import CardPayout, PayoutOutcome

Lease = Callable[[str, int], AbstractContextManager[None]]
"""Opens for a refund and its attempt; raises `TryAgain` while another has it."""


class OneAtATime:
    """A card processor that sends a payout for one worker at a time.

    A worker that was stopped between its look and its request wakes when another one has sent it long since. The
    idempotency key makes that harmless as long as the processor remembers it, and so does its refusal to refund
    more than was paid; this holds without either.
    """

    def __init__(self, processor: CardProcessor, lease: Lease) -> None:
        self._processor, self._lease = processor, lease

    def ensure_refund(self, payout: CardPayout, **told: Any) -> PayoutOutcome:
        """Look and leap while nobody else does; raise `TryAgain` while another one may be about to."""
        with self._lease(payout.refund_id, payout.attempt):
            return self._processor.ensure_refund(payout, **told)

    def look_at_refund(self, payout: CardPayout) -> PayoutOutcome | None:
        """Look, which anybody may at any time."""
        return self._processor.look_at_refund(payout)

    def read_fraud_warnings(self, payment_intent: str) -> tuple[FraudWarning, ...]:
        """Read what the card's issuer suspects, which anybody may at any time."""
        return self._processor.read_fraud_warnings(payment_intent)
