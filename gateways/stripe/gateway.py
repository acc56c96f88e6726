"""Card payments at Stripe: look at them, and pay one back exactly once."""

import re
from collections.abc import Callable
from datetime import datetime
from functools import partial

from pydantic import SecretStr
from stripe.params import DisputeListParams, RefundListParams
from stripe.params.radar import EarlyFraudWarningListParams

from domain.card_events import EventPage
from domain.differences import ProviderRefund
from domain.disputes import FraudWarning
from domain.errors import AccessRefused
from domain.payments import CardPayment, CardPaymentRef, Dispute
from domain.payouts import CardPayout, PayoutOutcome
from domain.rails import StopCause
from domain.refunds import workflow_id
from gateways.stripe.answers import (
    Charge,
    DatedRefund,
    DatedRefundPage,
    DisputeAnswer,
    DisputePage,
    Intent,
    Refund,
    RefundPage,
    Sight,
    WarningPage,
    judge_disputes,
    read_answer,
)
from gateways.stripe.asking import ask, find, read
from gateways.stripe.client import (
    CONNECT_SECONDS_MAX,
    READ_SECONDS_MAX,
    STRIPE_API_BASE,
    KeyMode,
    build_client,
)
from gateways.stripe.errors import Refusal, is_replay
from gateways.stripe.events import undelivered
from gateways.stripe.outcomes import (
    adopt,
    after_refusal,
    contested,
    obstacle,
    outcome_of,
    refused,
    taken,
    told,
    unknown,
    with_disputes,
)
from gateways.stripe.pace import REQUESTS_PER_SECOND

PAGE_SIZE = 100  # the most that Stripe gives at once
RefundListing = tuple[tuple[ProviderRefund, ...], bool]
_REF = re.compile(r"[A-Za-z0-9_]{1,255}")
_PROOF = re.compile(r"(?P<kind>pi|ch|py)_[A-Za-z0-9_]{1,250}")


class StripeGateway:
    """Stripe in our words; safe to share between threads. Raises domain errors only.

    `TryAgain` says that nothing is known for sure: the same call again is safe, as each begins with looking.
    """

    def __init__(
        self,
        secret_key: SecretStr,
        *,
        mode: KeyMode,
        api_base: str = STRIPE_API_BASE,
        connect_seconds_max: float = CONNECT_SECONDS_MAX,
        read_seconds_max: float = READ_SECONDS_MAX,
        requests_per_second: float = REQUESTS_PER_SECOND,
    ) -> None:
        """Raise `ValueError` when key, expected mode and address do not belong together; connect to nothing."""
        self._mode = mode
        self._client = build_client(
            secret_key,
            mode=mode,
            api_base=api_base,
            connect_seconds_max=connect_seconds_max,
            read_seconds_max=read_seconds_max,
            requests_per_second=requests_per_second,
        )

    def check(self) -> None:
        """Prove key and address by one cheap read; raise with the reason otherwise.

        It proves the right to read refunds, not the right to make them: that shows only by making one.
        """
        read(RefundPage, lambda: self._client.v1.refunds.list(params={"limit": 1}))

    def resolve_payment_intent(self, proof: str) -> str | None:
        """Find the payment intent that a proof (`pi_…`, `ch_…`, `py_…`) names; None when Stripe knows none."""
        match = _PROOF.fullmatch(proof)
        if match is None:
            return None
        try:
            return self._resolve(match["kind"], proof)
        except AccessRefused as error:
            if error.cause == StopCause.MODE_DIFFERS:
                return None  # Anybody can name a payment of the other mode; that says nothing of our key.
            raise

    def _resolve(self, kind: str, proof: str) -> str | None:
        if kind == "pi":
            intent = self._intent(proof)
            return intent.id if intent else None
        charge = find(Charge, lambda: self._client.v1.charges.retrieve(proof))
        return charge.payment_intent if charge else None

    def read_payment(self, payment: CardPaymentRef, *, refund_id: str) -> CardPayment:
        """Tell what Stripe knows of a payment; the refunds that `refund_id` itself made are summed apart."""
        sight = self._look(payment.payment_intent)
        if sight is None:
            return CardPayment(found=False)
        charge = sight.intent.latest_charge
        is_captured = charge is not None and charge.captured
        details = charge.payment_method_details if charge else None
        live = [it for it in sight.refunds if it.is_live]
        return CardPayment(
            found=True,
            status=sight.intent.status,
            is_captured=is_captured,
            is_card=details is not None and details.type == "card",
            amount_minor=charge.amount_captured if charge and is_captured else sight.intent.amount,
            currency=sight.intent.currency.upper(),
            refunded_minor=sum(it.amount for it in live if it.refund_id != refund_id),
            own_refunded_minor=sum(it.amount for it in live if it.refund_id == refund_id),
            dispute=sight.dispute,
        )

    def ensure_refund(
        self, payout: CardPayout, *, maybe_sent: bool = False, before_leap: Callable[[], None] = lambda: None
    ) -> PayoutOutcome:
        """Make this attempt's refund exist exactly once: look, leap, look again.

        A second run adopts what the first one made. `maybe_sent` says that an earlier call did not end with
        an outcome, so that its request may still arrive; then less is called refused. `before_leap` is called
        right before the one request that moves money, and may raise to keep it back. Raises `TryAgain` when
        the answer was unclear.
        """
        sight = self._look(payout.payment_intent)
        if sight is None:
            return unknown("payment_missing") if maybe_sent else refused("payment_missing")
        settled = adopt(sight, payout) or obstacle(sight, payout, maybe_sent=maybe_sent)
        if settled is not None:
            return with_disputes(settled, sight)
        before_leap()
        try:
            refund = self._leap(payout)
        except Refusal as refusal:
            again = self._look(payout.payment_intent)
            return with_disputes(after_refusal(refusal, again, payout), again)
        return outcome_of(refund, payout).model_copy(update={"saw_disputes": False})

    def look_at_refund(self, payout: CardPayout) -> PayoutOutcome | None:
        """Tell what became of this attempt's refund, without ever sending; None when it made none.

        A dispute opened on a refunded charge shows as succeeded with reason `payout_disputed`, or `dispute_lost`; a
        payment that somebody else refunded as refused with reason `refunded_outside`. Where only disputes are to be
        seen that are over, the outcome is unknown and names them.
        """
        sight = self._look(payout.payment_intent)
        # No payment means another account or a changed key, and proves nothing about the refund.
        seen = (
            adopt(sight, payout) or contested(sight) or taken(sight, payout) if sight else unknown("payment_missing")
        )
        if seen is None and sight is not None and sight.disputes:
            seen = unknown("not_found")  # without the disputes one that was won would count as open for ever
        return with_disputes(seen, sight) if seen else None

    def read_fraud_warnings(self, payment_intent: str) -> tuple[FraudWarning, ...]:
        """Read what the card's issuer suspects of a payment. It decides nothing."""
        params: EarlyFraudWarningListParams = {"payment_intent": payment_intent, "limit": PAGE_SIZE}
        page = read(WarningPage, partial(self._client.v1.radar.early_fraud_warnings.list, params))
        return tuple(it.told for it in page.data)

    def list_refunds(self, since: datetime, until: datetime | None, after: str | None) -> RefundListing:
        """Return one page of all refunds of the account made in [since, until), newest first.

        `after` is the last one of the page before. A page of foreign refunds is no fault: the account may serve
        other business too.
        """
        params: RefundListParams = {"limit": PAGE_SIZE, "created": {"gte": int(since.timestamp())}}
        if until is not None:
            params["created"] = {"gte": int(since.timestamp()), "lt": int(until.timestamp())}
        if after is not None:
            params["starting_after"] = after
        page = read(DatedRefundPage, partial(self._client.v1.refunds.list, params))
        return tuple(map(told, page.data)), page.has_more and bool(page.data)

    @property
    def is_live(self) -> bool:
        """Tell which of Stripe's two worlds this is."""
        return self._mode == "live"

    def undelivered_events(self, since: datetime, after: str | None) -> EventPage:
        """Return one page of the events that webhooks did not bring, newest first."""
        return undelivered(self._client, since, after)

    def find_refund(self, ref: str) -> ProviderRefund | None:
        """Read one refund as it is now; None only when Stripe itself says that there is none."""
        if not _REF.fullmatch(ref):
            return None
        refund = find(DatedRefund, lambda: self._client.v1.refunds.retrieve(ref))
        return told(refund) if refund else None

    def _look(self, payment_intent: str) -> Sight | None:
        intent = self._intent(payment_intent)
        if intent is None:
            return None
        if intent.livemode != (self._mode == "live"):
            raise AccessRefused(StopCause.MODE_DIFFERS, f"A payment is not one of {self._mode} mode, as the key is.")
        refunds = self._refunds(intent)
        is_disputed = intent.latest_charge is not None and intent.latest_charge.disputed
        disputes = self._disputes(intent.id) if is_disputed else []
        dispute = judge_disputes(disputes) if is_disputed else Dispute.NONE
        return Sight(intent=intent, refunds=refunds, dispute=dispute, disputes=tuple(disputes))

    def _leap(self, payout: CardPayout) -> Refund:
        """Send the one request that moves money; raise `Refusal` or `TryAgain`."""
        answer = ask(
            lambda: self._client.v1.refunds.create(
                params={
                    "payment_intent": payout.payment_intent,
                    # Without it Stripe refunds what is left, silently less after a partial refund outside.
                    "amount": payout.amount_minor,
                    "reason": "requested_by_customer",
                    "metadata": {
                        "refund_id": payout.refund_id,
                        "attempt": str(payout.attempt),
                        "workflow_id": workflow_id(payout.refund_id),
                    },
                },
                # The client itself repeats nothing here: after an unclear answer comes a look, not a second request.
                options={"idempotency_key": payout.idempotency_key, "max_network_retries": 0},
            )
        )
        refund = read_answer(Refund, answer)
        response = answer.last_response
        if response is not None and is_replay(response.headers):
            # A replay shows how the refund was when it was made, not how it is.
            return read(Refund, lambda: self._client.v1.refunds.retrieve(refund.id))
        return refund

    def _intent(self, payment_intent: str) -> Intent | None:
        if not payment_intent:
            return None  # An empty id would ask for the list of all payments.
        return find(
            Intent,
            lambda: self._client.v1.payment_intents.retrieve(
                payment_intent, params={"expand": ["latest_charge.refunds"]}
            ),
        )

    def _refunds(self, intent: Intent) -> tuple[Refund, ...]:
        """Return all refunds: those shown with the charge that succeeded, where it shows all; else page by page."""
        shown = intent.latest_charge.refunds if intent.latest_charge else None
        if intent.status == "succeeded" and shown is not None and not shown.has_more:
            return tuple(shown.data)
        refunds: list[Refund] = []
        while True:
            params: RefundListParams = {"payment_intent": intent.id, "limit": PAGE_SIZE}
            if refunds:
                params["starting_after"] = refunds[-1].id
            page = read(RefundPage, partial(self._client.v1.refunds.list, params))
            refunds += page.data
            if not page.has_more:
                return tuple(refunds)

    def _disputes(self, payment_intent: str) -> list[DisputeAnswer]:
        params: DisputeListParams = {"payment_intent": payment_intent, "limit": PAGE_SIZE}
        return read(DisputePage, partial(self._client.v1.disputes.list, params)).data
