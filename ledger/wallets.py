"""Hot wallets: what keeps one from assigning a nonce, seen on the chain and written down with its evidence."""

from datetime import timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from domain.findings import FindingKind
from domain.payouts import PayoutOutcome, PayoutStatus
from domain.policy import Policy
from domain.refunds import StatusReason
from domain.transfers import WalletView
from domain.wallets import PauseReason, tell_stranger
from ledger import audit, cases
from ledger.database import Database
from ledger.findings import open_finding
from ledger.settling import settle
from ledger.tables import Finding, Payout, RailWord, Wallet


class Wallets:
    """Watches over wallets. A paused one gets no nonce until two people start it again."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._patience = timedelta(seconds=policy.handling.endpoints_disagree_seconds)

    def watch(
        self, chain_id: int, address: str, view: WalletView | None, dispute: str | None, *, is_clear: bool = False
    ) -> None:
        """Compare what the chain shows of a wallet with what we know, and pause it where that cannot be.

        `dispute` says what the endpoints contradict each other on now; a wallet pauses once they have for long. That
        they agree again only `is_clear` says, after all payouts were looked at: a turn that asked little, or got no
        answer, proves nothing. Where no payout is open, a view without dispute is all that there is to ask for.
        """
        with self._database.read() as session:
            wallet = session.get(Wallet, (chain_id, address))
            is_news = view is not None and (wallet is None or _is_news(wallet, view))
            is_disputed = wallet is not None and dispute is not None
            is_suspected = wallet is not None and wallet.disagreeing_since is not None
            is_quiet = is_suspected and dispute is None and view is not None
            is_over = is_quiet and (is_clear or not _has_open(session, chain_id, address))
            if not (is_news or is_disputed or is_over):
                return
        with self._database.write() as session:
            wallet, now = session.get(Wallet, (chain_id, address)), self._database.now()
            if view is not None:
                wallet = register(session, self._database, chain_id, address, view)
            if wallet is None:
                return
            if view is not None:
                check(session, self._database, wallet, view)
            if dispute is None:
                wallet.disagreeing_since = None if is_over else wallet.disagreeing_since
                return
            wallet.disagreeing_since = wallet.disagreeing_since or now
            if now - wallet.disagreeing_since >= self._patience:
                evidence = {"since": wallet.disagreeing_since.isoformat(), "cause": dispute[:200]}
                pause(session, self._database, wallet, PauseReason.ENDPOINTS_DISAGREE, evidence)

    def stranger(self, chain_id: int, address: str, view: WalletView) -> str | None:
        """Say what a person must know of a wallet that this database never paid from; None where nothing is wrong."""
        with self._database.read() as session:
            return stranger(session, chain_id, address, view)

    def pause(self, chain_id: int, address: str, reason: PauseReason, evidence: dict[str, Any]) -> None:
        """Let a wallet assign nothing more; the bytes of its payouts go on being sent and watched."""
        with self._database.write() as session:
            wallet = session.get(Wallet, (chain_id, address))
            if wallet is not None:  # one that never signed has nothing to stop
                pause(session, self._database, wallet, reason, evidence)


def check(session: Session, database: Database, wallet: Wallet, view: WalletView) -> bool:
    """Pause a wallet that cannot be trusted to be ours alone; return whether it may assign a nonce."""
    if view.has_code:
        pause(session, database, wallet, PauseReason.WALLET_HAS_CODE, {})
    if view.nonce_finalized > wallet.next_nonce:
        # A restored database, or the key used elsewhere: which one, a person finds out.
        wallet.nonce_final_seen = max(wallet.nonce_final_seen, view.nonce_finalized)
        evidence = {"next_nonce": wallet.next_nonce, "finalized_nonce": view.nonce_finalized}
        if not _has_assigned(session, wallet):
            evidence["first_nonce"] = wallet.first_nonce  # a new database, or an old one, met a wallet with a past
        pause(session, database, wallet, PauseReason.NONCE_DRIFT, evidence)
    return wallet.pause_reason is None


def pause(
    session: Session, database: Database, wallet: Wallet, reason: PauseReason, evidence: dict[str, Any]
) -> None:
    """Pause a wallet in the caller's transaction; the first reason stays its reason, each has its own finding."""
    key = f"wallet/{wallet.chain_id}/{wallet.address}/{reason}/{evidence.get('nonce', wallet.next_nonce)}"
    is_told = session.scalar(select(Finding.id).where(Finding.key == key, Finding.closed_at.is_(None))) is not None
    if wallet.pause_reason is not None and is_told:
        return
    wallet.pause_reason = wallet.pause_reason or reason.value
    wallet.pause_word_seq = session.scalar(select(func.max(RailWord.seq))) or 0
    told = {
        "rail": "crypto",
        "chain_id": wallet.chain_id,
        "wallet": wallet.address,
        "reason": reason.value,
        **evidence,
    }
    open_finding(session, database, kind=FindingKind.WALLET_PAUSED, key=key, evidence=told)


def stranger(session: Session, chain_id: int, address: str, view: WalletView) -> str | None:
    """Say where chain and database do not fit together from the start on, and what to do; None where they do."""
    wallet = session.get(Wallet, (chain_id, address))
    if wallet is not None and _has_assigned(session, wallet):
        return None
    return tell_stranger(chain_id, address, view, max(view.first_nonce, wallet.next_nonce if wallet else 0))


def register(session: Session, database: Database, chain_id: int, address: str, view: WalletView) -> Wallet | None:
    """Return a wallet's row, made when the wallet is first used; None while the chain has not reached it.

    Its first nonce is what people say of it, never what the chain counts: a database that is older than the wallet's
    first payout would take what it paid itself for somebody else's past, and pay it again. What people say may be
    raised until a nonce was assigned; what was queued until then is theirs to judge.
    """
    wallet, first_nonce = session.get(Wallet, (chain_id, address)), view.first_nonce
    if wallet is None:
        if view.nonce_latest < first_nonce:
            return None  # nonces from there on would wait behind a gap for ever
        wallet = Wallet(chain_id=chain_id, address=address, first_nonce=first_nonce, next_nonce=first_nonce)
        session.add(wallet)
        session.flush()
    elif wallet.next_nonce < first_nonce <= view.nonce_latest and not _has_assigned(session, wallet):
        wallet.first_nonce = wallet.next_nonce = first_nonce
        session.flush()
        detail = {"chain_id": chain_id, "first_nonce": first_nonce}
        now = database.now()
        audit.append(
            session, at=now, actor="service", event="wallet.first_nonce_raised", subject=address, detail=detail
        )
        send_back_queued(session, database, wallet)
    return wallet


def send_back_queued(session: Session, database: Database, wallet: Wallet) -> None:
    """Bring what waits in the queue before people: the database may not know that it was paid, see the runbook."""
    queued = select(Payout).where(
        Payout.chain_id == wallet.chain_id, Payout.wallet == wallet.address, Payout.status == PayoutStatus.QUEUED
    )
    for payout in session.scalars(queued).all():
        outcome = PayoutOutcome(
            status=PayoutStatus.REFUSED, reason=StatusReason.PAYOUT_REFUSED, detail="the wallet's count was moved"
        )
        settle(session, database, cases.get(session, payout.refund_id), payout, outcome)


def _has_open(session: Session, chain_id: int, address: str) -> bool:
    """Tell whether the pump still cares for a payout of this wallet."""
    cared_for = select(Payout.refund_id).where(
        Payout.chain_id == chain_id, Payout.wallet == address, Payout.nonce.is_not(None), Payout.is_buried.is_(False)
    )
    return session.scalar(cared_for.limit(1)) is not None


def _has_assigned(session: Session, wallet: Wallet) -> bool:
    """Tell whether this database ever gave one of the wallet's nonces to a payout."""
    ours = select(Payout.refund_id).where(
        Payout.chain_id == wallet.chain_id, Payout.wallet == wallet.address, Payout.nonce.is_not(None)
    )
    return session.scalar(ours.limit(1)) is not None


def _is_news(wallet: Wallet, view: WalletView) -> bool:
    if view.first_nonce > wallet.next_nonce:
        return True
    is_drifting = view.nonce_finalized > max(wallet.next_nonce, wallet.nonce_final_seen)
    return is_drifting or (
        wallet.pause_reason is None and (view.has_code or view.nonce_finalized > wallet.next_nonce)
    )
