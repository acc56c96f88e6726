"""Hot wallets: what keeps one from assigning a nonce, seen on the chain and written down with its evidence."""

from datetime import timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from domain.findings import FindingKind
from domain.policy import Policy
from domain.transfers import WalletView
from domain.wallets import PauseReason
from ledger.database import Database
from ledger.findings import open_finding
from ledger.tables import Finding, RailWord, Wallet


class Wallets:
    """Watches over wallets. A paused one gets no nonce until two people start it again."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._patience = timedelta(seconds=policy.handling.endpoints_disagree_seconds)

    def watch(self, chain_id: int, address: str, view: WalletView | None, dispute: str | None) -> None:
        """Compare what the chain shows of a wallet with what we know, and pause it where that cannot be.

        `dispute` says what the endpoints contradict each other on now; a wallet pauses once they have for long.
        """
        with self._database.read() as session:
            wallet = session.get(Wallet, (chain_id, address))
            if wallet is None or not (dispute or wallet.disagreeing_since or (view and _is_news(wallet, view))):
                return
        with self._database.write() as session:
            wallet, now = session.get_one(Wallet, (chain_id, address)), self._database.now()
            wallet.disagreeing_since = (wallet.disagreeing_since or now) if dispute else None
            if view is not None:
                check(session, self._database, wallet, view)
            if wallet.disagreeing_since is not None and now - wallet.disagreeing_since >= self._patience:
                evidence = {"since": wallet.disagreeing_since.isoformat(), "cause": (dispute or "")[:200]}
                pause(session, self._database, wallet, PauseReason.ENDPOINTS_DISAGREE, evidence)

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


def register_wallet(session: Session, chain_id: int, address: str, first_nonce: int) -> Wallet:
    """Return a wallet's row, made when the wallet is first used; later calls never change its nonce."""
    wallet = session.get(Wallet, (chain_id, address))
    if wallet is None:
        wallet = Wallet(chain_id=chain_id, address=address, first_nonce=first_nonce, next_nonce=first_nonce)
        session.add(wallet)
        session.flush()
    return wallet


def _is_news(wallet: Wallet, view: WalletView) -> bool:
    is_drifting = view.nonce_finalized > max(wallet.next_nonce, wallet.nonce_final_seen)
    return is_drifting or (
        wallet.pause_reason is None and (view.has_code or view.nonce_finalized > wallet.next_nonce)
    )
