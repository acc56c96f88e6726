"""Signed bytes written down: a row each, and a line in their refund's timeline."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from domain.outbox import Purpose
from domain.transfers import SignedTransfer, TransferTerms
from ledger import cases
from ledger.database import Database
from ledger.tables import ChainTransaction, Payout, Refund


@dataclass(frozen=True)
class Signature:
    """Bytes under a payout's nonce; `sequence` counts them from 1 on."""

    row: Refund
    payout: Payout
    signed: SignedTransfer
    terms: TransferTerms
    purpose: Purpose = Purpose.PAY
    sequence: int = 1

    @property
    def event(self) -> str:
        if self.purpose == Purpose.CANCEL:
            return "payout.cancel_signed"
        return "payout.signed" if self.sequence == 1 else "payout.fee_raised"


def store(session: Session, database: Database, signatures: Sequence[Signature]) -> None:
    """Write signed bytes in the caller's transaction, all of them together."""
    now = database.now()
    for it in signatures:
        it.payout.updated_at = now
        session.add(
            ChainTransaction(
                tx_hash=it.signed.tx_hash,
                refund_id=it.payout.refund_id,
                attempt=it.payout.attempt,
                sequence=it.sequence,
                purpose=it.purpose.value,
                raw=it.signed.raw,
                terms=it.terms.model_dump(mode="json"),
                signed_at=now,
            )
        )
        detail = {
            "rail": it.payout.rail,
            "attempt": it.payout.attempt,
            "nonce": it.payout.nonce,
            "tx_hash": it.signed.tx_hash,
            "max_fee_per_gas_wei": str(it.terms.max_fee_per_gas_wei),
        }
        cases.note(session, database, it.row, it.event, detail=detail)
