"""Known mistakes of card refunds, planted from outside into the processes of a run: each must be caught.

Most need `PROFILE=permissive`: a Stripe that refuses to refund more than was paid hides them.
"""

import contextvars
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import worker
from domain.decisions import Decision, Standing, weigh
from domain.payouts import CardPayout, PayoutOutcome, PayoutStatus
from gateways.stripe import gateway, outcomes
from gateways.stripe.answers import Refund, Sight
from gateways.stripe.gateway import StripeGateway
from ledger import approvals, records

_is_sending: contextvars.ContextVar[bool] = contextvars.ContextVar("is_sending", default=False)


def new_key_per_retry() -> None:
    """Send every try under a key of its own, and do not look before."""
    ensure, adopt = StripeGateway.ensure_refund, outcomes.adopt

    def send(self: StripeGateway, *asked: Any, **more: Any) -> PayoutOutcome:
        known = _is_sending.set(True)
        try:
            return ensure(self, *asked, **more)
        finally:
            _is_sending.reset(known)

    def overlook(*asked: Any) -> PayoutOutcome | None:
        return None if _is_sending.get() else adopt(*asked)

    _replace(StripeGateway, "ensure_refund", send)
    _replace(gateway, "adopt", overlook)
    _replace(CardPayout, "idempotency_key", property(lambda _: secrets.token_hex(8)))


def failed_ones_skipped() -> None:
    """Look for refunds of ours that are live, and send again where the one that was made has failed."""
    made_by = Sight.made_by

    def live_only(self: Sight, payout: CardPayout) -> list[Refund]:
        return [it for it in made_by(self, payout) if it.is_live]

    _replace(Sight, "made_by", live_only)


def last_decision_wins() -> None:
    """Let whoever decides last decide, also over a rejection that was accepted."""

    def newest(decisions: Iterable[Decision], **terms: Any) -> Standing:
        return weigh(list(decisions)[-1:], **terms)

    def still_open(*asked: Any) -> Standing:
        return Standing.UNDECIDED

    standing_of = approvals.standing_of
    check = records.Records._check_decision

    def check_open(self: records.Records, *asked: Any) -> None:
        _replace(records, "standing_of", still_open)
        try:
            check(self, *asked)
        finally:
            _replace(records, "standing_of", standing_of)

    _replace(approvals, "weigh", newest)
    _replace(records.Records, "_check_decision", check_open)


def pending_is_refunded() -> None:
    """Take a refund that the bank has not taken yet for one that arrived."""
    outcome_of = outcomes.outcome_of

    def arrived(*asked: Any, **more: Any) -> PayoutOutcome:
        told = outcome_of(*asked, **more)
        is_pending = told.status == PayoutStatus.PENDING
        return told.model_copy(update={"status": PayoutStatus.SUCCEEDED}) if is_pending else told

    _replace(outcomes, "outcome_of", arrived)
    _replace(gateway, "outcome_of", arrived)


def no_lease() -> None:
    """Take the place of a worker that stands still, and do not care when it wakes."""

    @contextmanager
    def everybody(*_: object) -> Iterator[None]:
        yield

    _replace(worker, "leases", lambda _: everybody)


CARD_BUGS: dict[str, Callable[[], None]] = {
    it.__name__: it
    for it in (new_key_per_retry, failed_ones_skipped, last_decision_wins, pending_is_refunded, no_lease)
}


def _replace(owner: object, name: str, thing: object) -> None:
    setattr(owner, name, thing)
