"""What the customer hears of a card refund after it was sent: how the bank shows it, and that it came back."""

from sqlalchemy.orm import Session

from domain.disputes import Contest
from domain.languages import language_of, say
from domain.money import Money
from domain.payouts import BankReference, CardDestination, PayoutStatus
from domain.refunds import RefundStatus, StatusReason
from ledger import cases
from ledger.contests import contest_of
from ledger.database import Database
from ledger.tables import Hold, Message, Payout, Refund

TOLD_AS_SENT = f"{RefundStatus.REFUNDED}/{StatusReason.PAID}"
REFERENCE_CAME = f"{RefundStatus.REFUNDED}/reference"
BECAME_A_REVERSAL = f"{RefundStatus.REFUNDED}/reversal"
CAME_BACK = f"{RefundStatus.NEEDS_ATTENTION}/{StatusReason.PAYOUT_FAILED}"


def keep(session: Session, database: Database, row: Refund, payout: Payout, bank: BankReference | None) -> None:
    """Keep how the bank shows a refund, and tell the customer what their first message could not say yet."""
    if bank is None:
        return
    was = (payout.destination_type, payout.reference)
    payout.destination_type = bank.destination_type.value
    # A reference that was told stays told: the bank gives a refund one and no second.
    payout.reference = bank.reference or payout.reference
    payout.reference_status = bank.reference_status or payout.reference_status
    payout.reference_type = bank.reference_type or payout.reference_type
    if was == (payout.destination_type, payout.reference):
        return
    detail = {"attempt": payout.attempt, "provider_ref": payout.provider_ref, **bank.model_dump(mode="json")}
    cases.note(session, database, row, "payout.at_the_bank", detail=detail)
    is_told = session.get(Message, (row.id, TOLD_AS_SENT, payout.attempt)) is not None
    if not is_told or payout.status != PayoutStatus.SUCCEEDED:
        return  # the message that says it was sent is still to come, and will say this too
    if bank.destination_type == CardDestination.REVERSAL and was[0] != CardDestination.REVERSAL:
        _write(session, database, row, payout, BECAME_A_REVERSAL, "charge_vanishes")
    if was[1] is None and payout.reference is not None:
        _write(session, database, row, payout, REFERENCE_CAME, "bank_reference_came")


def tell_it_came_back(session: Session, database: Database, row: Refund, payout: Payout) -> None:
    """Tell a customer who was told that the money was sent that it did not stay with them."""
    if session.get(Message, (row.id, TOLD_AS_SENT, payout.attempt)) is not None:
        hold = session.get(Hold, row.id)
        # A loss that was accepted contests nothing any more, and still the money is with the bank.
        is_charged_back = hold is not None and hold.state == "charged_back"
        is_disputed = is_charged_back or contest_of(session, row) != Contest.NONE
        _write(session, database, row, payout, CAME_BACK, "stopped_by_dispute" if is_disputed else "refund_came_back")


def _write(session: Session, database: Database, row: Refund, payout: Payout, kind: str, sentence: str) -> None:
    if session.get(Message, (row.id, kind, payout.attempt)) is not None:
        return
    amount = Money.model_validate({"amount_minor": payout.amount_minor, "currency": payout.currency})
    text = say(
        language_of(row.locale),
        sentence,
        amount=amount,
        reference=payout.provider_ref,
        bank_reference=payout.reference,
    )
    now = database.now()
    session.add(Message(refund_id=row.id, kind=kind, attempt=payout.attempt, text=text, written_at=now))
    session.flush()
    cases.note(session, database, row, "message.written", subject=kind)
