"""Steps on the card rail: look, leap, look again."""

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from temporalio import activity

from activities.errors import translated
from activities.stops import RailStops, stopping
from domain.disputes import FraudWarning
from domain.errors import AccessRefused, FailureStored, NotReady, RefundError, TryAgain
from domain.payments import CardPaymentRef, PaymentRef
from domain.payouts import CardPayout, Departure, PayoutOutcome, PayoutStatus
from domain.refunds import Rail, RefundState, StatusReason
from domain.runs import PayoutKey, RefundKey

logger = logging.getLogger("refunds.card")

STORED_FAILURE_LOOK_SECONDS = 900.0


class CardProcessor(Protocol):
    """The card processor, as far as refunds go."""

    def ensure_refund(
        self, payout: CardPayout, *, maybe_sent: bool, before_leap: Callable[[], None]
    ) -> PayoutOutcome: ...

    def look_at_refund(self, payout: CardPayout) -> PayoutOutcome | None: ...

    def read_fraud_warnings(self, payment_intent: str) -> tuple[FraudWarning, ...]: ...


class Payouts(Protocol):
    """Where card payouts are recorded."""

    def card_payout(self, refund_id: str, attempt: int) -> tuple[CardPayout, PayoutStatus]: ...

    def record_sending(self, refund_id: str, attempt: int) -> Departure: ...

    def record_unclear(self, refund_id: str, attempt: int, cause: str, *, is_stored: bool) -> None: ...

    def state(self, refund_id: str) -> RefundState: ...

    def unseen(self, refund_id: str) -> RefundState: ...

    def record_outcome(
        self, refund_id: str, attempt: int, outcome: PayoutOutcome, *, is_unsent: bool = False
    ) -> RefundState: ...

    def record_warnings(self, refund_id: str, warnings: Sequence[FraudWarning]) -> RefundState: ...

    def payment(self, refund_id: str) -> PaymentRef: ...

    def end_watch(self, refund_id: str) -> RefundState: ...


class HeldBackError(Exception):
    """The request may not leave now; it never leaves this file."""


class CardActivities:
    """Sends card refunds and looks after them."""

    def __init__(self, *, processor: CardProcessor | None, payouts: Payouts, stops: RailStops) -> None:
        self._configured = processor
        self._payouts = payouts
        self._stops = stops

    @property
    def _processor(self) -> CardProcessor:
        if self._configured is None:
            raise TryAgain("the card rail is not configured")
        return self._configured

    @activity.defn(no_thread_cancel_exception=True)
    @translated
    def send_card_refund(self, key: PayoutKey) -> RefundState:
        """Make the refund exist at the processor exactly once, and book what is seen there.

        The intention is recorded right before the request leaves, where it still may. Whatever happens afterwards,
        the next try begins by looking, and sends only under the same idempotency key, so a second run, or a
        zombie's, pays nothing more. Before a key that is not taken the whole rail stops, and the payout waits.
        """
        payout, status = self._payouts.card_payout(key.refund_id, key.attempt)
        try:
            with stopping(self._stops, Rail.CARD):
                # What was seen once is never asked for again, whatever a later look shows.
                if payout.provider_ref is None and status in (PayoutStatus.QUEUED, PayoutStatus.UNKNOWN):
                    return self._ensure(key, payout, maybe_sent=status == PayoutStatus.UNKNOWN)
                return self._look(key, payout, status)
        except AccessRefused:
            return self._payouts.unseen(key.refund_id)
        except HeldBackError:
            return self._payouts.state(key.refund_id)
        except NotReady:
            raise  # our own doing: the processor was clear
        except TryAgain as error:
            is_stored = isinstance(error, FailureStored)
            self._payouts.record_unclear(key.refund_id, key.attempt, error.message, is_stored=is_stored)
            raise

    @activity.defn(no_thread_cancel_exception=True)
    @translated
    def look_at_card_refund(self, key: PayoutKey) -> RefundState:
        """Look what became of a refund that was sent; one that may never have left is made sure of."""
        return self.send_card_refund(key)

    def _ensure(self, key: PayoutKey, payout: CardPayout, *, maybe_sent: bool) -> RefundState:
        left: list[Departure] = []

        def before_leap() -> None:
            departure = self._payouts.record_sending(key.refund_id, key.attempt)
            if departure == Departure.STAY:
                raise HeldBackError
            if departure == Departure.ASK_LATER:
                # Only looking can tell more; the processor may still carry out what it called a failure.
                told = "The processor repeats a stored failure; its key is not forgotten yet."
                raise FailureStored(told, after_seconds=STORED_FAILURE_LOOK_SECONDS)
            left.append(departure)

        outcome = self._processor.ensure_refund(payout, maybe_sent=maybe_sent, before_leap=before_leap)
        is_unsent = not maybe_sent and not left
        return self._payouts.record_outcome(key.refund_id, key.attempt, outcome, is_unsent=is_unsent)

    def _look(self, key: PayoutKey, payout: CardPayout, status: PayoutStatus) -> RefundState:
        seen = self._processor.look_at_refund(payout)
        if seen is None and status == PayoutStatus.REFUSED:
            seen = PayoutOutcome(status=PayoutStatus.REFUSED, reason=StatusReason.PAYOUT_REFUSED)
        elif seen is None or (seen.status == PayoutStatus.REFUSED and status != PayoutStatus.REFUSED):
            # The processor showed it before and now shows nothing: that is for a person to explain.
            seen = PayoutOutcome(
                status=PayoutStatus.UNKNOWN,
                reason=StatusReason.PAYOUT_UNKNOWN,
                detail="not found any more",
                disputes=seen.disputes if seen else (),
            )
        state = self._payouts.record_outcome(key.refund_id, key.attempt, seen)
        if seen.status != PayoutStatus.SUCCEEDED:
            return state
        return self._warn(key.refund_id, payout.payment_intent) or state

    def _warn(self, refund_id: str, payment_intent: str) -> RefundState | None:
        """Record what the card's issuer suspects. It only informs: a key that may not read it stops no refund."""
        try:
            warnings = self._processor.read_fraud_warnings(payment_intent)
        except RefundError as error:
            logger.warning("card.fraud_warnings_unread", extra={"refund_id": refund_id, "cause": str(error)})
            return None
        return self._payouts.record_warnings(refund_id, warnings) if warnings else None

    @activity.defn(no_thread_cancel_exception=True)
    @translated
    def look_for_warnings(self, key: RefundKey) -> RefundState:
        """Look, for a refund that waits for approval, whether the card's issuer suspects the payment."""
        payment = self._payouts.payment(key.refund_id)
        seen = self._warn(key.refund_id, payment.payment_intent) if isinstance(payment, CardPaymentRef) else None
        return seen or self._payouts.state(key.refund_id)

    @activity.defn(no_thread_cancel_exception=True)
    @translated
    def end_watch(self, key: RefundKey) -> RefundState:
        """Write that the watch over a paid refund is over."""
        return self._payouts.end_watch(key.refund_id)
