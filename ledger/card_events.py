"""Events of the card processor: each counts once, wakes the run that it concerns, and is never applied."""

from datetime import timedelta
from typing import Any, Literal, NamedTuple

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from domain.card_events import CardEvent, EventOutcome, EventSubject
from domain.findings import FindingKind
from domain.payouts import MAY_STILL_LAND, PayoutStatus
from domain.refunds import Rail, workflow_id
from ledger import cases
from ledger.database import Database
from ledger.findings import open_finding
from ledger.tables import CardEventRow, Deposit, Finding, Hold, Payout, Refund

Way = Literal["hook", "sweep"]
# What our own request makes happen at once.
ECHOES = frozenset(["refund.created", "charge.refunded"])
DEAD_STATUSES = frozenset(["failed", "canceled"])
UNDER_WAY = timedelta(minutes=1)  # the step that sent the request looks by itself for a quarter of an hour
KEPT = timedelta(days=60)  # the processor shows an event for 30 days, and sends it again for three


class Taken(NamedTuple):
    """What came of an event: whose run is to be woken, and whether it came for the first time."""

    outcome: EventOutcome
    refund_id: str | None = None
    is_new: bool = True


class CardEvents:
    """Takes events in. The row, and the news for the run, are written in one database transaction.

    So whoever dies before the run was told leaves news behind, which the API's sweep tells.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, event: CardEvent, *, is_live: bool, came_by: Way = "hook") -> Taken:
        """Write an event down, once. `refund_id` in the answer has news that its run was not told yet.

        `is_live` is our own mode: an event of the other one, or of a connected account, is a finding and no more.
        """
        if event.is_live != is_live or event.account is not None:
            return self._misdirected(event)
        with self._database.read() as session:
            before = session.get(CardEventRow, event.event_id)
            if before is not None:
                return _again(session, before)
        with self._database.write() as session:
            before = session.get(CardEventRow, event.event_id)
            if before is not None:
                return _again(session, before)
            taken = self._judge(session, event)
            session.add(
                CardEventRow(
                    id=event.event_id,
                    type=event.type,
                    subject_id=event.subject_id,
                    payment_intent=event.payment_intent,
                    outcome=taken.outcome.value,
                    refund_id=taken.refund_id,
                    came_by=came_by,
                    received_at=self._database.now(),
                )
            )
            if taken.refund_id is not None:
                cases.get(session, taken.refund_id).news_at = self._database.now()
            return taken

    def take_missed(self, event: CardEvent, *, is_live: bool) -> Taken:
        """Take in an event that no webhook brought."""
        return self.take(event, is_live=is_live, came_by="sweep")

    def wake_open_payouts(self) -> int:
        """Leave news for the run of every card payout that may still land; return how many had none yet."""
        open_payouts = select(Payout.refund_id).where(Payout.rail == Rail.CARD, Payout.status.in_(MAY_STILL_LAND))
        untold = update(Refund).where(Refund.id.in_(open_payouts), Refund.news_at.is_(None))
        with self._database.write() as session:
            return len(session.scalars(untold.values(news_at=self._database.now()).returning(Refund.id)).all())

    def forget(self) -> None:
        """Drop what is too old to come again."""
        with self._database.write() as session:
            old = CardEventRow.received_at < self._database.now() - KEPT
            session.execute(delete(CardEventRow).where(old))

    def _judge(self, session: Session, event: CardEvent) -> Taken:
        deposit = _deposit_of(session, event)
        if event.subject != EventSubject.REFUND:
            case = None if deposit is None else _case_of(session, deposit.id)
            if case is None:
                return Taken(EventOutcome.UNKNOWN if deposit is None else EventOutcome.UNHELD)
            row = cases.get(session, case)
            return self._wake(row.id, session.get(Payout, (row.id, row.attempt)), event)
        payout = _payout_of(session, event)
        if payout is not None and _fits(payout, event):
            return self._wake(payout.refund_id, payout, event)
        if deposit is not None:
            self._show_outside(session, event, deposit)
        if payout is not None:
            return Taken(EventOutcome.MISFIT)
        return Taken(EventOutcome.UNKNOWN if deposit is None else EventOutcome.REFUNDED_OUTSIDE)

    def _wake(self, refund_id: str, payout: Payout | None, event: CardEvent) -> Taken:
        """Wake the run, unless the event is the mere echo of its own request: each look costs a request."""
        if payout is not None and event.type in ECHOES and self._is_echo(payout, event):
            return Taken(EventOutcome.ECHO)
        return Taken(EventOutcome.WOKE, refund_id)

    def _is_echo(self, payout: Payout, event: CardEvent) -> bool:
        """Tell whether the run knows this, or is just finding it out; whatever changes later has its own event."""
        if event.subject == EventSubject.CHARGE and event.refunded_minor != payout.amount_minor:
            return False
        if payout.status == PayoutStatus.UNKNOWN:
            # After a failure that the processor stored, the step waits long, and the refund may be made without it.
            return not payout.is_failure_stored and self._database.now() - payout.updated_at < UNDER_WAY
        if event.subject == EventSubject.CHARGE:
            return payout.status in (PayoutStatus.PENDING, PayoutStatus.SUCCEEDED)
        return payout.status == event.status

    def _show_outside(self, session: Session, event: CardEvent, deposit: Deposit) -> None:
        """Show a refund of our deposit that no payout of ours made; one that a person closed stays closed.

        That it died is a matter of its own: it may have been taken for what paid the customer.
        """
        is_dead = event.status in DEAD_STATUSES
        key = f"refunded_outside/{event.subject_id}" + ("/dead" if is_dead else "")
        if session.scalar(select(Finding.id).where(Finding.key == key)) is not None:
            return
        holder = cases.holder_of(session, deposit.id)
        is_open = holder is not None and holder.state == "active"
        open_finding(
            session,
            self._database,
            kind=FindingKind.REFUNDED_OUTSIDE,
            key=key,
            evidence=_evidence(event) | {"deposit_id": deposit.id},
            # Whoever paid the deposit back already has nothing to resolve: then the finding stands for itself.
            refund_id=holder.refund_id if holder is not None and (is_open or is_dead) else None,
        )

    def _misdirected(self, event: CardEvent) -> Taken:
        """Tell once that events of another account or mode come here; they change nothing."""
        mode = "live" if event.is_live else "test"
        key = f"hook_misdirected/{mode}/{event.account or '-'}"
        taken = Taken(EventOutcome.OTHER_ACCOUNT)
        with self._database.read() as session:
            if session.scalar(select(Finding.id).where(Finding.key == key)) is not None:
                return taken
        with self._database.write() as session:
            evidence = {"mode": mode, "account": event.account, "event": event.event_id, "type": event.type}
            open_finding(session, self._database, kind=FindingKind.HOOK_MISDIRECTED, key=key, evidence=evidence)
        return taken


def _again(session: Session, before: CardEventRow) -> Taken:
    """Tell what came of it the first time; its run is still to be woken where it has news that nobody told."""
    row = None if before.refund_id is None else session.get(Refund, before.refund_id)
    is_untold = row is not None and row.news_at is not None
    return Taken(EventOutcome(before.outcome), before.refund_id if is_untold else None, is_new=False)


def _deposit_of(session: Session, event: CardEvent) -> Deposit | None:
    if event.payment_intent is None:
        return None
    return session.scalar(select(Deposit).where(Deposit.payment_intent == event.payment_intent))


def _case_of(session: Session, deposit_id: str) -> str | None:
    """Name the refund that a deposit stands with, also where the bank has taken it: another dispute may follow."""
    states = ("active", "captured", "charged_back")
    return session.scalar(select(Hold.refund_id).where(Hold.deposit_id == deposit_id, Hold.state.in_(states)))


def _payout_of(session: Session, event: CardEvent) -> Payout | None:
    """Find the payout that made a refund: by its reference, else by what its metadata say."""
    mine = select(Payout).where(Payout.provider_ref == event.subject_id, Payout.rail == Rail.CARD)
    payout = session.scalars(mine).first()
    if payout is None and event.refund_id is not None and event.attempt is not None:
        payout = session.get(Payout, (event.refund_id, event.attempt))
    return payout


def _fits(payout: Payout, event: CardEvent) -> bool:
    """Hold what the event says against what we sent: metadata can be edited, and copied to another refund."""
    if payout.rail != Rail.CARD or payout.payment_intent is None or payout.payment_intent != event.payment_intent:
        return False
    if payout.provider_ref is not None:
        return payout.provider_ref == event.subject_id
    # The event came before the answer to the request: only the metadata say that it is ours.
    return event.workflow_id == workflow_id(payout.refund_id)


def _evidence(event: CardEvent) -> dict[str, Any]:
    """Name the refund as the event does: a hint for a person, who looks at the processor."""
    return {
        "provider_ref": event.subject_id,
        "payment_intent": event.payment_intent,
        "amount_minor": event.amount_minor,
        "currency": event.currency,
        "status": event.status,
        "event": event.event_id,
    }
