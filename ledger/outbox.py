"""The outbox of chain payouts: what waits for a nonce, what has one, and what nodes said to its bytes."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.findings import FindingKind
from domain.limits import Limits
from domain.money import NATIVE
from domain.outbox import TAKEN, Purpose, QueuedPayout, SentPayout, StoredTransfer
from domain.payouts import PayoutOutcome, PayoutStatus
from domain.refunds import StatusReason
from domain.transfers import Outgoing, SendAnswer, TransferTerms, WalletView
from ledger import cancelling, cases, limits
from ledger.database import Database
from ledger.findings import open_finding
from ledger.limits import Spending
from ledger.settling import settle
from ledger.switches import is_stopped
from ledger.tables import ChainTransaction, Payout, Refund, Wallet

DELAY_TOLD_SECONDS = 300  # a node that is away for a moment is no matter for people
NO_LIMITS = Limits()


class Outbox:
    """One wallet's payouts, in the order of their nonces. No path leads back from a nonce to not sent."""

    def __init__(self, database: Database, limits: Limits = NO_LIMITS) -> None:
        self._database = database
        self._limits = limits

    def queued(self, chain_id: int, address: str) -> list[QueuedPayout]:
        """List the payouts that wait for a nonce, oldest first; none while the wallet or its rail is stopped."""
        with self._database.read() as session:
            wallet = session.get(Wallet, (chain_id, address))
            if is_stopped(session, "crypto", chain_id) or (wallet and wallet.pause_reason):
                return []
            spending = Spending(session, self._database.now(), self._limits)
            waiting = session.execute(
                select(Payout, Refund)
                .join(Refund, Refund.id == Payout.refund_id)
                .where(
                    Payout.chain_id == chain_id,
                    Payout.wallet == address,
                    Payout.status == PayoutStatus.QUEUED,
                )
                .order_by(Payout.begun_at, Payout.refund_id)
            ).all()
            return [_queued(session, spending, payout, row) for payout, row in waiting]

    def hold_back(self, queued: QueuedPayout) -> None:
        """Let a payout that a limit keeps back wait, with a finding that says which and until when."""
        with self._database.write() as session:
            payout = session.get_one(Payout, (queued.refund_id, queued.attempt))
            row = cases.get(session, queued.refund_id)
            breach = Spending(session, self._database.now(), self._limits).breach(payout, row.account_id)
            if payout.status == PayoutStatus.QUEUED and breach is not None:
                limits.hold_back(session, self._database, row, payout, breach)

    def sent(self, chain_id: int, address: str) -> list[SentPayout]:
        """List the payouts whose bytes exist and that still need care, in the order of their nonces."""
        cared_for = (
            Payout.chain_id == chain_id,
            Payout.wallet == address,
            Payout.nonce.is_not(None),
            Payout.is_buried.is_(False),
        )
        is_of = (ChainTransaction.refund_id == Payout.refund_id) & (ChainTransaction.attempt == Payout.attempt)
        with self._database.read() as session:
            found = session.execute(
                select(Payout, ChainTransaction)
                .join(ChainTransaction, is_of)
                .where(*cared_for)
                .order_by(Payout.nonce, ChainTransaction.sequence)
            )
            signed: dict[Payout, list[ChainTransaction]] = {}
            for payout, transaction in found:
                signed.setdefault(payout, []).append(transaction)
            return [_sent(payout, rows, self._database.now()) for payout, rows in signed.items()]

    def record_sends(self, answers: Mapping[str, SendAnswer], head_block: int = 0) -> None:
        """Keep nodes' answers beside the bytes, by their hash: hints for people, never a fact about money."""
        with self._database.write() as session:
            now = self._database.now()
            for row in session.scalars(select(ChainTransaction).where(ChainTransaction.tx_hash.in_(answers))):
                answer = answers[row.tx_hash]
                if row.first_sent_at is None:
                    row.first_sent_at, row.first_sent_block = now, head_block
                row.sends, row.last_sent_at = row.sends + 1, now
                row.last_answer, row.is_taken = answer.value, row.is_taken or answer in TAKEN

    def cannot_sign(self, queued: QueuedPayout, reason: StatusReason, detail: str) -> None:
        """Bring a payout that cannot be signed before an operator; it has no nonce, so it was never sent."""
        with self._database.write() as session:
            payout = session.get_one(Payout, (queued.refund_id, queued.attempt))
            if payout.status == PayoutStatus.QUEUED:
                outcome = PayoutOutcome(status=PayoutStatus.REFUSED, reason=reason, detail=detail)
                settle(session, self._database, cases.get(session, queued.refund_id), payout, outcome)

    def delay(self, queued: QueuedPayout, cause: str) -> None:
        """Tell people, once, of a payout that could not be signed for some time; it goes on being tried."""
        # Every turn comes by here for all that wait, so what is no news must not take the turn to write.
        with self._database.read() as session:
            if not self._is_delayed(session, queued):
                return
        with self._database.write() as session:
            if self._is_delayed(session, queued):
                open_finding(
                    session,
                    self._database,
                    kind=FindingKind.PAYOUT_DELAYED,
                    key=f"payout_delayed/{queued.refund_id}/{queued.attempt}",
                    evidence={"attempt": queued.attempt, "cause": cause[:200]},
                    refund_id=queued.refund_id,
                )

    def _is_delayed(self, session: Session, queued: QueuedPayout) -> bool:
        payout = session.get_one(Payout, (queued.refund_id, queued.attempt))
        waited_seconds = (self._database.now() - payout.begun_at).total_seconds()
        return payout.status == PayoutStatus.QUEUED and waited_seconds >= DELAY_TOLD_SECONDS

    def held_by_nonces(self, queued: QueuedPayout, view: WalletView) -> str | None:
        """Say which count of nonces keeps a payout from being signed, or None where it is something else."""
        with self._database.read() as session:
            earlier = cancelling.open_nonce(session, cases.get(session, queued.refund_id))
            if earlier is not None:
                return f"nonce {earlier} of an earlier attempt is in no block and not closed"
            wallet = session.get(Wallet, (queued.outgoing.chain_id, queued.outgoing.wallet))
            if wallet is None:
                return f"first_nonce is {view.first_nonce}, and the chain has used {view.nonce_latest} nonces"
            known = max(view.nonce_latest, view.nonce_pending)
            if known > wallet.next_nonce:
                return (
                    f"endpoints know {known} nonces of the wallet, in blocks or pools; {wallet.next_nonce} are ours"
                )
            return None

    def unseen(self, sent: SentPayout, cause: str) -> None:
        """Tell people, once, of a payout that cannot be looked for; the others go on, and so do its bytes."""
        self._find(FindingKind.PAYOUT_DELAYED, "payout_unseen", sent, cause)

    def stuck(self, sent: SentPayout, cause: str) -> None:
        """Tell people, once, of a payout at the head of the line whose fee cannot be raised any further."""
        self._find(FindingKind.PAYOUT_STUCK, "payout_stuck", sent, cause)

    def _find(self, kind: FindingKind, matter: str, sent: SentPayout, cause: str) -> None:
        with self._database.write() as session:
            open_finding(
                session,
                self._database,
                kind=kind,
                key=f"{matter}/{sent.refund_id}/{sent.attempt}",
                evidence={"attempt": sent.attempt, "nonce": sent.nonce, "cause": cause[:200]},
                refund_id=sent.refund_id,
            )


def outgoing_of(payout: Payout) -> Outgoing:
    """Return what a payout must move, as it was approved."""
    return Outgoing(
        chain_id=payout.chain_id or 0,
        wallet=payout.wallet or "",
        to=payout.destination or "",
        asset=payout.asset or NATIVE,
        amount_base_units=payout.amount_base_units or 0,
    )


def transactions_of(session: Session, payout: Payout) -> list[ChainTransaction]:
    """Return all signed bytes of a payout, the newest last."""
    mine = select(ChainTransaction).where(
        ChainTransaction.refund_id == payout.refund_id, ChainTransaction.attempt == payout.attempt
    )
    return list(session.scalars(mine.order_by(ChainTransaction.sequence)))


def _queued(session: Session, spending: Spending, payout: Payout, row: Refund) -> QueuedPayout:
    breach = spending.breach(payout, row.account_id)
    return QueuedPayout(
        refund_id=payout.refund_id,
        attempt=payout.attempt,
        outgoing=outgoing_of(payout),
        is_over_limit=breach is not None,
        is_held_back=breach is not None and limits.is_told(session, row, payout, breach),
    )


def _sent(payout: Payout, signed: Sequence[ChainTransaction], now: datetime) -> SentPayout:
    return SentPayout(
        refund_id=payout.refund_id,
        attempt=payout.attempt,
        nonce=payout.nonce or 0,
        status=PayoutStatus(payout.status),
        outgoing=outgoing_of(payout),
        transactions=tuple(_stored(row, now) for row in signed),
        tx_hash=payout.tx_hash,
        block_number=payout.block_number,
        is_cancel_asked=payout.is_cancel_asked,
        is_suspected=payout.lost_since is not None,
    )


def _stored(row: ChainTransaction, now: datetime) -> StoredTransfer:
    return StoredTransfer(
        tx_hash=row.tx_hash,
        raw=row.raw,
        sequence=row.sequence,
        purpose=Purpose(row.purpose),
        terms=TransferTerms.model_validate(row.terms),
        sends=row.sends,
        is_taken=row.is_taken,
        last_answer=None if row.last_answer is None else SendAnswer(row.last_answer),
        first_sent_block=row.first_sent_block,
        waited_seconds=None if row.first_sent_at is None else (now - row.first_sent_at).total_seconds(),
        rested_seconds=None if row.last_sent_at is None else (now - row.last_sent_at).total_seconds(),
    )
