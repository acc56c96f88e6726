"""Which payment a deposit of a token is, once the chain showed its log: a log backs one deposit at most.

A feed may name a token's deposit by its hash only, and another one of the same chain transaction by its log. Whether
both mean one payment is known when the log was read; whoever claims it first has it, and the schema keeps it so.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.payments import ChainPayment, PaymentFacts
from ledger import cases
from ledger.database import Database
from ledger.tables import Deposit, Refund


def other_claimant(session: Session, deposit: Deposit, facts: PaymentFacts) -> str | None:
    """Return the other deposit that has the log by which this one was paid."""
    log_index = _found(facts)
    if log_index is None:
        return None
    same = select(Deposit.id).where(
        Deposit.chain_id == deposit.chain_id,
        Deposit.tx_hash == deposit.tx_hash,
        Deposit.claimed_log_index == log_index,
        Deposit.id != deposit.id,
    )
    return session.scalar(same)


def claim(session: Session, database: Database, row: Refund, deposit: Deposit, facts: PaymentFacts) -> None:
    """Write which log the deposit is; a second call changes nothing, and two at once meet in the schema."""
    log_index = _found(facts)
    if log_index is None or deposit.claimed_log_index == log_index:
        return
    deposit.claimed_log_index = log_index
    cases.note(session, database, row, "payment.resolved", detail={"log_index": log_index})
    session.flush()


def _found(facts: PaymentFacts) -> int | None:
    return facts.evidence.log_index if isinstance(facts, ChainPayment) and facts.evidence is not None else None
