"""Carries out what people have recorded, in recorded order, when the run comes to read it."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.decisions import ResolutionAction, Standing
from domain.errors import Conflict
from domain.payments import PaymentFacts
from domain.payouts import DEAD, PAID, PayoutStatus
from domain.policy import Policy
from domain.refunds import (
    OwnershipLevel,
    Rail,
    RefundState,
    RefundStatus,
    StatusReason,
    WaitingFor,
)
from domain.verdicts import Verdict
from ledger import audit, cases, contests, disputes, resolving
from ledger.approvals import needed_now, standing_of, why_not_approve
from ledger.checking import ask_approval
from ledger.database import Database
from ledger.endings import end, is_withdrawn, withdraw
from ledger.intake import has_unread_proof
from ledger.tables import (
    AuditEntry,
    Decision,
    Hold,
    OwnershipConfirmation,
    Payout,
    Refund,
    Resolution,
    Withdrawal,
)

UNBACKED_LINES_MAX = 100  # lines of a refund's timeline that calls without a record behind them may fill


UNBACKED = "signal.without_record"


class Progress:
    """Reads the records of a refund and follows the arrows that they open."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._policy = policy

    def read_records(self, refund_id: str, told: Sequence[str], facts: PaymentFacts | None = None) -> RefundState:
        """Apply what is recorded and not applied yet; write down what was told but stands nowhere.

        `told` are ids that came by signal or update. In the answer `approved` says that payment may begin,
        `is_ending` that the refund is to end unpaid once fresh `facts` show that its hold may be given back.
        """
        with self._database.write() as session:
            row = cases.get(session, refund_id)
            for identifier in told:
                self._note_unbacked(session, row, identifier)
            approved, ended = False, True
            if is_withdrawn(session, row):
                ended = withdraw(session, self._database, row, facts)
            elif row.status == RefundStatus.AWAITING_OWNERSHIP:
                self._apply_confirmations(session, row)
            elif row.status == RefundStatus.AWAITING_APPROVAL:
                self._ask_more(session, row)
                standing = standing_of(session, row, self._policy)
                approved = standing == Standing.APPROVED
                if standing == Standing.REJECTED:
                    ended = self._reject(session, row, facts, StatusReason.OPERATOR_REJECTED)
            elif row.status == RefundStatus.NEEDS_ATTENTION:
                ended = self._apply_resolutions(session, row, facts)
            return cases.state_of(session, row, approved=approved, is_ending=not ended)

    def _ask_more(self, session: Session, row: Refund) -> None:
        """Show how many people must approve where the policy asks for more of them since approval was asked for."""
        needed = needed_now(session, row, self._policy)
        if needed > (row.approvals_needed or 1):
            row.approvals_needed = needed
            cases.note(session, self._database, row, "approvals.raised", detail={"approvals_needed": needed})

    def _reject(
        self,
        session: Session,
        row: Refund,
        facts: PaymentFacts | None,
        reason: StatusReason,
        actor: str = cases.SERVICE,
    ) -> bool:
        return end(session, self._database, row, facts, RefundStatus.REJECTED, reason, actor=actor)

    def _apply_confirmations(self, session: Session, row: Refund) -> None:
        unapplied = select(OwnershipConfirmation).where(
            OwnershipConfirmation.refund_id == row.id, OwnershipConfirmation.is_applied.is_(False)
        )
        confirmations = session.scalars(unapplied.order_by(OwnershipConfirmation.recorded_at)).all()
        for confirmation in confirmations:
            confirmation.is_applied = True
            if row.status != RefundStatus.AWAITING_OWNERSHIP:
                continue
            if confirmation.action == "deny":
                cases.end_unpaid(session, self._database, row, RefundStatus.REJECTED, StatusReason.OWNERSHIP_DENIED)
                continue
            row.ownership = OwnershipLevel.OPERATOR_CONFIRMED.value
            row.deposit_id = confirmation.deposit_id or row.deposit_id
            row.is_request_time_confirmed |= confirmation.is_request_time_confirmed
            cases.move(session, self._database, row, RefundStatus.CHECKING, None)
        if row.status == RefundStatus.AWAITING_OWNERSHIP and has_unread_proof(row):
            # A repeated mail brought a proof; checking asks again if this one matches nothing either.
            row.deposit_id = None
            cases.move(session, self._database, row, RefundStatus.CHECKING, None)

    def _apply_resolutions(self, session: Session, row: Refund, facts: PaymentFacts | None) -> bool:
        """Apply resolutions in recorded order; return False where giving up must wait for facts or a dispute."""
        unapplied = select(Resolution).where(Resolution.refund_id == row.id, Resolution.is_applied.is_(False))
        waiting = session.scalars(unapplied.order_by(Resolution.seq)).all()
        for resolution in waiting:
            resolution.is_applied = True
            if row.status != RefundStatus.NEEDS_ATTENTION:
                # An earlier one moved the refund on: kept for later, this one would act on something never seen.
                cases.note(session, self._database, row, "resolution.overtaken", subject=resolution.resolution_id)
                continue
            if self._refuses(session, row, resolution):
                continue
            match ResolutionAction(resolution.action):
                case ResolutionAction.LOOK_AGAIN | ResolutionAction.CANCEL_NONCE:
                    self._look_again(session, row, resolution)
                case ResolutionAction.ACCEPT_LOSS:
                    self._accept_loss(session, row, resolution)
                case ResolutionAction.RETRY:
                    self._retry(session, row, resolution)
                case ResolutionAction.PAID_OUTSIDE:
                    self._paid_outside(session, row, resolution)
                case ResolutionAction.GIVE_UP:
                    gave_up = StatusReason.OPERATOR_GAVE_UP
                    if self._reject(session, row, facts, gave_up, resolution.operator):
                        continue
                    if facts is None or resolution is waiting[-1]:
                        resolution.is_applied = False
                        return False
                    # Tried in vain, and a person has said something else since: theirs must not wait behind it.
                    cases.note(session, self._database, row, "resolution.overtaken", subject=resolution.resolution_id)
        return True

    def _refuses(self, session: Session, row: Refund, resolution: Resolution) -> bool:
        """Tell whether money may land, or moved, since the person spoke; then their word changes nothing."""
        action = ResolutionAction(resolution.action)
        if action in (ResolutionAction.LOOK_AGAIN, ResolutionAction.CANCEL_NONCE):
            return False
        try:
            if action == ResolutionAction.ACCEPT_LOSS:  # asks for a loss, whether the payout is paid or dead
                contests.require_acceptable(session, row, session.get(Payout, (row.id, row.attempt)))
                return False
            resolving.require_dead(session, row, action)
            if action in (ResolutionAction.RETRY, ResolutionAction.PAID_OUTSIDE):
                contests.refuse_while_contested(session, row)
        except Conflict as refused:
            detail = {"action": action.value, "rule": refused.rule}
            subject = resolution.resolution_id
            cases.note(session, self._database, row, "resolution.refused", subject=subject, detail=detail)
            return True
        return False

    def _look_again(self, session: Session, row: Refund, resolution: Resolution) -> None:
        payout = session.get(Payout, (row.id, row.attempt))
        if payout is not None and payout.status in DEAD and row.rail == Rail.CRYPTO:
            # The pump cares for no dead payout, so looking would wait for ever. Retry or giving up is open.
            cases.note(session, self._database, row, "resolution.nothing_to_see", subject=resolution.resolution_id)
            return
        status = RefundStatus.CONFIRMING if payout is not None else RefundStatus.CHECKING
        waiting_for = (WaitingFor.PROVIDER if row.rail == "card" else WaitingFor.CHAIN) if payout else None
        cases.move(session, self._database, row, status, None, waiting_for=waiting_for, actor=resolution.operator)

    def _retry(self, session: Session, row: Refund, resolution: Resolution) -> None:
        """Ask for approval of a new attempt; only a person's act ever raises the attempt."""
        row.attempt += 1
        verdict = Verdict.model_validate(row.verdict)
        ask_approval(
            session,
            self._database,
            self._policy,
            row,
            verdict,
            StatusReason.RETRY_APPROVED_ANEW,
            actor=resolution.operator,
        )

    def _paid_outside(self, session: Session, row: Refund, resolution: Resolution) -> None:
        """Take the deposit's payout slot once enough distinct people have said the same."""
        said = select(Resolution.operator).where(
            Resolution.refund_id == row.id,
            Resolution.action == ResolutionAction.PAID_OUTSIDE,
            Resolution.attempt == row.attempt,
            Resolution.evidence == resolution.evidence,
            Resolution.seq <= resolution.seq,
        )
        # Who lost the right since they said so counts no longer, as it is with approvals.
        good = [it for it in set(session.scalars(said)) if why_not_approve(session, self._policy, row, it) is None]
        if len(good) < needed_now(session, row, self._policy):
            return
        if not cases.is_whole(session, session.get(Hold, row.id)):
            cases.note(session, self._database, row, "resolution.refused", subject=resolution.resolution_id)
            return
        row.attempt += 1
        now = self._database.now()
        session.add(
            Payout(
                refund_id=row.id,
                attempt=row.attempt,
                deposit_id=row.deposit_id,
                rail=row.rail,
                status=PayoutStatus.PAID_OUTSIDE.value,
                detail=f"resolution {resolution.resolution_id}"[:400],
                begun_at=now,
                updated_at=now,
            )
        )
        session.flush()
        cases.capture_hold(session, self._database, row)
        row.watch_over = True
        cases.move(
            session,
            self._database,
            row,
            RefundStatus.REFUNDED,
            StatusReason.PAID_OUTSIDE,
            actor=resolution.operator,
        )

    def _accept_loss(self, session: Session, row: Refund, resolution: Resolution) -> None:
        """Close a case whose dispute was lost: the deposit is booked as charged back, paid besides or not."""
        payout = session.get(Payout, (row.id, row.attempt))
        detail: dict[str, Any] = {"dispute_ids": disputes.accept_losses(session, row)}
        cases.charge_back_hold(session, self._database, row)
        is_paid = payout is not None and payout.status in PAID
        status = RefundStatus.REFUNDED if is_paid else RefundStatus.REJECTED
        actor = resolution.operator
        cases.move(session, self._database, row, status, StatusReason.LOSS_ACCEPTED, actor=actor, detail=detail)
        disputes.close_findings(session, self._database, row, operator=actor)

    def _note_unbacked(self, session: Session, row: Refund, identifier: str) -> None:
        """A call that reached the run without a record behind it is written down once, and counts for nothing."""
        recorded = (
            select(Decision.seq).where(Decision.decision_id == identifier, Decision.refund_id == row.id),
            select(Resolution.seq).where(Resolution.resolution_id == identifier, Resolution.refund_id == row.id),
            select(OwnershipConfirmation.confirmation_id).where(
                OwnershipConfirmation.confirmation_id == identifier, OwnershipConfirmation.refund_id == row.id
            ),
            select(Withdrawal.refund_id).where(Withdrawal.refund_id == identifier),
        )
        # What is not printable was never taken as an id, and no database could even be asked for it.
        if identifier.isprintable() and any(session.scalar(query) is not None for query in recorded):
            return
        mine, subject = select(AuditEntry.subject).where(AuditEntry.refund_id == row.id), _sealed(row, identifier)
        is_noted = session.scalar(mine.where(AuditEntry.subject == subject).limit(1)) is not None
        unbacked = mine.where(AuditEntry.event == UNBACKED).limit(UNBACKED_LINES_MAX)
        if not is_noted and len(session.scalars(unbacked).all()) < UNBACKED_LINES_MAX:
            cases.note(session, self._database, row, UNBACKED, subject=subject)


def _sealed(row: Refund, identifier: str) -> str:
    """Return a keyed hash of what somebody sent: it may be anything, also what must not stand in the trail."""
    return f"sealed:{audit.sealed(row.salt, identifier)[:32]}"
