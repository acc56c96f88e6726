"""Nonces for a group of queued payouts, assigned one after the other inside one database transaction."""

from collections.abc import Mapping, Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from domain.errors import NeedsOperator, TryAgain
from domain.limits import Limits
from domain.outbox import IN_FLIGHT_MAX, QuotedPayout, Sign, SignAnswer
from domain.payouts import PayoutOutcome, PayoutStatus
from domain.policy import Policy
from domain.refunds import StatusReason
from domain.transfers import SignedTransfer, Transfer, TransferTerms, WalletView
from ledger import cancelling, cases, limits
from ledger.approvals import Approvals
from ledger.database import Database
from ledger.endings import deposits_found_paid
from ledger.funds import Funds
from ledger.limits import Spending
from ledger.outbox import outgoing_of
from ledger.payouts import is_still_approved
from ledger.settling import settle
from ledger.signatures import Signature, store
from ledger.tables import Deposit, Payout, Refund, Wallet


class Group:
    """Queued payouts of one wallet, each checked by itself; the earlier ones of the group count for the later ones.

    What the checks need is read once for all of them, inside the transaction, in which nobody else writes.
    """

    def __init__(
        self,
        session: Session,
        database: Database,
        policy: Policy,
        caps: Limits,
        wallet: Wallet,
        view: WalletView,
        quoted: Sequence[QuotedPayout],
        token_balances: Mapping[str, int],
    ) -> None:
        self._session = session
        self._database = database
        self._wallet = wallet
        self._quoted = quoted
        refunds = [it.queued.refund_id for it in quoted]
        # Rows that were read stay in the session, where whoever asks for one of them finds it.
        session.scalars(select(Payout).where(Payout.refund_id.in_(refunds))).all()
        rows = session.scalars(select(Refund).where(Refund.id.in_(refunds))).all()
        session.scalars(select(Deposit).where(Deposit.id.in_([it.deposit_id for it in rows]))).all()
        self._pairs = [
            (
                cases.get(session, it.queued.refund_id),
                session.get_one(Payout, (it.queued.refund_id, it.queued.attempt)),
            )
            for it in quoted
        ]
        self._open_nonces = cancelling.open_nonces(session, rows)
        self._found_paid = deposits_found_paid(session, rows)
        self._approvals = Approvals(session, policy, rows)
        self._told_of_limits = limits.findings_of(session, self._pairs)
        self._spending = Spending(session, database.now(), caps)
        self._funds = Funds(session, database, caps, wallet, view, token_balances)
        self._places = IN_FLIGHT_MAX - _in_flight(session, wallet)

    def assign(self, sign: Sign) -> list[SignAnswer]:
        """Give nonces in order and store all bytes together; what may not go takes no nonce, so there is no gap."""
        answers: list[SignAnswer] = []
        signatures: list[Signature] = []
        stopped: NeedsOperator | None = None
        for (row, payout), quoted in zip(self._pairs, self._quoted, strict=True):
            answer = stopped or self._assign(row, payout, quoted.terms, sign)
            if isinstance(answer, NeedsOperator) and answer.reason == StatusReason.RAIL_STOPPED:
                stopped = answer  # the key itself: it is not asked again for the rest
            if isinstance(answer, SignedTransfer):
                signatures.append(Signature(row, payout, answer, quoted.terms))
            answers.append(answer)
        store(self._session, self._database, signatures)
        return answers

    def _assign(self, row: Refund, payout: Payout, terms: TransferTerms, sign: Sign) -> SignAnswer:
        if (payout.chain_id, payout.wallet) != (self._wallet.chain_id, self._wallet.address):
            raise ValueError("a card payout, or one of another wallet, has no place in this outbox")
        if payout.status != PayoutStatus.QUEUED or self._places < 1 or not self._may_leave(row, payout):
            return None
        breach = self._spending.breach(payout, row.account_id)
        if breach is not None:
            limits.hold_back(self._session, self._database, row, payout, breach)
            return None
        outgoing = outgoing_of(payout)
        if not self._funds.suffice(outgoing, terms):
            return None
        transfer = Transfer(**outgoing.model_dump(), nonce=self._wallet.next_nonce, terms=terms)
        try:
            signed = sign(transfer)
        except (NeedsOperator, TryAgain) as error:
            return error
        limits.let_go(self._session, self._database, row, payout, self._told_of_limits)
        self._spending.add(payout, row.account_id)
        self._funds.promise(outgoing, terms)
        self._places -= 1
        self._wallet.next_nonce += 1
        self._open_nonces[row.deposit_id] = transfer.nonce
        payout.nonce, payout.tx_hash = transfer.nonce, signed.tx_hash
        payout.status = PayoutStatus.UNKNOWN.value
        return signed

    def _may_leave(self, row: Refund, payout: Payout) -> bool:
        """Tell whether the refund may still be paid at all; one that was paid already is refused here."""
        if row.deposit_id in self._open_nonces:
            return False  # an earlier attempt left its block: its bytes might still pay
        if row.deposit_id in self._found_paid:
            refused = PayoutOutcome(
                status=PayoutStatus.REFUSED, reason=StatusReason.PAYOUT_REFUSED, detail="found paid already"
            )
            settle(self._session, self._database, row, payout, refused)
            return False
        return is_still_approved(self._session, self._database, row, payout, self._approvals)


def _in_flight(session: Session, wallet: Wallet) -> int:
    unmined = select(func.count()).where(
        Payout.chain_id == wallet.chain_id,
        Payout.wallet == wallet.address,
        Payout.nonce.is_not(None),
        Payout.block_number.is_(None),
        Payout.is_buried.is_(False),
    )
    return session.scalar(unmined) or 0
