"""What the chain shows of a payout, booked: in a block, final, buried, gone again, or its nonce used elsewhere."""

from datetime import timedelta

from sqlalchemy import update
from sqlalchemy.orm import Session

from domain.findings import FindingKind
from domain.outbox import Purpose, SentPayout, StoredTransfer
from domain.payouts import DEAD, PayoutOutcome, PayoutStatus
from domain.policy import Policy
from domain.refunds import StatusReason
from domain.transfers import ForeignUse, Sighting
from domain.wallets import PauseReason
from ledger import cases, wallets
from ledger.database import Database
from ledger.findings import open_finding
from ledger.settling import settle
from ledger.tables import ChainTransaction, Payout, Refund, Wallet


class Sightings:
    """Books what was seen of a payout. Absence proves nothing: nothing is ever paid anew because of it."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._patience = timedelta(seconds=policy.handling.nonce_lost_seconds)

    def record_sighting(
        self, sent: SentPayout, transaction: StoredTransfer | None, sighting: Sighting | None
    ) -> bool:
        """Book what the chain shows of a payout; return whether the refund's state changed.

        `None` for both: none of the payout's hashes is in a block now. So a payout that was seen goes back to
        unknown and its bytes are sent again at once.
        """
        with self._database.write() as session:
            payout = session.get_one(Payout, (sent.refund_id, sent.attempt))
            row = cases.get(session, sent.refund_id)
            before = row.status
            if transaction is None or sighting is None:
                if (payout.status, payout.block_number) != (sent.status, sent.block_number):
                    return False  # another worker saw more of it meanwhile, and this one must look again
                self._unseen(session, payout)
                return row.status != before
            is_cancel = transaction.purpose == Purpose.CANCEL
            if _is_known(payout, transaction, sighting):
                return False
            if payout.status == PayoutStatus.SUCCEEDED and (is_cancel or not sighting.is_final):
                self._unseen(session, payout)  # it left its final block and came back in another, or never
            payout.tx_hash = transaction.tx_hash
            payout.block_number, payout.block_hash = sighting.block_number, sighting.block_hash
            payout.is_buried, payout.lost_since = sighting.is_buried, None
            outcome = (_canceled if is_cancel else _outcome)(transaction.tx_hash, sighting)
            settle(session, self._database, row, payout, outcome)
            if sighting.moved_otherwise and sighting.is_final:
                self._tell_moved_otherwise(session, payout, sighting)
            return self._ends_watch(session, row, payout) or row.status != before

    def suspect(self, sent: SentPayout, proof: ForeignUse | None) -> bool:
        """Note whether something else seems to have used a payout's nonce; return whether its refund has news.

        Once the proof has held for long the payout stands before a person and the wallet is paused. Nothing is
        released and nothing is paid anew: only a person who asked to cancel the nonce may call it closed by this, and
        where nobody can name what used it, a person must also find out that it did not pay this very refund.
        """
        with self._database.write() as session:
            payout, now = session.get_one(Payout, (sent.refund_id, sent.attempt)), self._database.now()
            if payout.block_number is not None or proof is None:
                payout.lost_since = payout.lost_block = None
                return False
            payout.lost_since = payout.lost_since or now
            payout.lost_block = proof.final_block if payout.lost_block is None else payout.lost_block
            if now - payout.lost_since < self._patience:
                return False
            if payout.is_cancel_asked and payout.status in DEAD:
                # Like what is mined it is watched until twice finality, and only then can it be paid anew.
                payout.is_buried = proof.buried_block >= payout.lost_block
            if payout.status == PayoutStatus.CANCELED:
                return False
            row = cases.get(session, payout.refund_id)
            before = row.status
            wallet = session.get_one(Wallet, (payout.chain_id, payout.wallet))
            evidence = {"since": payout.lost_since.isoformat(), **proof.model_dump(mode="json")}
            wallets.pause(session, self._database, wallet, PauseReason.KEY_USED_ELSEWHERE, evidence)
            status, reason = PayoutStatus.UNKNOWN, StatusReason.PAYOUT_UNKNOWN
            if payout.is_cancel_asked:
                status, reason = PayoutStatus.CANCELED, StatusReason.PAYOUT_CANCELED
            outcome = PayoutOutcome(status=status, reason=reason, detail="nonce used elsewhere")
            settle(session, self._database, row, payout, outcome)
            if payout.is_cancel_asked and (proof.is_paid_by_it or not proof.is_read):
                self._tell_moved(session, payout, proof.tx_hash)
            return row.status != before

    def distrust(self, sent: SentPayout, transaction: StoredTransfer, cause: str) -> bool:
        """Pause the wallet and call a person: stored bytes do not say what their payout says. They are not sent."""
        with self._database.write() as session:
            payout = session.get_one(Payout, (sent.refund_id, sent.attempt))
            row = cases.get(session, sent.refund_id)
            before = row.status
            wallet = session.get_one(Wallet, (payout.chain_id, payout.wallet))
            evidence = {"nonce": sent.nonce, "tx_hash": transaction.tx_hash, "cause": cause[:200]}
            wallets.pause(session, self._database, wallet, PauseReason.BYTES_DIFFER, evidence)
            if payout.status == PayoutStatus.UNKNOWN:
                outcome = PayoutOutcome(
                    status=PayoutStatus.UNKNOWN, reason=StatusReason.PAYOUT_UNKNOWN, detail="signed bytes differ"
                )
                settle(session, self._database, row, payout, outcome)
            return row.status != before

    def _unseen(self, session: Session, payout: Payout) -> None:
        row = cases.get(session, payout.refund_id)
        payout.block_number = payout.block_hash = None
        mine = (ChainTransaction.refund_id == payout.refund_id) & (ChainTransaction.attempt == payout.attempt)
        # Its bytes are due again at once, as they are: only a new wait for a block is a reason to raise their fee.
        anew = {"first_sent_at": None, "first_sent_block": None, "last_sent_at": None}
        session.execute(update(ChainTransaction).where(mine).values(anew))
        if payout.status == PayoutStatus.SUCCEEDED:
            cases.reopen_hold(session, self._database, row)
            outcome = PayoutOutcome(status=PayoutStatus.UNKNOWN, reason=StatusReason.PAYOUT_REORGED)
            settle(session, self._database, row, payout, outcome)
        elif payout.status == PayoutStatus.PENDING:
            settle(session, self._database, row, payout, PayoutOutcome(status=PayoutStatus.UNKNOWN))
        elif payout.status == PayoutStatus.REVERTED:
            # It may be paid anew already, so its old bytes must not get a second chance: the nonce is closed.
            payout.is_cancel_asked = True

    def _ends_watch(self, session: Session, row: Refund, payout: Payout) -> bool:
        if not payout.is_buried or row.watch_over or payout.status != PayoutStatus.SUCCEEDED:
            return False
        row.watch_over = True
        cases.note(session, self._database, row, "watch.over")
        return True

    def _tell_moved_otherwise(self, session: Session, payout: Payout, sighting: Sighting) -> None:
        """A payout that moved something else must be paid neither again nor back before a person judged it."""
        evidence = {"nonce": payout.nonce, "tx_hash": payout.tx_hash, "moved": sighting.moved_otherwise}
        wallet = session.get_one(Wallet, (payout.chain_id, payout.wallet))
        wallets.pause(session, self._database, wallet, PauseReason.MOVED_OTHERWISE, evidence)
        self._tell_moved(session, payout, payout.tx_hash)

    def _tell_moved(self, session: Session, payout: Payout, tx_hash: str | None) -> None:
        open_finding(
            session,
            self._database,
            kind=FindingKind.DEAD_PAYOUT_MOVED,
            key=f"payout/{payout.refund_id}/{payout.attempt}/moved",
            evidence={"attempt": payout.attempt, "was": payout.status, "provider_ref": tx_hash},
            refund_id=payout.refund_id,
        )


def _is_known(payout: Payout, transaction: StoredTransfer, sighting: Sighting) -> bool:
    """Tell whether what is booked as final was seen in its own block by an endpoint that calls less final.

    One that lags, or comes back after a silence, lowers the height that all agree on; nothing left its block.
    """
    place = (transaction.tx_hash, sighting.block_number, sighting.block_hash)
    if sighting.is_final or (payout.tx_hash, payout.block_number, payout.block_hash) != place:
        return False
    if transaction.purpose == Purpose.CANCEL:
        return payout.status == PayoutStatus.CANCELED
    return payout.status == (PayoutStatus.SUCCEEDED if sighting.succeeded else PayoutStatus.REVERTED)


def _outcome(tx_hash: str, sighting: Sighting) -> PayoutOutcome:
    if sighting.is_final and sighting.succeeded:
        return PayoutOutcome(status=PayoutStatus.SUCCEEDED, provider_ref=tx_hash)
    if sighting.is_final:
        reason, detail = StatusReason.PAYOUT_REVERTED, sighting.moved_otherwise or ""
        return PayoutOutcome(status=PayoutStatus.REVERTED, provider_ref=tx_hash, reason=reason, detail=detail)
    return PayoutOutcome(status=PayoutStatus.PENDING, provider_ref=tx_hash, detail=f"block {sighting.block_number}")


def _canceled(tx_hash: str, sighting: Sighting) -> PayoutOutcome:
    """A nonce that was spent on nothing: final, the payout is dead; before that, nothing is known for sure."""
    if sighting.is_final:
        return PayoutOutcome(status=PayoutStatus.CANCELED, provider_ref=tx_hash, reason=StatusReason.PAYOUT_CANCELED)
    return PayoutOutcome(status=PayoutStatus.UNKNOWN, detail=f"cancel in block {sighting.block_number}")
