"""Steps on the card rail: look, leap, look again."""

from typing import Protocol

from temporalio import activity

from activities.errors import translated
from domain.errors import TryAgain
from domain.payouts import CardPayout, PayoutOutcome, PayoutStatus
from domain.refunds import RefundState, StatusReason
from domain.runs import PayoutKey, RefundKey


class CardProcessor(Protocol):
    """The card processor, as far as refunds go."""

    def ensure_refund(self, payout: CardPayout, *, maybe_sent: bool) -> PayoutOutcome: ...

    def look_at_refund(self, payout: CardPayout) -> PayoutOutcome | None: ...


class Payouts(Protocol):
    """Where card payouts are recorded."""

    def card_payout(self, refund_id: str, attempt: int) -> tuple[CardPayout, PayoutStatus]: ...

    def record_sending(self, refund_id: str, attempt: int) -> PayoutStatus | None: ...

    def state(self, refund_id: str) -> RefundState: ...

    def record_outcome(self, refund_id: str, attempt: int, outcome: PayoutOutcome) -> RefundState: ...

    def end_watch(self, refund_id: str) -> RefundState: ...


class CardActivities:
    """Sends card refunds and looks after them."""

    def __init__(self, *, processor: CardProcessor | None, payouts: Payouts) -> None:
        self._configured = processor
        self._payouts = payouts

    @property
    def _processor(self) -> CardProcessor:
        if self._configured is None:
            raise TryAgain("the card rail is not configured")
        return self._configured

    @activity.defn(no_thread_cancel_exception=True)
    @translated
    def send_card_refund(self, key: PayoutKey) -> RefundState:
        """Make the refund exist at the processor exactly once, and book what is seen there.

        The intention is recorded first, where the payout may still leave. Whatever happens afterwards, the next
        try begins by looking, and sends only under the same idempotency key, so a second run, or a zombie's,
        pays nothing more.
        """
        payout, status = self._payouts.card_payout(key.refund_id, key.attempt)
        if status not in (PayoutStatus.QUEUED, PayoutStatus.UNKNOWN):
            return self._look(key, payout)
        before = self._payouts.record_sending(key.refund_id, key.attempt)
        if before is None:
            return self._payouts.state(key.refund_id)
        outcome = self._processor.ensure_refund(payout, maybe_sent=before == PayoutStatus.UNKNOWN)
        return self._payouts.record_outcome(key.refund_id, key.attempt, outcome)

    @activity.defn(no_thread_cancel_exception=True)
    @translated
    def look_at_card_refund(self, key: PayoutKey) -> RefundState:
        """Look what became of a refund that was sent; one that may never have left is made sure of."""
        return self.send_card_refund(key)

    def _look(self, key: PayoutKey, payout: CardPayout) -> RefundState:
        seen = self._processor.look_at_refund(payout)
        if seen is None:
            # The processor showed it before and now shows nothing: that is for a person to explain.
            seen = PayoutOutcome(
                status=PayoutStatus.UNKNOWN, reason=StatusReason.PAYOUT_UNKNOWN, detail="not found any more"
            )
        return self._payouts.record_outcome(key.refund_id, key.attempt, seen)

    @activity.defn(no_thread_cancel_exception=True)
    @translated
    def end_watch(self, key: RefundKey) -> RefundState:
        """Write that the watch over a paid refund is over."""
        return self._payouts.end_watch(key.refund_id)
