"""Nonces and signed bytes, stored together in one database transaction before anything is sent."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from domain.findings import FindingKind
from domain.limits import Limits
from domain.money import NATIVE
from domain.outbox import IN_FLIGHT_MAX, Purpose, QueuedPayout, SentPayout, Sign
from domain.payouts import PayoutOutcome, PayoutStatus
from domain.policy import Policy
from domain.refunds import StatusReason
from domain.transfers import Outgoing, SignedTransfer, Transfer, TransferTerms, WalletView
from ledger import cancelling, cases, limits, wallets
from ledger.database import Database
from ledger.endings import found_paid
from ledger.findings import open_finding
from ledger.limits import Spending
from ledger.outbox import NO_LIMITS, outgoing_of, transactions_of
from ledger.payouts import may_leave
from ledger.settling import settle
from ledger.tables import ChainTransaction, Payout, Refund, Wallet


class Signing:
    """Assigns a payout its one nonce, and stores every further bytes under that same nonce."""

    def __init__(self, database: Database, policy: Policy, limits: Limits = NO_LIMITS) -> None:
        self._database = database
        self._policy = policy
        self._limits = limits

    def sign(
        self,
        queued: QueuedPayout,
        terms: TransferTerms,
        view: WalletView,
        sign: Sign,
        token_balance: int | None = None,
    ) -> SignedTransfer | None:
        """Assign the next nonce and store the signed bytes, in one transaction; None where it may not.

        `token_balance` is the wallet's, where a token is paid. Run twice, the second finds the payout signed and
        returns None: its bytes are there to be sent.
        """
        with self._database.write() as session:
            payout = session.get_one(Payout, (queued.refund_id, queued.attempt))
            if payout.chain_id is None or payout.wallet is None:
                raise ValueError("a card payout has no place in the outbox")
            if not view.is_for_signing:
                return None  # it came after the view, which then shows neither pool nor balance
            wallet = wallets.register(session, self._database, payout.chain_id, payout.wallet, view)
            if wallet is None or payout.status != PayoutStatus.QUEUED:
                return None
            if not wallets.check(session, self._database, wallet, view):
                return None
            if _is_used_by_others(wallet, view) or _is_line_full(session, wallet):
                return None
            row = cases.get(session, payout.refund_id)
            if not self._may_leave(session, row, payout):
                return None
            breach = Spending(session, self._database.now(), self._limits).breach(payout, row.account_id)
            if breach is not None:
                limits.hold_back(session, self._database, row, payout, breach)
                return None
            if not self._has_funds(session, wallet, outgoing_of(payout), terms, view, token_balance):
                return None
            limits.let_go(session, self._database, row, payout)
            transfer = Transfer(**outgoing_of(payout).model_dump(), nonce=wallet.next_nonce, terms=terms)
            signed = sign(transfer)
            wallet.next_nonce += 1
            payout.nonce, payout.tx_hash = transfer.nonce, signed.tx_hash
            payout.status = PayoutStatus.UNKNOWN.value
            payout.updated_at = self._database.now()
            self._store(session, payout, signed, terms, Purpose.PAY)
            return signed

    def _may_leave(self, session: Session, row: Refund, payout: Payout) -> bool:
        """Tell whether the refund may still be paid at all; one that was paid already is refused here."""
        if cancelling.open_nonce(session, row) is not None:
            return False  # an earlier attempt left its block: its bytes might still pay
        if found_paid(session, row) is not None:
            refused = PayoutOutcome(
                status=PayoutStatus.REFUSED, reason=StatusReason.PAYOUT_REFUSED, detail="found paid already"
            )
            settle(session, self._database, row, payout, refused)
            return False
        return may_leave(session, self._database, self._policy, row, payout)

    def raise_fee(self, sent: SentPayout, terms: TransferTerms, sign: Sign) -> SignedTransfer | None:
        """Store bytes with higher fees under the same nonce; None where somebody did so before, or it was mined.

        They move what the newest ones move: the payout, or nothing where it is being cancelled.
        """
        return self._again(sent, terms, sign, sent.newest.purpose)

    def sign_cancel(self, sent: SentPayout, terms: TransferTerms, sign: Sign) -> SignedTransfer | None:
        """Store bytes that close the payout's nonce by moving nothing; only where a person asked for it."""
        if not sent.is_cancel_asked:
            return None
        return self._again(sent, terms, sign, Purpose.CANCEL)

    def _again(self, sent: SentPayout, terms: TransferTerms, sign: Sign, purpose: Purpose) -> SignedTransfer | None:
        with self._database.write() as session:
            payout = session.get_one(Payout, (sent.refund_id, sent.attempt))
            stored = transactions_of(session, payout)
            # Compare and set: whoever looked at older bytes than the newest ones must look again.
            if stored[-1].sequence != sent.newest.sequence or payout.block_number is not None:
                return None
            if (payout.nonce, outgoing_of(payout)) != (sent.nonce, sent.outgoing):
                raise AssertionError(f"{payout.refund_id}/{payout.attempt}: a payout never changes what it moves")
            outgoing = sent.outgoing if purpose == Purpose.PAY else sent.outgoing.cancel
            signed = sign(Transfer(**outgoing.model_dump(), nonce=sent.nonce, terms=terms))
            payout.updated_at = self._database.now()
            self._store(session, payout, signed, terms, purpose, sequence=stored[-1].sequence + 1)
            return signed

    def _store(
        self,
        session: Session,
        payout: Payout,
        signed: SignedTransfer,
        terms: TransferTerms,
        purpose: Purpose,
        sequence: int = 1,
    ) -> None:
        session.add(
            ChainTransaction(
                tx_hash=signed.tx_hash,
                refund_id=payout.refund_id,
                attempt=payout.attempt,
                sequence=sequence,
                purpose=purpose.value,
                raw=signed.raw,
                terms=terms.model_dump(mode="json"),
                signed_at=self._database.now(),
            )
        )
        session.flush()
        event = "payout.cancel_signed" if purpose == Purpose.CANCEL else "payout.signed"
        detail = {
            "rail": payout.rail,
            "attempt": payout.attempt,
            "nonce": payout.nonce,
            "tx_hash": signed.tx_hash,
            "max_fee_per_gas_wei": str(terms.max_fee_per_gas_wei),
        }
        row = cases.get(session, payout.refund_id)
        cases.note(session, self._database, row, event if sequence == 1 else _raised(event), detail=detail)

    def _has_funds(
        self,
        session: Session,
        wallet: Wallet,
        outgoing: Outgoing,
        terms: TransferTerms,
        view: WalletView,
        token_balance: int | None,
    ) -> bool:
        """Tell whether the wallet holds this payout, all that the view's balance does not show yet, and its floor."""
        in_flight = session.scalars(
            select(Payout).where(
                Payout.chain_id == wallet.chain_id,
                Payout.wallet == wallet.address,
                Payout.nonce >= view.nonce_latest,
            )
        ).all()
        fees = terms.fee_wei_max + sum(_fee_wei_max(session, payout) for payout in in_flight)
        needed = {NATIVE: fees}
        for moved in (outgoing, *map(outgoing_of, in_flight)):
            needed[moved.asset] = needed.get(moved.asset, 0) + moved.amount_base_units
        balances = {NATIVE: view.balance_base_units}
        if token_balance is not None:
            balances[outgoing.asset] = token_balance
        for asset in {NATIVE, outgoing.asset}:
            floor = self._limits.of(wallet.chain_id, asset).balance_floor
            if needed[asset] + floor > balances.get(asset, 0):
                self._tell_shortage(session, wallet, asset, needed[asset] + floor, balances.get(asset, 0))
                return False
        return True

    def _tell_shortage(self, session: Session, wallet: Wallet, asset: str, needed: int, balance: int) -> None:
        """Write once per day and asset that the wallet cannot pay what is approved."""
        open_finding(
            session,
            self._database,
            kind=FindingKind.WALLET_LOW,
            key=f"wallet_low/{wallet.chain_id}/{wallet.address}/{asset}/{self._database.now():%Y-%m-%d}",
            evidence={
                "chain_id": wallet.chain_id,
                "wallet": wallet.address,
                "asset": asset,
                "needed_base_units": str(needed),
                "balance_base_units": str(balance),
            },
        )


def _is_used_by_others(wallet: Wallet, view: WalletView) -> bool:
    """Tell whether a node knows more nonces of the wallet than we assigned, in blocks or in its pool.

    Ours would be lost among them. Once they are final the wallet pauses; until then it only waits.
    """
    return max(view.nonce_latest, view.nonce_pending) > wallet.next_nonce


def _is_line_full(session: Session, wallet: Wallet) -> bool:
    unmined = select(func.count()).where(
        Payout.chain_id == wallet.chain_id,
        Payout.wallet == wallet.address,
        Payout.nonce.is_not(None),
        Payout.block_number.is_(None),
        Payout.is_buried.is_(False),
    )
    return (session.scalar(unmined) or 0) >= IN_FLIGHT_MAX


def _fee_wei_max(session: Session, payout: Payout) -> int:
    return max(TransferTerms.model_validate(it.terms).fee_wei_max for it in transactions_of(session, payout))


def _raised(event: str) -> str:
    return event if event == "payout.cancel_signed" else "payout.fee_raised"
