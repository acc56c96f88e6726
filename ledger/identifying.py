"""Which deposit a request means, and what only the customer or an operator can still add. Reads, never writes."""

from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.eligibility import DepositState
from domain.policy import Policy
from domain.refunds import Channel, OwnershipLevel, StatusReason, WaitingFor
from ledger import cases
from ledger.intake import proves
from ledger.tables import Deposit, Hold, Refund

Missing = tuple[StatusReason, WaitingFor]


class Identified(NamedTuple):
    """The deposit that is meant, if it is known, and whether the proof names another payment than its."""

    deposit_id: str | None
    proof_fails: bool


def identify(session: Session, policy: Policy, row: Refund) -> Identified:
    """Find the deposit: known already, named, proved, or the account's only one that could be."""
    own = list(session.scalars(select(Deposit).where(Deposit.account_id == row.account_id)))
    on_rail = [deposit for deposit in own if deposit.rail == row.rail]
    deposit_id = row.deposit_id
    if deposit_id is None:
        deposit = _meant(session, policy, row, on_rail)
        deposit_id = deposit.id if deposit else None
    meant = [it for it in on_rail if deposit_id in (None, it.id)]
    proof_fails = row.payment_proof is not None and not any(proves(row.payment_proof, it) for it in meant)
    return Identified(deposit_id, proof_fails)


def missing(policy: Policy, row: Refund, found: Identified) -> Missing | None:
    """Return what only the customer or an operator can add, the most basic first."""
    confirmed = row.ownership == OwnershipLevel.OPERATOR_CONFIRMED
    if row.channel == Channel.EMAIL and not confirmed:
        if row.payment_proof is None:
            return StatusReason.PROOF_MISSING, WaitingFor.PAYMENT_PROOF
        if found.proof_fails:
            return StatusReason.PROOF_MATCHES_NOTHING, WaitingFor.PAYMENT_PROOF
    if found.deposit_id is None:
        return StatusReason.DEPOSIT_AMBIGUOUS, WaitingFor.DEPOSIT
    if OwnershipLevel(row.ownership) not in policy.handling.ownership_accepted:
        return StatusReason.OWNERSHIP_UNPROVED, WaitingFor.OWNERSHIP
    age = row.received_at - row.requested_at
    if age > timedelta(hours=policy.handling.request_age_hours) and not row.is_request_time_confirmed:
        return StatusReason.REQUEST_TIME_OLD, WaitingFor.REQUEST_TIME
    return None


def other_holder(session: Session, row: Refund, deposit_id: str) -> Hold | None:
    """Return the hold of another refund that is paying this deposit back."""
    holder = cases.holder_of(session, deposit_id)
    is_other = holder is not None and holder.refund_id != row.id and holder.state == "active"
    return holder if is_other else None


def _meant(session: Session, policy: Policy, row: Refund, on_rail: list[Deposit]) -> Deposit | None:
    if row.asked_deposit_id is not None:
        return next((deposit for deposit in on_rail if deposit.id == row.asked_deposit_id), None)
    if row.payment_proof is not None:
        proved = [deposit for deposit in on_rail if proves(row.payment_proof, deposit)]
        return proved[0] if len(proved) == 1 else None
    if len(on_rail) == 1:
        return on_rail[0]
    possible = [deposit for deposit in on_rail if _could_be(session, policy, row, deposit)]
    if len(possible) == 1:
        return possible[0]
    # None could be paid back: the newest gives the customer the reasons that matter to them.
    return max(on_rail, key=lambda it: (it.paid_at, it.id)) if not possible and on_rail else None


def _could_be(session: Session, policy: Policy, row: Refund, deposit: Deposit) -> bool:
    facts = cases.deposit_facts(session, row, deposit)
    version = policy.version_for(deposit.paid_at, deposit.terms_version)
    return (
        facts.state == DepositState.OPEN
        and facts.held_by_other_refund is None
        and facts.charged_minor == 0
        and timedelta(0) <= row.requested_at - deposit.paid_at.replace(microsecond=0)
        and row.requested_at.replace(microsecond=0) - deposit.paid_at.replace(microsecond=0) <= version.window
    )
