"""What the customer is told, kept once per refund and kind, ready for the help desk to post."""

from domain.eligibility import DepositState
from domain.languages import language_of
from domain.messages import write_message
from domain.money import Money
from domain.payouts import CardDestination
from domain.refunds import RefundStatus, StatusReason
from domain.verdicts import Verdict
from ledger import cases
from ledger.database import Database
from ledger.tables import Deposit, Message, Payout


class Messages:
    """Writes the answer to the ticket. Running twice writes it once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def answer(self, refund_id: str) -> None:
        """Write the message that fits where the refund stands now, if the customer is to hear of it."""
        with self._database.write() as session:
            row = cases.get(session, refund_id)
            kind = f"{row.status}/{row.status_reason}"
            if session.get(Message, (row.id, kind, row.attempt)) is not None:
                return
            deposit = session.get(Deposit, row.deposit_id) if row.deposit_id else None
            payout = session.get(Payout, (row.id, row.attempt))
            text = write_message(
                language=language_of(row.locale),
                status=RefundStatus(row.status),
                reason=StatusReason(row.status_reason) if row.status_reason else None,
                rail=row.rail,
                amount=_amount(deposit, payout),
                verdict=Verdict.model_validate(row.verdict) if row.verdict else None,
                destination=payout.destination if payout else None,
                reference=payout.provider_ref if payout else None,
                destination_type=CardDestination(payout.destination_type)
                if payout and payout.destination_type
                else CardDestination.PENDING,
                bank_reference=payout.reference if payout else None,
                duplicate_of=row.duplicate_of,
                is_charged_back=deposit is not None and deposit.state == DepositState.CHARGED_BACK,
            )
            if text is None:
                return
            now = self._database.now()
            session.add(Message(refund_id=row.id, kind=kind, attempt=row.attempt, text=text, written_at=now))
            cases.note(session, self._database, row, "message.written", subject=kind)


def _amount(deposit: Deposit | None, payout: Payout | None) -> Money | None:
    """Return what a card got back, which is what was paid; else what the customer knows, the credited amount."""
    if payout is not None and payout.amount_minor is not None:
        return Money.model_validate({"amount_minor": payout.amount_minor, "currency": payout.currency})
    return Money(amount_minor=deposit.amount_minor, currency=deposit.currency) if deposit else None
