"""The rules of reconciliation: what books, card processor and chain say of the same money, compared."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from domain.differences import (
    BookedDeposit,
    BookedPayout,
    BookedRefund,
    Difference,
    DifferenceKind,
    Judgement,
    LikelyRefund,
    Moment,
    ProviderRefund,
    SentTransfer,
    UnderWay,
)
from domain.payouts import DEAD, MAY_STILL_LAND, PayoutStatus
from domain.refunds import END_STATES, WaitingFor

# Steps of our own and blocks take minutes; after half an hour without facts a person is asked.
OUR_PATIENCE = timedelta(hours=6)
PROVIDER_PATIENCE = timedelta(days=3)  # a card refund may wait for funds on the merchant's balance


def compare_card_refund(seen: ProviderRefund, deposit: BookedDeposit | None, moment: Moment) -> Judgement:
    """Judge one refund at the card processor by what the books say of its deposit, None where it backs none."""
    if deposit is None:
        # Other business of the same processor account is none of ours, unless it bears one of our marks.
        return _unowned(seen, None, None) if seen.refund_id and seen.is_live else None
    owner = _owner(seen, deposit)
    if not seen.is_live:
        is_missed = owner is not None and owner.status == PayoutStatus.SUCCEEDED
        return _of(DifferenceKind.BOOKED_NOT_PAID, owner, seen=seen) if owner and is_missed else None
    if owner is None:
        return _judge_foreign(seen, deposit, moment)
    twin = deposit.paid_besides(owner)
    if owner.provider_ref not in (None, seen.ref) or twin is not None or owner.status == PayoutStatus.PAID_OUTSIDE:
        return _of(DifferenceKind.PAID_TWICE, owner, subject=f"card/{seen.ref}", seen=seen)
    if (seen.amount_minor, seen.currency) != (owner.amount, owner.currency):
        return _of(DifferenceKind.AMOUNT_DIFFERS, owner, seen=seen)
    if owner.status in MAY_STILL_LAND:
        is_late = seen.is_done and not moment.is_young(max(seen.created_at, owner.updated_at))
        late = _of(DifferenceKind.PAID_NOT_BOOKED, owner, seen=seen)
        return late if is_late else UnderWay(owner.refund_id, late.key)
    if owner.status in DEAD or not owner.is_booked:
        return _of(DifferenceKind.PAID_NOT_BOOKED, owner, seen=seen)
    return None


def compare_card_payout(payout: BookedPayout, moment: Moment) -> Judgement:
    """Judge a card payout of which the processor shows nothing, though it was asked for that very refund."""
    is_late = payout.status == PayoutStatus.PENDING and not moment.is_young(payout.updated_at)
    missing = _of(DifferenceKind.BOOKED_NOT_PAID, payout)
    if payout.status == PayoutStatus.SUCCEEDED or is_late:
        return missing
    return UnderWay(payout.refund_id, missing.key) if payout.status in MAY_STILL_LAND else None


def compare_chain_payout(
    payout: BookedPayout,
    deposit: BookedDeposit,
    landed: SentTransfer | None,
    moment: Moment,
    *,
    is_nonce_used: bool,
) -> Judgement:
    """Judge a chain payout by the one of its transactions that a block holds, None where none does.

    `is_nonce_used`: something of the wallet is final under this payout's nonce.
    """
    if landed is None:
        if payout.status == PayoutStatus.SUCCEEDED:
            return _of(DifferenceKind.BOOKED_NOT_PAID, payout)
        if is_nonce_used:
            return _of(DifferenceKind.UNOWNED_PAYMENT, payout, subject=_nonce_subject(payout))
        return UnderWay(payout.refund_id) if payout.status in MAY_STILL_LAND else None
    if not landed.is_final:
        return UnderWay(payout.refund_id)
    # A cancelling one moves nothing, nor does a token that answers false or refuses without failing.
    if not landed.succeeded or landed.amount_base_units == 0:
        if payout.status == PayoutStatus.SUCCEEDED:
            return _of(DifferenceKind.BOOKED_NOT_PAID, payout, landed=landed)
        return UnderWay(payout.refund_id) if payout.status in MAY_STILL_LAND else None
    if deposit.paid_besides(payout) is not None:
        return _of(DifferenceKind.PAID_TWICE, payout, landed=landed)
    moved = (landed.asset, landed.amount_base_units, landed.more_count)
    if moved != (payout.asset, payout.amount, 0):
        return _of(DifferenceKind.AMOUNT_DIFFERS, payout, landed=landed)
    if landed.to != payout.destination:
        return _of(DifferenceKind.DESTINATION_DIFFERS, payout, landed=landed)
    late = _of(DifferenceKind.PAID_NOT_BOOKED, payout, landed=landed)
    if payout.status in MAY_STILL_LAND and moment.is_young(payout.updated_at):
        return UnderWay(payout.refund_id, late.key)
    return late if payout.status != PayoutStatus.SUCCEEDED or not payout.is_booked else None


def compare_deposit(payout: BookedPayout, deposit: BookedDeposit, *, stands: bool) -> Judgement:
    """Judge what a chain payout pays back: a payment that no block holds any more was paid back out of our pocket."""
    if stands or payout.status in DEAD:
        return None
    gone = _of(DifferenceKind.DEPOSIT_GONE, payout, subject=f"deposit/{deposit.deposit_id}")
    return replace(gone, evidence={**gone.evidence, "payment_tx_hash": deposit.payment_tx_hash})


def judge_stray_transfer(
    chain_id: int, wallet: str, nonce: int, transfer: SentTransfer | None, likely: tuple[LikelyRefund, ...]
) -> Difference:
    """Name what left the wallet under a nonce that no payout of ours has; `transfer` where the chain still tells."""
    unpaid = next((it for it in likely if not it.is_paid), None)
    meant = unpaid or next(iter(likely), None)
    kind = DifferenceKind.UNOWNED_PAYMENT
    if meant is not None:
        kind = DifferenceKind.PAID_NOT_BOOKED if unpaid else DifferenceKind.PAID_TWICE
    evidence: dict[str, Any] = {"chain_id": chain_id, "wallet": wallet, "nonce": nonce}
    if transfer is not None:
        evidence |= _evidence_of_transfer(transfer)
    return Difference(
        kind=kind,
        subject=f"chain/{chain_id}/{wallet}/{nonce}",
        refund_id=meant.refund_id if meant else None,
        deposit_id=meant.deposit_id if meant else None,
        evidence=evidence,
    )


def compare_hold(refund: BookedRefund) -> Judgement:
    """Judge a refund's hold by the refund: held only while it is open, booked as paid only if something paid."""
    kind = None
    if refund.hold_state == "active" and refund.status in END_STATES:
        kind = DifferenceKind.HOLD_WITHOUT_REFUND
    elif refund.hold_state == "captured" and not refund.has_paid_payout:
        kind = DifferenceKind.BOOKED_NOT_PAID
    if kind is None:
        return None
    evidence = {"hold": refund.hold_state, "refund_status": refund.status.value}
    return _of_refund(kind, refund, f"hold/{refund.refund_id}", evidence)


def compare_progress(refund: BookedRefund, moment: Moment) -> Judgement:
    """Judge whether a refund stands still that only our own side, or a provider, can move."""
    if refund.patience is None or moment.now - refund.updated_at < refund.patience:
        return None
    evidence = {"refund_status": refund.status.value, "unchanged_since": refund.updated_at.isoformat()}
    # A refund that moved and stands still again is another matter.
    subject = f"progress/{refund.refund_id}/{refund.updated_at:%Y%m%dT%H%M%S}"
    return _of_refund(DifferenceKind.REFUND_WITHOUT_PROGRESS, refund, subject, evidence)


def patience(waiting_for: WaitingFor | None, customer_wait: timedelta) -> timedelta | None:
    """Return how long a refund may stand still, None while a person or the customer must move it."""
    if waiting_for in (WaitingFor.ORDERS, WaitingFor.PAYMENT):
        return customer_wait + OUR_PATIENCE  # then it expires by itself
    if waiting_for == WaitingFor.PROVIDER:
        return PROVIDER_PATIENCE
    return OUR_PATIENCE if waiting_for in (None, WaitingFor.CHAIN) else None


def compare_books(deposit_id: str, credited_minor: int, books: Mapping[str, int], held_minor_max: int) -> Judgement:
    """Judge one deposit's books: they sum to zero, none but the source is negative, and holds explain what is held.

    Less may stand in the book than the hold says: a delivered order is taken even out of a hold.
    """
    inside = {name: amount for name, amount in books.items() if name != "deposited"}
    faults = []
    if sum(books.values()) != 0:
        faults.append("sum_is_not_zero")
    if books.get("deposited", 0) != -credited_minor:
        faults.append("deposited_differs")
    if any(amount < 0 for amount in inside.values()):
        faults.append("negative")
    if books.get("held", 0) > held_minor_max:
        faults.append("held_without_hold")
    if not faults:
        return None
    return Difference(
        kind=DifferenceKind.BOOKS_UNBALANCED,
        subject=f"deposit/{deposit_id}",
        deposit_id=deposit_id,
        evidence={"faults": faults, "credited_minor": credited_minor, "books_minor": dict(books)},
    )


def _owner(seen: ProviderRefund, deposit: BookedDeposit) -> BookedPayout | None:
    """Find the payout that made a refund: by the reference that we kept, else by the mark that it bears."""
    by_ref = next((it for it in deposit.payouts if it.provider_ref == seen.ref), None)
    marked = (seen.refund_id, seen.attempt)
    return by_ref or next((it for it in deposit.payouts if (it.refund_id, it.attempt) == marked), None)


def _judge_foreign(seen: ProviderRefund, deposit: BookedDeposit, moment: Moment) -> Judgement:
    shown = [it for it in deposit.payouts if it.status == PayoutStatus.PAID_OUTSIDE]
    if any(seen.created_at <= it.begun_at for it in shown):
        return None  # this is what an operator saw when they recorded that it was paid outside
    paid = deposit.paid_besides(None)
    foreign = _unowned(seen, deposit.deposit_id, deposit.refund_id)
    if paid is not None:
        foreign = _of(DifferenceKind.PAID_TWICE, paid, subject=f"card/{seen.ref}", seen=seen)
    return UnderWay(deposit.refund_id, foreign.key) if moment.is_young(seen.created_at) else foreign


def _unowned(seen: ProviderRefund, deposit_id: str | None, refund_id: str | None) -> Difference:
    return Difference(
        kind=DifferenceKind.UNOWNED_PAYMENT,
        subject=f"card/{seen.ref}",
        refund_id=refund_id,
        deposit_id=deposit_id,
        at=seen.created_at,
        evidence=_evidence_of_refund(seen),
    )


def _of(
    kind: DifferenceKind,
    payout: BookedPayout,
    *,
    subject: str | None = None,
    seen: ProviderRefund | None = None,
    landed: SentTransfer | None = None,
) -> Difference:
    evidence: dict[str, Any] = {"attempt": payout.attempt, "payout_status": payout.status.value}
    evidence["booked_amount"] = str(payout.amount)
    evidence |= {"provider_ref": payout.provider_ref, "hold": payout.hold_state}
    if payout.nonce is not None:
        evidence |= {"chain_id": payout.chain_id, "wallet": payout.wallet, "nonce": payout.nonce}
    if seen is not None:
        evidence |= _evidence_of_refund(seen)
    if landed is not None:
        evidence |= _evidence_of_transfer(landed)
    return Difference(
        kind=kind,
        subject=subject or f"payout/{payout.refund_id}/{payout.attempt}",
        refund_id=payout.refund_id,
        deposit_id=payout.deposit_id,
        at=seen.created_at if seen else payout.begun_at,
        evidence=evidence,
    )


def _of_refund(kind: DifferenceKind, refund: BookedRefund, subject: str, evidence: Mapping[str, Any]) -> Difference:
    return Difference(
        kind=kind, subject=subject, refund_id=refund.refund_id, deposit_id=refund.deposit_id, evidence=evidence
    )


def _nonce_subject(payout: BookedPayout) -> str:
    return f"chain/{payout.chain_id}/{payout.wallet}/{payout.nonce}"


def _evidence_of_refund(seen: ProviderRefund) -> dict[str, Any]:
    return {
        "seen_ref": seen.ref,
        "payment_intent": seen.payment_intent,
        "seen_amount": str(seen.amount_minor),
        "seen_currency": seen.currency,
        "seen_live": seen.is_live,
    }


def _evidence_of_transfer(transfer: SentTransfer) -> dict[str, Any]:
    return {
        "tx_hash": transfer.tx_hash,
        "seen_asset": transfer.asset,
        "seen_amount": str(transfer.amount_base_units),
        "seen_more": transfer.more_count,
        "seen_success": transfer.succeeded,
        "block_number": transfer.block_number,
    }
