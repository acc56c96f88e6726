"""Steps that read the payment behind a deposit: judge it, and judge it again right before paying."""

import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

from temporalio import activity

from activities.errors import translated
from activities.stops import RailStops, stopping
from domain.errors import AccessRefused, TryAgain
from domain.payments import (
    CardPayment,
    CardPaymentRef,
    ChainPayment,
    ChainPaymentRef,
    PaymentFacts,
    PaymentRef,
    Settlement,
)
from domain.refunds import Rail, RefundState
from domain.runs import RefundKey

logger = logging.getLogger("refunds.payments")


class CardPayments(Protocol):
    """The card processor, as far as a payment is read."""

    def read_payment(self, payment: CardPaymentRef, *, refund_id: str) -> CardPayment: ...

    def resolve_payment_intent(self, proof: str) -> str | None: ...


class ChainPayments(Protocol):
    """One chain, as far as a deposit is read."""

    def read_deposit(self, payment: ChainPaymentRef) -> ChainPayment: ...

    def knows(self, tx_hash: str) -> bool: ...


class Checking(Protocol):
    """Where a deposit is identified, judged and held."""

    def charge_to_resolve(self, refund_id: str) -> str | None: ...

    def record_resolved_charge(self, refund_id: str, payment_intent: str | None) -> None: ...

    def identify(self, refund_id: str) -> tuple[RefundState, PaymentRef | None]: ...

    def judge(self, refund_id: str, facts: PaymentFacts) -> RefundState: ...


class Payouts(Protocol):
    """Where a payout begins."""

    def payment(self, refund_id: str) -> PaymentRef: ...

    def begin(self, refund_id: str, facts: PaymentFacts) -> RefundState: ...

    def hold_back(self, refund_id: str) -> RefundState: ...


class Progress(Protocol):
    """Where recorded acts are applied."""

    def read_records(self, refund_id: str, told: Sequence[str], facts: PaymentFacts | None = None) -> RefundState: ...


class PaymentReader:
    """Reads a payment on the rail it came by."""

    def __init__(self, card: CardPayments | None, chains: Mapping[int, ChainPayments]) -> None:
        self._card = card
        self._chains = chains

    def read(self, payment: PaymentRef, *, refund_id: str) -> PaymentFacts:
        """Ask the provider; raise `TryAgain` while it, or its configuration, is away."""
        if isinstance(payment, CardPaymentRef):
            return self.card.read_payment(payment, refund_id=refund_id)
        chain = self._chains.get(payment.chain_id)
        if chain is None:
            raise TryAgain(f"chain {payment.chain_id} is not configured")
        found = chain.read_deposit(payment)
        if found.settlement == Settlement.MISSING:
            return found.model_copy(update={"found_on": self._find_elsewhere(payment)})
        return found

    def _find_elsewhere(self, payment: ChainPaymentRef) -> tuple[int, ...]:
        """Name the other chains that know a hash; one that does not answer now is left out, and only shown later."""
        found = []
        for chain_id, chain in sorted(self._chains.items()):
            try:
                if chain_id != payment.chain_id and chain.knows(payment.tx_hash):
                    found.append(chain_id)
            except TryAgain as error:
                logger.warning("chain.unread", extra={"chain_id": chain_id, "cause": error.message})
        return tuple(found)

    @property
    def card(self) -> CardPayments:
        if self._card is None:
            raise TryAgain("the card rail is not configured")
        return self._card


class PaymentActivities:
    """Judging a deposit by fresh facts. No personal data leaves these steps: facts go from provider to ledger."""

    def __init__(
        self,
        *,
        reader: PaymentReader,
        checking: Checking,
        payouts: Payouts,
        progress: Progress,
        stops: RailStops,
    ) -> None:
        self._reader = reader
        self._checking = checking
        self._payouts = payouts
        self._progress = progress
        self._stops = stops

    @activity.defn(no_thread_cancel_exception=True)
    @translated
    def check_refund(self, key: RefundKey) -> RefundState:
        """Identify the deposit, read its payment, apply the rules and hold it."""
        charge = self._checking.charge_to_resolve(key.refund_id)
        if charge is not None:
            with stopping(self._stops, Rail.CARD):
                payment_intent = self._reader.card.resolve_payment_intent(charge)
            self._checking.record_resolved_charge(key.refund_id, payment_intent)
        refund, payment = self._checking.identify(key.refund_id)
        if payment is None:
            return refund
        return self._checking.judge(key.refund_id, self._read(payment, key))

    @activity.defn(no_thread_cancel_exception=True)
    @translated
    def begin_payout(self, key: RefundKey) -> RefundState:
        """Read the payment once more, and record the payout if everything still holds.

        Where the provider does not take our key the refund waits, approved as it is, before the stopped rail.
        """
        try:
            facts = self._read(self._payouts.payment(key.refund_id), key)
        except AccessRefused:
            return self._payouts.hold_back(key.refund_id)
        return self._payouts.begin(key.refund_id, facts)

    @activity.defn(no_thread_cancel_exception=True)
    @translated
    def end_refund(self, key: RefundKey) -> RefundState:
        """Read the payment once more, and end the refund unpaid if its money did not leave by another way."""
        facts = self._read(self._payouts.payment(key.refund_id), key)
        return self._progress.read_records(key.refund_id, (), facts)

    def _read(self, payment: PaymentRef, key: RefundKey) -> PaymentFacts:
        with stopping(self._stops, Rail.CARD):
            return self._reader.read(payment, refund_id=key.refund_id)
