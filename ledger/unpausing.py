"""Starting a paused wallet again: only once its cause is gone, and with a count of nonces that is explained."""

from collections.abc import Collection

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from domain.errors import Conflict
from domain.findings import FindingKind
from domain.payouts import PayoutStatus
from ledger import wallets
from ledger.database import Database
from ledger.findings import close_finding
from ledger.strays import STRAY_KINDS
from ledger.tables import Finding, Payout, RailWord, Wallet


def paused_chains(session: Session) -> set[int]:
    """Return the chains with a wallet that paused by itself."""
    return set(session.scalars(select(Wallet.chain_id).where(Wallet.pause_reason.is_not(None))))


def pause_reason(session: Session, chain_id: int | None) -> str | None:
    """Return why a wallet of this chain paused, or None."""
    return next((it.pause_reason for it in _wallets(session, chain_id) if it.pause_reason), None)


def void_words(session: Session, chain_id: int | None) -> int:
    """Return up to which word people spoke before a wallet of this chain paused."""
    return max((it.pause_word_seq for it in _wallets(session, chain_id)), default=0)


def startable(session: Session, chain_id: int, adopt_nonce: int | None, *, is_stopped: bool) -> list[Wallet]:
    """Return the chain's paused wallets whose cause is gone as far as we know; raise `Conflict` where that is none.

    Others stay paused: the stop that people made, and a wallet that replaced a stolen one, do not wait for them.
    `is_stopped` says that there is such a stop to lift, even if no wallet can be started.
    """
    good, refusals = list[Wallet](), list[Conflict]()
    for wallet in _wallets(session, chain_id):
        if wallet.pause_reason is None:
            continue
        try:
            _require_no_lost_payout(session, wallet)
            _require_explained(session, wallet, adopt_nonce)
        except Conflict as refused:
            refusals.append(refused)
        else:
            good.append(wallet)
    if not good and adopt_nonce is not None and not refusals:
        raise Conflict("No wallet of this chain is paused.", field="adopt_nonce", rule="wallet_paused")
    if not good and refusals and (adopt_nonce is not None or not is_stopped):
        raise refusals[0]
    return good


def start(
    session: Session, database: Database, paused: Collection[Wallet], operator: str, adopt_nonce: int | None
) -> None:
    """Let paused wallets assign nonces again, from `adopt_nonce` on where one is given."""
    now = database.now()
    for wallet in paused:
        wallet.pause_reason = wallet.disagreeing_since = None
        if adopt_nonce is not None and adopt_nonce > wallet.next_nonce:
            wallet.next_nonce = adopt_nonce
            wallets.send_back_queued(session, database, wallet)
        session.flush()
        told = select(Finding).where(Finding.kind == FindingKind.WALLET_PAUSED, Finding.closed_at.is_(None))
        for finding in session.scalars(told).all():
            if (finding.evidence["chain_id"], finding.evidence["wallet"]) == (wallet.chain_id, wallet.address):
                close_finding(session, now, finding, operator=operator, reason="started again by two people")


def void_words_for_others(session: Session, chain_id: int | None) -> None:
    """Let the words that lifted a stop count for no wallet that stayed paused: each start takes two people anew."""
    last = session.scalar(select(func.max(RailWord.seq))) or 0
    for wallet in _wallets(session, chain_id):
        if wallet.pause_reason is not None:
            wallet.pause_word_seq = last


def _require_no_lost_payout(session: Session, wallet: Wallet) -> None:
    lost = select(Payout.refund_id).where(
        Payout.chain_id == wallet.chain_id,
        Payout.wallet == wallet.address,
        Payout.lost_since.is_not(None),
        Payout.status == PayoutStatus.UNKNOWN,
    )
    refund = session.scalar(lost.limit(1))
    if refund is not None:
        raise Conflict(
            f"The nonce of {refund} was used by something else. Resolve that refund first: cancel_nonce, once it is "
            "clear what the nonce was used for.",
            field="chain_id",
            rule="no_lost_nonce",
        )


def _require_explained(session: Session, wallet: Wallet, adopt_nonce: int | None) -> None:
    used, ours = wallet.nonce_final_seen, wallet.next_nonce
    if used > max(ours, adopt_nonce or 0):
        raise Conflict(
            f"The chain has used {used} nonces of {wallet.address}, and {ours} are ours. Run `refunds reconcile`, "
            f"settle what it finds, and start with adopt_nonce {used}.",
            field="adopt_nonce",
            rule="nonces_explained",
        )
    if adopt_nonce is None or adopt_nonce <= ours:
        return
    if adopt_nonce > used:
        # A gap below the next nonce would hold back every payout behind it for ever.
        raise Conflict(f"The chain has used {used} nonces.", field="adopt_nonce", rule="nonce_is_final")
    open_at = _unexplained(session, wallet, range(ours, adopt_nonce))
    if open_at is not None:
        raise Conflict(
            f"What used nonce {open_at} is not explained: run `refunds reconcile`. Where it names the refund "
            "that was paid, that is enough; everything else a person closes with a reason.",
            field="adopt_nonce",
            rule="nonces_explained",
        )


def _unexplained(session: Session, wallet: Wallet, nonces: range) -> int | None:
    """Return the first of these nonces that no reconciliation found, or whose finding nobody has explained.

    One that names a refund needs no closing: while it is open, that refund is not paid again.
    """
    strays = session.scalars(select(Finding).where(Finding.kind.in_([it.value for it in STRAY_KINDS]))).all()
    known: dict[int, bool] = {}
    for finding in strays:
        evidence, is_open = finding.evidence, finding.closed_at is None
        if not is_open and finding.closed_by is None:
            continue  # the service closed it: it was found anew under another kind, or it is not so any more
        if (evidence.get("chain_id"), evidence.get("wallet")) == (wallet.chain_id, wallet.address):
            nonce, is_named = evidence.get("nonce"), finding.refund_id is not None
            if isinstance(nonce, int):
                known[nonce] = known.get(nonce, True) and (is_named or not is_open)
    return next((nonce for nonce in nonces if not known.get(nonce, False)), None)


def _wallets(session: Session, chain_id: int | None) -> list[Wallet]:
    if chain_id is None:
        return []
    return list(session.scalars(select(Wallet).where(Wallet.chain_id == chain_id)))
