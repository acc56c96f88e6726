"""The outbox of chain payouts: a nonce and signed bytes stored together, before anything is sent."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.findings import FindingKind
from domain.money import NATIVE
from domain.outbox import QueuedPayout, SentPayout, Sign
from domain.payouts import PayoutOutcome, PayoutStatus
from domain.policy import Policy
from domain.refunds import StatusReason
from domain.transfers import (
    Outgoing,
    SendAnswer,
    Sighting,
    SignedTransfer,
    Transfer,
    TransferTerms,
    WalletView,
)
from ledger import cases
from ledger.database import Database
from ledger.findings import open_finding
from ledger.payouts import may_leave, register_wallet, settle
from ledger.tables import ChainTransaction, Payout, RailStop, Wallet

# geth keeps 16 pending transactions of one sender in its pool; more would be dropped or stall behind a gap.
IN_FLIGHT_MAX = 16

DELAY_TOLD_SECONDS = 300  # a node that is away for a moment is no matter for people


class Outbox:
    """One wallet's payouts, in the order of their nonces. No path leads back from a nonce to not sent."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._policy = policy

    def queued(self, chain_id: int, address: str) -> list[QueuedPayout]:
        """List the payouts that may get a nonce now, oldest first; none while the rail is stopped or paused."""
        with self._database.read() as session:
            wallet = session.get(Wallet, (chain_id, address))
            if session.get(RailStop, "crypto") is not None or (wallet and wallet.pause_reason):
                return []
            mine = select(Payout).where(Payout.chain_id == chain_id, Payout.wallet == address)
            open_ones = session.scalars(
                mine.where(Payout.status.in_([PayoutStatus.UNKNOWN, PayoutStatus.PENDING]))
            ).all()
            waiting = session.scalars(
                mine.where(Payout.status == PayoutStatus.QUEUED).order_by(Payout.begun_at, Payout.refund_id)
            ).all()
            return [
                QueuedPayout(refund_id=payout.refund_id, attempt=payout.attempt, outgoing=_outgoing(payout))
                for payout in waiting[: max(0, IN_FLIGHT_MAX - len(open_ones))]
            ]

    def sign(self, queued: QueuedPayout, terms: TransferTerms, view: WalletView, sign: Sign) -> SignedTransfer | None:
        """Assign the next nonce and store the signed bytes, in one transaction; None where it may not.

        Run twice, the second finds the payout signed and returns None: its bytes are there to be sent.
        """
        with self._database.write() as session:
            payout = session.get_one(Payout, (queued.refund_id, queued.attempt))
            if payout.chain_id is None or payout.wallet is None:
                raise ValueError("a card payout has no place in the outbox")
            wallet = register_wallet(session, payout.chain_id, payout.wallet, view.nonce_pending)
            if payout.status != PayoutStatus.QUEUED or self._must_pause(session, wallet, view):
                return None
            row = cases.get(session, payout.refund_id)
            if not may_leave(session, self._database, self._policy, row, payout):
                return None
            transfer = Transfer(**_outgoing(payout).model_dump(), nonce=wallet.next_nonce, terms=terms)
            signed = sign(transfer)
            wallet.next_nonce += 1
            payout.nonce, payout.tx_hash = transfer.nonce, signed.tx_hash
            payout.status = PayoutStatus.UNKNOWN.value
            payout.updated_at = self._database.now()
            session.add(
                ChainTransaction(
                    tx_hash=signed.tx_hash,
                    refund_id=payout.refund_id,
                    attempt=payout.attempt,
                    sequence=1,
                    raw=signed.raw,
                    gas=terms.gas,
                    max_fee_per_gas_wei=terms.max_fee_per_gas_wei,
                    sends=0,
                    signed_at=self._database.now(),
                )
            )
            session.flush()
            detail = {
                "rail": payout.rail,
                "attempt": payout.attempt,
                "nonce": payout.nonce,
                "tx_hash": signed.tx_hash,
            }
            cases.note(session, self._database, row, "payout.signed", detail=detail)
            return signed

    def _must_pause(self, session: Session, wallet: Wallet, view: WalletView) -> bool:
        """Stop a wallet whose nonces moved without us: a restored database, or the key used elsewhere."""
        if wallet.pause_reason is None and view.nonce_finalized > wallet.next_nonce:
            wallet.pause_reason = "nonce_used_elsewhere"
            open_finding(
                session,
                self._database,
                kind=FindingKind.WALLET_PAUSED,
                key=f"wallet/{wallet.chain_id}/{wallet.address}/{wallet.next_nonce}",
                evidence={
                    "chain_id": wallet.chain_id,
                    "wallet": wallet.address,
                    "next_nonce": wallet.next_nonce,
                    "finalized_nonce": view.nonce_finalized,
                },
            )
        return wallet.pause_reason is not None

    def cannot_sign(self, queued: QueuedPayout, reason: StatusReason, detail: str) -> None:
        """Bring a payout that cannot be signed before an operator; it has no nonce, so it was never sent."""
        with self._database.write() as session:
            payout = session.get_one(Payout, (queued.refund_id, queued.attempt))
            if payout.status == PayoutStatus.QUEUED:
                outcome = PayoutOutcome(status=PayoutStatus.REFUSED, reason=reason, detail=detail)
                settle(session, self._database, cases.get(session, queued.refund_id), payout, outcome)

    def delay(self, queued: QueuedPayout, cause: str) -> None:
        """Tell people, once, of a payout that could not be signed for some time; it goes on being tried."""
        with self._database.write() as session:
            payout = session.get_one(Payout, (queued.refund_id, queued.attempt))
            waited_seconds = (self._database.now() - payout.begun_at).total_seconds()
            if payout.status == PayoutStatus.QUEUED and waited_seconds >= DELAY_TOLD_SECONDS:
                open_finding(
                    session,
                    self._database,
                    kind=FindingKind.PAYOUT_DELAYED,
                    key=f"payout_delayed/{queued.refund_id}/{queued.attempt}",
                    evidence={"attempt": queued.attempt, "cause": cause[:200]},
                    refund_id=queued.refund_id,
                )

    def lose_nonce(self, sent: SentPayout) -> bool:
        """Bring a payout before an operator whose nonce was finally used by something else.

        Nothing is released and nothing is paid anew: the node may be wrong, and its bytes are still sent.
        """
        with self._database.write() as session:
            row = cases.get(session, sent.refund_id)
            before = row.status
            outcome = PayoutOutcome(
                status=PayoutStatus.UNKNOWN, reason=StatusReason.PAYOUT_UNKNOWN, detail="nonce used elsewhere"
            )
            settle(session, self._database, row, session.get_one(Payout, (sent.refund_id, sent.attempt)), outcome)
            return row.status != before

    def low_on_funds(self, chain_id: int, address: str, needed: int, balance: int) -> None:
        """Write once per shortage that the wallet cannot pay what is approved."""
        with self._database.write() as session:
            open_finding(
                session,
                self._database,
                kind=FindingKind.WALLET_LOW,
                key=f"wallet_low/{chain_id}/{address}/{self._database.now():%Y-%m-%d}",
                evidence={
                    "chain_id": chain_id,
                    "wallet": address,
                    "needed_base_units": str(needed),
                    "balance_base_units": str(balance),
                },
            )

    def sent(self, chain_id: int, address: str) -> list[SentPayout]:
        """List the payouts whose bytes exist and that still need care, in the order of their nonces."""
        with self._database.read() as session:
            payouts = session.scalars(
                select(Payout)
                .where(
                    Payout.chain_id == chain_id,
                    Payout.wallet == address,
                    Payout.nonce.is_not(None),
                    Payout.is_buried.is_(False),
                )
                .order_by(Payout.nonce)
            ).all()
            return [self._sent(session, payout) for payout in payouts]

    def _sent(self, session: Session, payout: Payout) -> SentPayout:
        rows = session.scalars(
            select(ChainTransaction)
            .where(ChainTransaction.refund_id == payout.refund_id, ChainTransaction.attempt == payout.attempt)
            .order_by(ChainTransaction.sequence)
        ).all()
        fee_wei_max = max(row.gas * row.max_fee_per_gas_wei for row in rows)
        return SentPayout(
            refund_id=payout.refund_id,
            attempt=payout.attempt,
            nonce=payout.nonce or 0,
            status=PayoutStatus(payout.status),
            outgoing=_outgoing(payout),
            cost_base_units_max=(payout.amount_base_units or 0) + fee_wei_max,
            transactions=tuple(SignedTransfer(tx_hash=row.tx_hash, raw=row.raw) for row in rows),
        )

    def record_send(self, tx_hash: str, answer: SendAnswer) -> int:
        """Keep the node's answer beside the bytes, a hint for people, never a fact about money; count the sends."""
        with self._database.write() as session:
            row = session.get_one(ChainTransaction, tx_hash)
            row.sends += 1
            row.last_answer = answer.value
            return row.sends

    def record_sighting(self, sent: SentPayout, tx_hash: str | None, sighting: Sighting | None) -> bool:
        """Book what the chain shows of a payout; return whether the refund's state changed.

        `None` for both: none of the payout's hashes is in a block now. Absence proves nothing, so a payout
        that was seen goes back to unknown and its bytes are sent again; it is never paid anew.
        """
        with self._database.write() as session:
            payout = session.get_one(Payout, (sent.refund_id, sent.attempt))
            row = cases.get(session, sent.refund_id)
            before = row.status
            if tx_hash is None or sighting is None:
                self._unseen(session, payout)
            else:
                if payout.status == PayoutStatus.SUCCEEDED and not sighting.is_final:
                    self._unseen(session, payout)  # it left its final block and came back in another
                payout.tx_hash = tx_hash
                payout.is_buried = sighting.is_buried
                settle(session, self._database, row, payout, _outcome(tx_hash, sighting))
                if payout.is_buried and not row.watch_over and payout.status == PayoutStatus.SUCCEEDED:
                    row.watch_over = True
                    cases.note(session, self._database, row, "watch.over")
                    return True
            return row.status != before

    def _unseen(self, session: Session, payout: Payout) -> None:
        row = cases.get(session, payout.refund_id)
        if payout.status == PayoutStatus.SUCCEEDED:
            cases.reopen_hold(session, self._database, row)
            outcome = PayoutOutcome(status=PayoutStatus.UNKNOWN, reason=StatusReason.PAYOUT_REORGED)
            settle(session, self._database, row, payout, outcome)
        elif payout.status == PayoutStatus.PENDING:
            settle(session, self._database, row, payout, PayoutOutcome(status=PayoutStatus.UNKNOWN))


def _outgoing(payout: Payout) -> Outgoing:
    return Outgoing(
        chain_id=payout.chain_id or 0,
        wallet=payout.wallet or "",
        to=payout.destination or "",
        asset=payout.asset or NATIVE,
        amount_base_units=payout.amount_base_units or 0,
    )


def _outcome(tx_hash: str, sighting: Sighting) -> PayoutOutcome:
    if sighting.is_final and sighting.succeeded:
        return PayoutOutcome(status=PayoutStatus.SUCCEEDED, provider_ref=tx_hash)
    if sighting.is_final:
        return PayoutOutcome(status=PayoutStatus.REVERTED, provider_ref=tx_hash, reason=StatusReason.PAYOUT_REVERTED)
    return PayoutOutcome(status=PayoutStatus.PENDING, provider_ref=tx_hash, detail=f"block {sighting.block_number}")
